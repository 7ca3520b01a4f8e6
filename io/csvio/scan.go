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
	// strayRecord is the first line of a record that spans several lines and is
	// malformed, for example because its quote is stray.
	strayRecord
	// largeRecord is a line that is longer than the bound.
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

// recordScanner finds where records end. The parser takes
// the records apart.
//
// A record that spans several lines and is malformed is its first line only,
// and the scan resumes on the next line. That takes linear time, although lines are
// scanned again. Scan a line twice, from inside and from outside quotes: until one
// scan finds the line malformed, each quote opens a field for one and closes it for
// the other. So a line that is in quotes at both ends is not when it begins
// a record: that record ends with the line. Only the last line that a malformed record
// reached can begin another one of several lines, so each byte is scanned twice at most.
type recordScanner struct {
	syntax *syntax
	// max bounds a record: its newline, or the end of the file, is at
	// most so many bytes after its start.
	max int64
	// size is the file's, or more while the end of a stream is not in sight.
	size int64
	// width is the number of fields of a record, 0 while it is not known.
	width int
	// stray is about the latest strayRecord.
	stray strayEnd
	// scanned counts the bytes that scanQuotes was given.
	scanned int64
}

// strayEnd is where the scan of a malformed record of several lines ended.
type strayEnd struct {
	offset int64
	state  quoteState
	// lines is how many lines the scan went on after the first.
	lines int
}

// next returns the item that b begins with, at offset off of the file. b must
// hold more than max bytes, or reach to the end of the file or of a range.
//
// A reader of a range finds the records that the splitter found. A range ends with
// a record, so a record that is still in quotes there is malformed.
func (s *recordScanner) next(b []byte, off int64) item {
	nl := bytes.IndexByte(b, s.syntax.newline)
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
	case len(line) == 0 || line[0] == s.syntax.comment || line[0] == '\r' && len(s.syntax.trimLineEnd(line)) == 0:
		return item{kind: blankLine, size: size, lines: 1}
	case bytes.IndexByte(line, s.syntax.quote) < 0:
		return item{kind: plainRecord, size: size, lines: 1}
	}
	return s.quoted(b[:min(int64(len(b)), s.max+1)], size, off)
}

// quoted finds the end of a record whose first line, of size bytes, holds a
// quote. b ends at the bound.
func (s *recordScanner) quoted(b []byte, size int, off int64) item {
	i, state, delimiters := s.scan(b[:size], 0, fieldStart)
	if !state.inside() {
		return item{kind: quotedRecord, size: size, lines: 1}
	}
	end, state, more := s.scan(b, i, state)
	atEnd := !state.inside() && state != broken && int64(len(b)) <= s.max
	if (state == recordEnd || atEnd) && (s.width == 0 || delimiters+more == s.width-1) {
		return item{kind: quotedRecord, size: end, lines: s.countLines(b[:end])}
	}
	s.stray = strayEnd{offset: off + int64(end), state: state, lines: s.countLines(b[size:end])}
	return item{kind: strayRecord, size: size, lines: 1}
}

func (s *recordScanner) scan(b []byte, i int, state quoteState) (int, quoteState, int) {
	end, state, delimiters := s.syntax.scanQuotes(b, i, state)
	s.scanned += int64(end - i)
	return end, state, delimiters
}

// open reports whether the item that next returned last is in quotes at the end
// of the file.
func (s *recordScanner) open(it item) bool {
	return it.kind == strayRecord && s.stray.state.inside() && s.stray.offset == s.size
}

func (s *recordScanner) countLines(b []byte) int {
	n := bytes.Count(b, []byte{s.syntax.newline})
	if len(b) > 0 && b[len(b)-1] != s.syntax.newline {
		n++
	}
	return n
}

// quoteState is where in a record a scan stands.
type quoteState uint8

const (
	fieldStart quoteState = iota
	// unquoted is inside a field that began without a quote.
	unquoted
	inQuotes
	// escaped is after an escape inside quotes.
	escaped
	// quoteSeen is after a quote inside quotes: the closing one, or the first
	// of two.
	quoteSeen
	// closed is after a closing quote and white space that is trimmed.
	closed
	// closedCR is after a closing quote and carriage returns.
	closedCR
	// broken is after text that follows a closing quote, or a quote inside a field
	// that does not begin with one: the record is malformed.
	broken
	recordEnd
	quoteStates
)

// inside reports whether a newline would be part of a field.
func (s quoteState) inside() bool { return s == inQuotes || s == escaped }

// scanQuotes continues from b[i] in the state given, to the end of the record
// (the position after its newline, recordEnd), to what makes it malformed, or to the
// end of b. It counts the delimiters between fields.
func (x *syntax) scanQuotes(b []byte, i int, state quoteState) (end int, after quoteState, delimiters int) {
	for i < len(b) && state < broken {
		switch state {
		case inQuotes:
			var q int
			if x.escape == 0 {
				q = bytes.IndexByte(b[i:], x.quote)
			} else {
				q = bytes.IndexAny(b[i:], x.special)
			}
			if q < 0 {
				return len(b), inQuotes, delimiters
			}
			i += q
			if state = quoteSeen; b[i] != x.quote {
				state = escaped
			}
		case unquoted:
			end := x.unquotedEnd(b[i:])
			if end < 0 {
				return len(b), unquoted, delimiters
			}
			i += end
			state = x.after[unquoted][b[i]]
		default:
			state = x.after[state][b[i]]
		}
		if state == fieldStart && b[i] == x.delimiter {
			delimiters++
		}
		i++
	}
	return i, state, delimiters
}

// unquotedEnd returns the place of the first delimiter, newline or quote, -1 if
// there is none.
func (x *syntax) unquotedEnd(b []byte) int {
	end := bytes.IndexByte(b, x.delimiter)
	field := b
	if end >= 0 {
		field = b[:end]
	}
	if nl := bytes.IndexByte(field, x.newline); nl >= 0 {
		field, end = field[:nl], nl
	}
	if q := bytes.IndexByte(field, x.quote); q >= 0 {
		return q
	}
	return end
}
