package csvio

import (
	"slices"
	"strings"
)

// hint guesses why a header does not fit T, from what commonly goes wrong; it
// is empty, or stands after a message.
func (f *format) hint(header string, names []string, s *schema) string {
	if d := f.otherDelimiter(header, s); d != "" {
		return "; its fields seem to be parted by " + d + ": set the delimiter"
	}
	switch even, odd := nulBytes(header); {
	case even+odd > 0 && (strings.HasPrefix(header, "ÿþ") || strings.HasPrefix(header, "þÿ")): // as latin1 has the mark
		return "; it begins with the byte order mark of UTF-16: set the encoding to utf-16"
	case even == 0 && odd > 0:
		return "; it seems to be UTF-16 without a byte order mark: set the encoding to utf-16le"
	case odd == 0 && even > 0:
		return "; it seems to be UTF-16 without a byte order mark: set the encoding to utf-16be"
	case even > 0:
		return "; it has zero bytes, so it is no text"
	}
	if strings.Contains(strings.TrimRight(header, "\r"), "\r") {
		return "; it has a CR in the middle: lines must end with LF, or CRLF, or all of them with CR"
	}
	for _, name := range names {
		for _, c := range s.columns {
			if name == c.name {
				return ""
			}
			if strings.EqualFold(name, c.name) {
				return "; " + quoteShort(name) + " is not " + quoteShort(c.name) + ": upper and lower case count"
			}
		}
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.ContainsAny(name, "0123456789") }) {
		return "; none of its names is a column: if the file has no header, say so and set the columns"
	}
	return ""
}

// otherDelimiter returns the usual delimiter, as it is written in settings, by
// which the header would fit.
func (f *format) otherDelimiter(header string, s *schema) string {
	for _, d := range []byte{';', '\t', '|', ','} {
		other := f.dialect
		other.Delimiter = d
		names, fault := newSyntax(other).forHeader().splitQuoted(nil, header)
		if d == f.dialect.Delimiter || d == f.dialect.Quote || fault != nil {
			continue
		}
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		if _, fault := matchHeader(names, s, ""); fault == nil {
			return map[byte]string{';': `";"`, '\t': "tabs", '|': `"|"`, ',': `","`}[d]
		}
	}
	return ""
}

// nulBytes counts the zero bytes at even and at odd places.
func nulBytes(s string) (even, odd int) {
	for i := range len(s) {
		if s[i] == 0 {
			even, odd = even+1-i%2, odd+i%2
		}
	}
	return even, odd
}
