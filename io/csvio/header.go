package csvio

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cartstream/cartstream/transforms/record"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// header says where in a record the columns of T stand.
type header struct {
	// width is the number of fields.
	width int
	// fields holds, for each field, the column of T it fills, or -1.
	fields []int
	// unknown holds the names of the columns that T does not have.
	unknown []string
}

// headerOf returns the header of a file whose header record, without its line
// end, is raw. A file that should have one and has none has no records.
func (f *format) headerOf(raw []byte, s *schema) (*header, *record.Fault) {
	if !f.dialect.Header {
		return f.dialect.matchColumns(s)
	}
	if len(raw) == 0 {
		return &header{}, nil
	}
	text := f.charset.decode(string(raw))
	names, fault := f.headerNames(text)
	if fault != nil {
		return nil, fault
	}
	h, fault := matchHeader(names, s, "the header has ")
	if fault != nil {
		fault.Message += f.hint(text, names, s, fault.Column)
	}
	return h, fault
}

// matchColumns is for files without a header.
func (d Dialect) matchColumns(s *schema) (*header, *record.Fault) {
	return matchHeader(d.Columns, s, "there are ")
}

// matchHeader checks the names of the columns against T's schema. has begins
// what a message says of the names.
func matchHeader(names []string, s *schema, has string) (*header, *record.Fault) {
	h := &header{width: len(names), fields: make([]int, len(names))}
	seen := make([]bool, len(s.columns))
	for i, name := range names {
		c, known := s.byName[name]
		switch {
		case !known:
			h.fields[i] = -1
			h.unknown = append(h.unknown, name)
		case seen[c]:
			return nil, invalidHeader(name, "the column "+quoteShort(name)+" stands there twice; "+has+quoteList(names))
		default:
			h.fields[i], seen[c] = c, true
		}
	}
	for i, c := range s.columns {
		if !seen[i] && !c.optional {
			return nil, invalidHeader(c.name, "the required column "+quoteShort(c.name)+" is missing; "+has+quoteList(names))
		}
	}
	return h, nil
}

func (f *format) headerNames(text string) ([]string, *record.Fault) {
	if !utf8.ValidString(text) {
		return nil, invalidHeader("", f.notText(text))
	}
	names, fault := f.syntax.forHeader().splitQuoted(nil, text)
	if fault != nil {
		return nil, invalidHeader("", "the header is no CSV: "+fault.Message)
	}
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names, nil
}

// notText says what is wrong with a header that is not in the encoding.
func (f *format) notText(header string) string {
	switch {
	case strings.HasPrefix(header, "\xff\xfe") || strings.HasPrefix(header, "\xfe\xff"):
		return "the file is UTF-16: set csv.encoding to utf-16, or write it as UTF-8"
	case f.dialect.utf16():
		return "the header is not UTF-16: " + quoteShort(header)
	}
	return "the header is not UTF-8, and no other encoding is set: " + quoteShort(header)
}

func invalidHeader(column, message string) *record.Fault {
	return &record.Fault{Code: record.CodeInvalidHeader, Column: column, Message: message}
}

// quoteList shows a list of names, and no more of it than a message can bear.
func quoteList(names []string) string {
	const most = 50
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteShort(name))
	}
	return b.String()
}

// quoteShort quotes what was found, cut to 64 bytes so that a page of text does
// not become a message.
func quoteShort(s string) string {
	const most = 64
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}

func itoa(n int) string { return strconv.Itoa(n) }
