package csvio

import (
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// Files of other kinds fail as a whole, also where no header would tell.
func TestFilesOfOtherKindsFail(t *testing.T) {
	tar := "a.csv" + strings.Repeat("\x00", 252) + "ustar\x0000" + strings.Repeat("\x00", 1000)
	headless := WithDialect(with(func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "b", "c"} }))
	latin1 := WithDialect(with(func(d *Dialect) { d.Encoding = EncodingLatin1 }))
	for _, c := range []struct{ name, content, want string }{
		{"zip", "PK\x03\x04\x14\x00\x08\x00 a.csv", "it is a zip archive, allowed are plain text, gzip, zstd and bzip2; unpack it first (or export it as CSV, if it is an .xlsx)"},
		{"xz", "\xfd7zXZ\x00\x00\x04", "it is an xz archive, allowed are plain text, gzip, zstd and bzip2; unpack it first"},
		{"7z", "7z\xbc\xaf\x27\x1c\x00\x04", "it is a 7z archive, allowed are plain text, gzip, zstd and bzip2; unpack it first"},
		{"tar", tar, "it is a tar archive, allowed are plain text, gzip, zstd and bzip2; unpack it first"},
		{"tar.gz", gzipped(t, tar), "it is a tar archive, allowed are plain text, gzip, zstd and bzip2; unpack it first"},
		{"zip in a zstd", zstded(t, "PK\x03\x04\x14\x00\x08\x00 a.csv"), "it is a zip archive, "},
		{"parquet", "PAR1\x15\x04\x15\x10", "it is a Parquet file, allowed are plain text, gzip, zstd and bzip2; export it as CSV"},
		{"sqlite", "SQLite format 3\x00\x10\x00", "it is an SQLite database, "},
	} {
		for name, opts := range map[string][]Option{"header": nil, "no header": {headless}, "latin1": {latin1}} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				f, open := inMemory(c.content)
				recs := readWith[abc](t, splitWith[abc](t, record.Work{File: f}, open, windowChunk, opts...), open, opts...)
				if len(recs) != 1 || recs[0].Kind != record.KindFileFailed || recs[0].Fault.Code != record.CodeUnsupportedFormat ||
					!strings.HasPrefix(recs[0].Fault.Message, c.want) {
					t.Errorf("got %+v, %v", recs[0], recs[0].Fault)
				}
			})
		}
	}
}

// Text that begins as a file of another kind does is text.
func TestTextThatLooksLikeAnotherKind(t *testing.T) {
	headless := WithDialect(with(func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "b", "c"} }))
	for _, f := range foreign {
		text := strings.Repeat("x", f.at) + strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, f.magic) + ",2,3\n"
		file, open := inMemory(text)
		recs := readWith[abc](t, splitWith[abc](t, record.Work{File: file}, open, windowChunk, headless), open, headless)
		if !slices.ContainsFunc(recs, (*record.Record[abc]).Data) {
			t.Errorf("%q: %+v", text, recs[0].Fault)
		}
	}
}
