package csvio

import (
	"strings"

	"github.com/cartstream/cartstream/transforms/record"
)

// trimLineEnd returns a record without its line end. A carriage return before
// the end of the file counts as one, as in encoding/csv.
func trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}

// splitPlain appends the fields of a record that has no quote.
func splitPlain(fields []string, s string) []string {
	for {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			return append(fields, s)
		}
		fields = append(fields, s[:i])
		s = s[i+1:]
	}
}

// splitQuoted appends the fields of a record in which quotes stand, or says
// what is wrong with them. The fields share s, unless they hold doubled
// quotes.
func splitQuoted(fields []string, s string) ([]string, *record.Fault) {
	for {
		var field, rest string
		if strings.HasPrefix(s, `"`) {
			var closed bool
			if field, rest, closed = cutQuoted(s[1:]); !closed {
				return fields, malformed(len(fields), "a quoted field is never closed")
			}
			if rest != "" && rest[0] != ',' {
				return fields, malformed(len(fields), "after a closing quote stands "+quoteShort(rest)+
					", allowed are a comma and the end of the line (a quote inside quotes is written twice)")
			}
		} else {
			i := strings.IndexByte(s, ',')
			if i < 0 {
				i = len(s)
			}
			field, rest = s[:i], s[i:]
			if strings.IndexByte(field, '"') >= 0 {
				return fields, malformed(len(fields), "a quote stands inside a field that does not begin with one: "+quoteShort(field))
			}
		}
		fields = append(fields, field)
		if rest == "" {
			return fields, nil
		}
		s = rest[1:]
	}
}

// cutQuoted cuts s, which begins after an opening quote, at the closing one.
func cutQuoted(s string) (field, rest string, closed bool) {
	doubled := false
	for i := 0; ; {
		q := strings.IndexByte(s[i:], '"')
		if q < 0 {
			return "", "", false
		}
		i += q
		if i+1 < len(s) && s[i+1] == '"' {
			doubled = true
			i += 2
			continue
		}
		field, rest = s[:i], s[i+1:]
		if doubled {
			field = strings.ReplaceAll(field, `""`, `"`)
		}
		return field, rest, true
	}
}

func malformed(fields int, what string) *record.Fault {
	return &record.Fault{Code: record.CodeMalformedCSV, Message: "field " + itoa(fields+1) + ": " + what}
}
