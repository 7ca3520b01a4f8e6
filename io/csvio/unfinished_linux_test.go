package csvio

import (
	"os"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// A process may open a file for writing after the watcher has looked. Ranges before the
// last are whole whatever it writes.
func TestLastRangeIsLeftWhileAProcessWrites(t *testing.T) {
	for name, content := range map[string]string{
		"text": abcHeader + strings.Repeat("1,2,3\n", 5), "gzip": gzipped(t, abcHeader+strings.Repeat("1,2,3\n", 5)),
	} {
		t.Run(name, func(t *testing.T) {
			f := writeFile(t, content)
			opts := []Option{WithMaxRangeRecords(4)}
			want := func(open string, records int, code string) {
				t.Helper()
				got, gotCode := loadable(t, record.Work{File: f}, opts...)
				if len(got) != records || gotCode != code {
					t.Errorf("%s: got %q, %q, want %d records and %q", open, got, gotCode, records, code)
				}
			}
			want("closed", 5, "")
			ranges := splitAll[abc](t, record.Work{File: f}, opts...)
			writer, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			want("open", 4, record.CodeUnfinished)
			recs := readAll[abc](t, ranges, opts...)
			if last := recs[len(recs)-1]; last.Kind != record.KindUnreadable || last.Fault.Code != record.CodeUnfinished {
				t.Errorf("opened between splitting and reading: the last record is %+v", last)
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			want("closed again", 5, "")
		})
	}
}
