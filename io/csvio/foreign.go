package csvio

import (
	"bytes"

	"github.com/cartstream/cartstream/transforms/record"
)

// foreign are kinds of files that are not read, by what stands at a place of
// theirs. Each has bytes there that no text has.
var foreign = []struct {
	at                int
	magic, what, todo string
}{
	{0, "PK\x03\x04", "a zip archive", "unpack it first (or export it as CSV, if it is an .xlsx)"},
	{0, "PK\x05\x06", "an empty zip archive", "unpack it first"},
	{0, "\xfd7zXZ\x00", "an xz archive", "unpack it first"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
	{0, "Rar!\x1a\x07", "a rar archive", "unpack it first"},
	{0, "\x04\x22\x4d\x18", "an lz4 archive", "unpack it first"},
	{0, "LZIP\x01", "an lzip archive", "unpack it first"},
	{0, "\x1f\x9d", "an archive of compress", "unpack it first"},
	{257, "ustar\x00", "a tar archive", "unpack it first"},
	{257, "ustar  \x00", "a tar archive", "unpack it first"},
	{0, "PAR1\x15", "a Parquet file", "export it as CSV"},
	{0, "Obj\x01", "an Avro file", "export it as CSV"},
	{0, "ARROW1\x00\x00", "an Arrow file", "export it as CSV"},
	{0, "SQLite format 3\x00", "an SQLite database", "export it as CSV"},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word document", "export it as CSV"},
}

// foreignTo fails a file, or the content of an archive, that is of another kind.
func foreignTo(data []byte) *record.Fault {
	for _, f := range foreign {
		if len(data) >= f.at && bytes.HasPrefix(data[f.at:], []byte(f.magic)) {
			return &record.Fault{
				Code:    record.CodeUnsupportedFormat,
				Message: "it is " + f.what + ", allowed are plain text, gzip, zstd and bzip2; " + f.todo,
			}
		}
	}
	return nil
}
