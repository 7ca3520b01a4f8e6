package csvio

import (
	"encoding/binary"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// charset is an encoding of one byte a character whose first half is ASCII, so
// that delimiters, quotes and newlines are found in the file's own bytes. The
// zero charset is UTF-8.
type charset struct{ table *charmap.Charmap }

var charsets = map[string]charset{
	EncodingLatin1:      {charmap.ISO8859_1},
	EncodingWindows1252: {charmap.Windows1252},
}

// decode returns s as UTF-8.
func (c charset) decode(s string) string {
	if c.table == nil || isASCII(s) {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := range len(s) {
		b = utf8.AppendRune(b, c.table.DecodeByte(s[i]))
	}
	return string(b)
}

// valid reports whether all of b is UTF-8 as it stands.
func (c charset) valid(b []byte) bool {
	if c.table == nil {
		return utf8.Valid(b)
	}
	return isASCII(b)
}

// isASCII looks at eight bytes at a time.
func isASCII[S string | []byte](s S) bool {
	const high = 0x8080808080808080
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64([]byte(s[:8]))&high != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
