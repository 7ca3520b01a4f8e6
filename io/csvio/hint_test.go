package csvio

import (
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// A byte order mark is one also where another encoding is set.
func TestHeaderInUTF16WhereAnotherEncodingIsSet(t *testing.T) {
	for _, content := range []string{"\xff\xfea\x00,\x00b\x00\n\x00", "\xfe\xff\x00a\x00,\x00b\x00\n"} {
		for _, encoding := range []string{EncodingLatin1, EncodingWindows1252} {
			dialect := with(func(d *Dialect) { d.Encoding = encoding })
			ranges := splitAll[abc](t, record.Work{File: writeFile(t, content)}, WithDialect(dialect))
			if len(ranges) != 1 || ranges[0].Failure == nil || !strings.HasSuffix(ranges[0].Failure.Message,
				"; it begins with the byte order mark of UTF-16: set csv.encoding to utf-16") {
				t.Errorf("%q as %s: %+v", content, encoding, ranges)
			}
		}
	}
}

func TestValuesThatMayMeanNoneNameTheSetting(t *testing.T) {
	for _, null := range []string{"NULL", "null", `\N`, "N/A", "na", "None", "-"} {
		f, open := inMemory("id,name\n" + null + ",a\n")
		got := show(readWith[thing](t, splitWith[thing](t, record.Work{File: f}, open, windowChunk), open))
		if len(got) != 1 || !strings.HasSuffix(got[0], "; if this means that there is no value, add it to csv.null_value") {
			t.Errorf("%s gives %q", null, got)
		}
	}
}

func TestColumnsThatAreNotLoadedAreLogged(t *testing.T) {
	for _, c := range []struct{ header, says string }{
		{"a,b,c,", "Columns without a name in the header are left out"},
		{"a,b,c,x,y", `Columns that are not known are left out`},
	} {
		log := captureLog(t)
		f, open := inMemory(c.header + "\n")
		splitWith[abc](t, record.Work{File: f}, open, windowChunk)
		if !strings.Contains(log.String(), c.says) || strings.Count(log.String(), "WARN") != 1 {
			t.Errorf("%q logs %q, want %q", c.header, log, c.says)
		}
	}
}
