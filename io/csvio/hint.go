package csvio

import (
	"slices"
	"strings"
)

// hint guesses why a header does not fit T, which is about the column given, from what
// commonly goes wrong. It is empty, or follows a message.
func (f *format) hint(header string, names []string, s *schema, missing string) string {
	if d := f.otherDelimiter(header, s); d != "" {
		return "; its fields seem to be separated by " + d + ": set csv.delimiter"
	}
	switch even, odd := nulBytes(header); {
	case even+odd > 0 && (strings.HasPrefix(header, "ÿþ") || strings.HasPrefix(header, "þÿ")): // as latin1 has the mark
		return "; it begins with the byte order mark of UTF-16: set csv.encoding to utf-16"
	case even == 0 && odd > 0:
		return "; it seems to be UTF-16 without a byte order mark: set csv.encoding to utf-16le"
	case odd == 0 && even > 0:
		return "; it seems to be UTF-16 without a byte order mark: set csv.encoding to utf-16be"
	case even > 0:
		return "; it has zero bytes, so it is no text"
	}
	if strings.Contains(strings.TrimRight(header, "\r"), "\r") {
		return f.crHint()
	}
	known := func(name string) bool { _, is := s.byName[name]; return is }
	isDigit := func(name string) bool { return strings.ContainsAny(name, "0123456789") }
	if i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, missing) }); i >= 0 && names[i] != missing {
		return "; " + quoteShort(names[i]) + " differs from " + quoteShort(missing) + " in case only: write the column's name as it is required"
	}
	if i := slices.Index(names, ""); i >= 0 {
		return "; column " + itoa(i+1) + " has no name"
	}
	if !slices.ContainsFunc(names, known) && slices.ContainsFunc(names, isDigit) {
		return "; none of its names is a column: if the file has no header, set csv.header to false, and csv.columns"
	}
	return ""
}

// crHint is about a line with a CR in the middle.
func (f *format) crHint() string {
	if !f.dialect.Header {
		return "; it has a CR in the middle: lines must end with LF or CRLF; those of a file with a header may all end with CR"
	}
	return "; it has a CR in the middle: lines must end with LF or CRLF, or all of them with CR"
}

// countHint guesses why a line, which is s without its end, has another number of fields.
func (f *format) countHint(s string, width int) string {
	if strings.Contains(s, "\r") && strings.IndexByte(s, f.syntax.quote) < 0 {
		return f.crHint()
	}
	for _, d := range usualDelimiters {
		if d.char != f.dialect.Delimiter && width > 1 && strings.Count(s, string(rune(d.char))) == width-1 {
			return "; separated by " + d.name + ", it has " + itoa(width) + ": check csv.delimiter"
		}
	}
	return ""
}

// nullHint is about a value that may stand for none.
func nullHint(value string) string {
	switch strings.ToLower(value) {
	case "null", "(null)", "<null>", `\n`, "nil", "none", "na", "n/a", "#n/a", "nan", "-":
		return "; if this means that there is no value, add it to csv.null_value"
	}
	return ""
}

// usualDelimiters have the names that messages use.
var usualDelimiters = []struct {
	char byte
	name string
}{{';', `";"`}, {'\t', "tabs"}, {'|', `"|"`}, {',', `","`}}

// otherDelimiter returns the name of the usual delimiter by which the header would fit.
func (f *format) otherDelimiter(header string, s *schema) string {
	for _, d := range usualDelimiters {
		other := f.dialect
		other.Delimiter = d.char
		names, fault := newSyntax(other).forHeader().splitQuoted(nil, header)
		if d.char == f.dialect.Delimiter || d.char == f.dialect.Quote || fault != nil {
			continue
		}
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		if _, fault := matchHeader(names, s, ""); fault == nil {
			return d.name
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
