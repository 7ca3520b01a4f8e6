package postgresio

import (
	"io"
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

// copyPosition finds what COPY was at in an error's context: the line, from 1
// (0: the context does not say), and the column. In English it reads
// `COPY user_events, line 3, column price`; the words may be in any language.
func copyPosition(where, relation string) (line int, column string) {
	for text := range strings.SplitSeq(where, "\n") {
		rest, ok := strings.CutPrefix(text, "COPY "+relation+", ")
		if !ok {
			continue
		}
		place, after, _ := strings.Cut(rest, ", ")
		line, _ = strconv.Atoi(place[strings.LastIndexByte(place, ' ')+1:])
		if _, name, ok := strings.Cut(after, " "); ok {
			column, _, _ = strings.Cut(name, ":")
		}
		return line, column
	}
	return 0, ""
}
