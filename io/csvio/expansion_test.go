package csvio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// The records before the bound are the same however the content is read, and whole ranges.
func TestArchiveWithTooMuchContentFails(t *testing.T) {
	const rows = 400_000
	content := "a,b,c\n" + strings.Repeat("0,0,0\n", rows)
	for name, pack := range map[string]func(testing.TB, ...string) string{"gzip": gzipped, "zstd": zstded} {
		packed := pack(t, content)
		f, open := inMemory(packed)
		ratio := len(content) / len(packed)
		for _, c := range []struct {
			expansion, records int
		}{
			{expansion: 0, records: rows},
			{expansion: ratio + 1, records: rows},
			{expansion: ratio - 1, records: (ratio-1)*len(packed)/6/1000*1000 - 1000}, // the first range has the header too
			{expansion: 1, records: leastContent/6/1000*1000 - 1000},
		} {
			for _, chunk := range []int64{1000, windowChunk} {
				t.Run(fmt.Sprint(name, c.expansion, chunk), func(t *testing.T) {
					opts := []Option{WithMaxRangeRecords(1000), WithMaxExpansion(c.expansion)}
					ranges := splitWith[abc](t, record.Work{File: f}, open, chunk, opts...)
					recs := readChunks[abc](t, ranges, open, chunk, opts...)
					n := 0
					for _, r := range recs {
						if r.Kind == record.KindValue {
							n++
						}
					}
					last := recs[len(recs)-1]
					switch {
					case n != c.records && n != c.records+1000:
						t.Errorf("%d records, want %d", n, c.records)
					case c.records == rows && last.Kind != record.KindRangeEnd:
						t.Errorf("ends with %+v", last)
					case c.records < rows && (last.Kind != record.KindFileFailed || last.Fault.Code != record.CodeTooLargeArchive ||
						!strings.Contains(last.Fault.Message, fmt.Sprintf("what comes after its first %d records was not read", n))):
						t.Errorf("ends with %+v, %v", last, last.Fault)
					}
				})
			}
		}
	}
}
