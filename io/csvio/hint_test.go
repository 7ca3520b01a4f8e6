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
				"; it begins with the byte order mark of UTF-16: set the encoding to utf-16") {
				t.Errorf("%q as %s: %+v", content, encoding, ranges)
			}
		}
	}
}
