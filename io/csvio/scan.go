package csvio

import "bytes"

// lineKind tells what the scan found at a position.
type lineKind uint8

const (
	// blankLine is a line of nothing, or a comment; it is no record.
	blankLine lineKind = iota
	// plainRecord is one line without a quote in it.
	plainRecord
	// quotedRecord holds a quote and may hold newlines.
	quotedRecord
	// openRecord is the line of a record that is still inside quotes at the
	// end of the file.
	openRecord
	// largeRecord is the line of a record that is longer than the bound.
	largeRecord
)

// item is one record, or one blank line.
type item struct {
	kind lineKind
	// size is in bytes with the line end. It is -1 for a largeRecord, or a
	// comment, whose newline the buffer does not hold.
	size int
	// lines counts the newlines, and a last line that has none.
	lines int
}

// recordScanner finds where records end. It looks at quotes and newlines only;
// what is between them is the parser's business.
type recordScanner struct {
	syntax *syntax
	// max is the bound of a record: its newline, or the end of the file, is at
	// most so many bytes after its start.
	max int64
	// size is the file's, or more while the end of a stream is not in sight.
	size int64
	// stopped and state are where a scan ended that found no end of its
	// record. Every line end that it passed lay inside quotes, so a record of a
	// later line that comes to one of them in quotes is at stopped in the same
	// state. Without that, a file of unclosed quotes takes quadratic time.
	stopped int64
	state   quoteState
}

// next returns the item that b begins with, at offset off of the file. b must
// hold more than max bytes, or reach to the end of the file or of a range:
// what a reader of the range sees is what the splitter saw, because
// a range ends with a record.
func (s *recordScanner) next(b []byte, off int64) item {
	nl := bytes.IndexByte(b, '\n')
	line, size := b, len(b)
	if nl >= 0 {
		line, size = b[:nl], nl+1
	}
	switch {
	case int64(len(line)) > s.max:
		if nl < 0 && off+int64(size) < s.size {
			size = -1
		}
		if line[0] == s.syntax.comment {
			return item{kind: blankLine, size: size, lines: 1}
		}
		return item{kind: largeRecord, size: size, lines: 1}
	case len(line) == 0 || len(line) == 1 && line[0] == '\r' || line[0] == s.syntax.comment:
		return item{kind: blankLine, size: size, lines: 1}
	case bytes.IndexByte(line, s.syntax.quote) < 0:
		return item{kind: plainRecord, size: size, lines: 1}
	}
	return s.quoted(b[:min(int64(len(b)), s.max+1)], size, off)
}

// quoted finds the end of a record whose first line, of size bytes, holds a
// quote. b ends at the bound.
func (s *recordScanner) quoted(b []byte, size int, off int64) item {
	i, state := s.syntax.scanQuotes(b[:size], 0, fieldStart)
	if state == recordEnd {
		return item{kind: quotedRecord, size: size, lines: 1}
	}
	if s.stopped > off+int64(i) {
		i, state = int(s.stopped-off), s.state
	}
	i, state = s.syntax.scanQuotes(b, i, state)
	atEnd := off+int64(len(b)) == s.size && int64(len(b)) <= s.max
	if state == recordEnd || atEnd && state != inQuotes {
		return item{kind: quotedRecord, size: i, lines: countLines(b[:i])}
	}
	s.stopped, s.state = off+int64(i), state
	if s.size-off > s.max {
		return item{kind: largeRecord, size: size, lines: 1}
	}
	return item{kind: openRecord, size: size, lines: 1}
}

func countLines(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	if b[len(b)-1] != '\n' {
		n++
	}
	return n
}

// quoteState is where in a record a scan stands.
type quoteState uint8

const (
	fieldStart quoteState = iota
	// unquoted is inside a field that began without a quote; quotes are
	// ordinary bytes there.
	unquoted
	inQuotes
	// quoteSeen is after a quote inside quotes: the closing one, or the first
	// of two.
	quoteSeen
	// closed is after a closing quote and white space that is trimmed.
	closed
	// closedCR is after a closing quote and a carriage return.
	closedCR
	// broken is after a closing quote and something that may not follow it:
	// the record ends at the next newline, whatever stands before that.
	broken
	recordEnd
	quoteStates
)

// scanQuotes goes on from b[i] in the state given, to the end of the record
// (the position after its newline, recordEnd) or of b.
func (x *syntax) scanQuotes(b []byte, i int, state quoteState) (int, quoteState) {
	for i < len(b) && state != recordEnd {
		switch state {
		case inQuotes:
			q := bytes.IndexByte(b[i:], x.quote)
			if q < 0 {
				return len(b), inQuotes
			}
			i += q
			state = quoteSeen
		case broken:
			nl := bytes.IndexByte(b[i:], '\n')
			if nl < 0 {
				return len(b), broken
			}
			i += nl
			state = recordEnd
		case unquoted:
			end := x.unquotedEnd(b[i:])
			if end < 0 {
				return len(b), unquoted
			}
			i += end
			state = x.after[unquoted][b[i]]
		default:
			state = x.after[state][b[i]]
		}
		i++
	}
	return i, state
}

// unquotedEnd is where the first delimiter or newline stands, -1 where there is
// none.
func (x *syntax) unquotedEnd(b []byte) int {
	end := bytes.IndexByte(b, x.delimiter)
	field := b
	if end >= 0 {
		field = b[:end]
	}
	if nl := bytes.IndexByte(field, '\n'); nl >= 0 {
		return nl
	}
	return end
}
