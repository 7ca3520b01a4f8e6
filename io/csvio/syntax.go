package csvio

import (
	"cmp"
	"strconv"
	"strings"
)

// syntax is a dialect as the scan and the parser need it.
type syntax struct {
	// newline ends lines: LF, or CR in files that have only that.
	newline byte
	// quote is the newline where nothing is quoted, and comment where nothing is
	// a comment: no line holds one. escape is 0 where quotes are doubled.
	delimiter, quote, comment, escape byte
	// doubled and single are what stands for a quote inside quotes, and the
	// quote. unescape replaces escapes before quotes and escapes.
	doubled, single string
	unescape        *strings.Replacer
	// special are the bytes that the scan looks for inside quotes.
	special string
	// spaces are trimmed, where there are any.
	spaces string
	nulls  []string
	// after gives the state after each byte in each state.
	after [quoteStates][256]quoteState
}

func newSyntax(d Dialect) *syntax {
	x := &syntax{newline: '\n', delimiter: d.Delimiter, escape: d.Escape, nulls: d.NullValue}
	if d.cr {
		x.newline = '\r'
	}
	x.quote, x.comment = cmp.Or(d.Quote, x.newline), cmp.Or(d.Comment, x.newline)
	x.single = string(rune(x.quote))
	x.doubled = x.single + x.single
	escape := string(rune(x.escape))
	x.unescape = strings.NewReplacer(escape+x.single, x.single, escape+escape, escape)
	x.special = x.single + escape
	if d.Trim {
		x.spaces = strings.ReplaceAll(" \t", string(rune(d.Delimiter)), "")
	}
	for s := range quoteStates {
		for c := range 256 {
			x.after[s][c] = x.next(s, byte(c))
		}
	}
	return x
}

// next returns the state after the byte c. In quotes, the scan searches for the
// closing quote instead.
func (x *syntax) next(s quoteState, c byte) quoteState {
	space := strings.IndexByte(x.spaces, c) >= 0
	switch {
	case s == escaped:
		return inQuotes
	case c == x.newline:
		return recordEnd
	case c == x.delimiter && s != closedCR:
		return fieldStart
	case c == x.quote && (s == fieldStart || s == quoteSeen && x.escape == 0):
		return inQuotes
	case space && s == fieldStart:
		return fieldStart
	case space && (s == quoteSeen || s == closed):
		return closed
	case c == '\r' && (s == quoteSeen || s == closed || s == closedCR):
		return closedCR
	case s == quoteSeen || s == closed || s == closedCR || c == x.quote:
		return broken
	}
	return unquoted
}

// bare returns what a field without quotes stands for.
func (x *syntax) bare(field string) string {
	if x.spaces != "" {
		field = strings.Trim(field, x.spaces)
	}
	for _, null := range x.nulls {
		if field == null {
			return ""
		}
	}
	return field
}

// forHeader is the syntax of the header, in which nothing stands for nothing.
func (x *syntax) forHeader() *syntax {
	if len(x.nulls) == 0 {
		return x
	}
	h := *x
	h.nulls = nil
	return &h
}

// delimiterName is for messages.
func (x *syntax) delimiterName() string {
	switch x.delimiter {
	case ',':
		return "a comma"
	case '\t':
		return "a tab"
	}
	return "the delimiter " + strconv.Quote(string(rune(x.delimiter)))
}
