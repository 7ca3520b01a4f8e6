package postgresio

import (
	"io"
	"regexp"
	"strconv"
	"strings"
)

// copyHeader begins a binary COPY: signature, no flags, no extension; copyEnd
// ends it (PostgreSQL manual, COPY, "Binary Format").
const (
	copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd    = "\xff\xff"
)

// copyReader gives rows as a binary COPY without putting them together first.
type copyReader struct {
	rows []*row
	rest []byte // of what is being given
	done bool
}

func newCopyReader(rows []*row) *copyReader {
	return &copyReader{rows: rows, rest: []byte(copyHeader)}
}

// Read implements io.Reader.
func (c *copyReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(c.rest) == 0 && !c.next() {
			return n, io.EOF
		}
		m := copy(p[n:], c.rest)
		c.rest = c.rest[m:]
		n += m
	}
	return n, nil
}

func (c *copyReader) next() bool {
	switch {
	case len(c.rows) > 0:
		c.rest, c.rows = c.rows[0].tuple(), c.rows[1:]
	case !c.done:
		c.rest, c.done = []byte(copyEnd), true
	default:
		return false
	}
	return true
}

// copyLine finds in the context of an error at which line COPY was, from 1; 0 if the
// context does not say. It is the outermost context, `COPY user_events, line 3, column
// price` in English; in each of PostgreSQL's languages the line is the first number
// behind the table's name.
func copyLine(where, relation string) (line int) {
	outermost := where[strings.LastIndexByte(where, '\n')+1:]
	if _, after, ok := strings.Cut(outermost, relation); ok {
		line, _ = strconv.Atoi(firstNumber.FindString(after))
	}
	return line
}

var firstNumber = regexp.MustCompile(`\d+`)
