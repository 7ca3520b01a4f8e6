package csvio

import (
	"strings"

	"github.com/cartstream/cartstream/transforms/record"
)

// trimLineEnd returns a record without its line end: LF after any number of CRs, or
// one CR in files that have no LF. CRs before the end of the file count as one too.
func (x *syntax) trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == x.newline {
		b = b[:n-1]
	}
	for x.newline == '\n' && len(b) > 0 && b[len(b)-1] == '\r' {
		b = b[:len(b)-1]
	}
	return b
}

// lineLength returns how long a line of size bytes is without its line end. end holds
// its last two bytes at least: of a longer line end, all but two bytes count.
func (x *syntax) lineLength(size int64, end []byte) int64 {
	end = end[len(end)-lineEndSize:]
	return size - int64(lineEndSize-len(x.trimLineEnd(end)))
}

// splitPlain appends the fields of a record that has no quote.
func (x *syntax) splitPlain(fields []string, s string) []string {
	for {
		i := strings.IndexByte(s, x.delimiter)
		if i < 0 {
			break
		}
		fields = append(fields, s[:i])
		s = s[i+1:]
	}
	fields = append(fields, s)
	if x.spaces != "" || len(x.nulls) > 0 {
		for i, field := range fields {
			fields[i] = x.bare(field)
		}
	}
	return fields
}

// splitQuoted appends the fields of a record in which quotes stand, or says
// what is wrong with them. The fields share s, unless they hold doubled
// quotes.
func (x *syntax) splitQuoted(fields []string, s string) ([]string, *record.Fault) {
	for {
		s = strings.TrimLeft(s, x.spaces)
		var field, rest string
		var fault *record.Fault
		if s != "" && s[0] == x.quote {
			field, rest, fault = x.quoted(s[1:], len(fields))
		} else {
			field, rest, fault = x.unquoted(s, len(fields))
		}
		if fault != nil {
			return fields, fault
		}
		fields = append(fields, field)
		if rest == "" {
			return fields, nil
		}
		s = rest[1:]
	}
}

// unquoted cuts a field that begins without a quote. What remains is empty or
// begins with a delimiter.
func (x *syntax) unquoted(s string, place int) (field, rest string, fault *record.Fault) {
	i := strings.IndexByte(s, x.delimiter)
	if i < 0 {
		i = len(s)
	}
	field, rest = s[:i], s[i:]
	if strings.IndexByte(field, x.quote) >= 0 {
		return "", "", malformed(place, "a quote stands inside a field that does not begin with one: "+quoteShort(field))
	}
	if x.newline == '\r' && strings.IndexByte(field, '\n') >= 0 {
		return "", "", malformed(place, "an LF stands outside quotes, and the lines of this file end with CR: "+quoteShort(field))
	}
	return x.bare(field), rest, nil
}

// quoted cuts a field after its opening quote. What remains is empty or begins
// with a delimiter.
func (x *syntax) quoted(s string, place int) (field, rest string, fault *record.Fault) {
	field, rest, closes := x.cutQuoted(s)
	if !closes {
		return "", "", malformed(place, "a quoted field is never closed")
	}
	rest = strings.TrimLeft(rest, x.spaces)
	if rest != "" && rest[0] != x.delimiter {
		return "", "", malformed(place, "after a closing quote stands "+quoteShort(rest)+", allowed are "+x.delimiterName()+
			" and the end of the line ("+x.howQuoted(field)+")")
	}
	return field, rest, nil
}

// howQuoted is how a quote inside quotes is written, for messages. before is what stands
// before the quote.
func (x *syntax) howQuoted(before string) string {
	switch {
	case x.escape != 0:
		return "a quote inside quotes is written " + string(rune(x.escape)) + string(rune(x.quote))
	case strings.HasSuffix(before, `\`):
		return `a quote inside quotes is written twice; if a backslash stands before it in this file, set csv.escape to '\'`
	}
	return "a quote inside quotes is written twice"
}

// cutQuoted cuts s, which begins after an opening quote, at the closing one.
func (x *syntax) cutQuoted(s string) (field, rest string, closes bool) {
	plain := true
	for i := 0; i < len(s); i++ {
		var q int
		if x.escape == 0 {
			q = strings.IndexByte(s[i:], x.quote)
		} else {
			q = strings.IndexAny(s[i:], x.special)
		}
		if q < 0 {
			break
		}
		i += q
		isQuote := s[i] == x.quote
		if !isQuote || x.escape == 0 && i+1 < len(s) && s[i+1] == x.quote {
			plain = false
			i++
			continue
		}
		field, rest = s[:i], s[i+1:]
		switch {
		case plain:
		case x.escape == 0:
			field = strings.ReplaceAll(field, x.doubled, x.single)
		default:
			field = x.unescape.Replace(field)
		}
		return field, rest, true
	}
	return "", "", false
}

func malformed(fields int, what string) *record.Fault {
	return &record.Fault{Code: record.CodeMalformedCSV, Message: "field " + itoa(fields+1) + ": " + what}
}
