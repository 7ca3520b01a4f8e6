package csvio

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// AppendField appends field to dst as RFC 4180 writes it and returns the
// extended slice. Delimiters and line ends between fields are the caller's.
//
// The bytes are those of encoding/csv's Writer: a field is quoted when it holds
// a comma, a quote, CR or LF, when it begins with a space (readers that trim
// would lose it), and when it is `\.`, which ends the data for PostgreSQL. Bytes
// that are no UTF-8 pass unchanged. A record of one empty field is a blank line
// to readers, so whoever writes one column must quote it.
//
// Nothing is allocated while dst has room.
func AppendField(dst []byte, field string) []byte {
	if !needsQuotes(field) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(field, '"')
		if i < 0 {
			break
		}
		dst = append(dst, field[:i]...)
		dst = append(dst, `""`...)
		field = field[i+1:]
	}
	dst = append(dst, field...)
	return append(dst, '"')
}

// needsQuotes looks at all bytes in one pass: fields are short, so one pass
// beats a search for each special byte.
func needsQuotes(field string) bool {
	if field == "" {
		return false
	}
	for i := range len(field) {
		switch field[i] {
		case ',', '"', '\r', '\n':
			return true
		}
	}
	if c := field[0]; c > ' ' && c < utf8.RuneSelf && c != '\\' {
		return false
	}
	first, _ := utf8.DecodeRuneInString(field)
	return unicode.IsSpace(first) || field == `\.`
}
