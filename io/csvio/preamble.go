package csvio

import (
	"bytes"
	"context"
)

// preamble takes over what the first bytes of the file say of its dialect, and skips the
// lines before the header or the first record: a sep= line, and csv.skip_lines.
func (sp *splitter) preamble(ctx context.Context) error {
	if err := sp.win.fill(ctx); err != nil {
		return err
	}
	// What is found must not depend on how much of the file the window holds.
	start := sp.win.data[:min(int64(len(sp.win.data)), sp.win.max+1)]
	found := sp.format.dialect
	found.cr = found.cr || found.endsLinesWithCR(start, sp.win.off+int64(len(start)) == sp.win.size)
	skip := found.SkipLines
	if delimiter, ok := found.separatorLine(start); ok {
		found.Delimiter, skip = delimiter, max(skip, 1)
	}
	if sp.proto.Dialect = found.unlike(sp.format.dialect); sp.proto.Dialect != "" {
		sp.format = newFormat(sp.format.limits, found)
		sp.scan.syntax = sp.format.syntax
	}
	for ; skip > 0; skip-- {
		if err := sp.win.fill(ctx); err != nil {
			return err
		}
		if len(sp.win.data) == 0 {
			return sp.win.brokenError()
		}
		if sp.mayGrow && int64(len(sp.win.data)) <= sp.win.max && bytes.IndexByte(sp.win.data, sp.scan.syntax.newline) < 0 {
			return &unfinishedError{line: sp.line, what: "it ends inside its header"}
		}
		if _, err := sp.win.skipLine(ctx, sp.scan.syntax.newline); err != nil {
			return err
		}
		sp.line++
	}
	return nil
}

// endsLinesWithCR reports whether a file that begins with start has CR outside quotes and
// no LF there. whole is set if start is the whole file: a CR at its end is no sign.
// A file without a header is not asked, because its first range may be committed, and
// is not read again then.
func (d Dialect) endsLinesWithCR(start []byte, whole bool) bool {
	if !d.Header {
		return false
	}
	cr, quoted := false, false
	for i, c := range start {
		switch {
		case c == d.Quote && d.Quote != 0:
			quoted = !quoted
		case quoted:
		case c == '\n':
			return false
		case c == '\r' && (i < len(start)-1 || !whole):
			cr = true
		}
	}
	return cr
}

// separatorLine returns the delimiter of a first line such as sep=; which Excel
// writes and reads. The line may be quoted.
func (d Dialect) separatorLine(start []byte) (delimiter byte, ok bool) {
	if !d.Header && len(d.Columns) == 1 { // it may be a record
		return 0, false
	}
	end := bytes.IndexAny(start, "\r\n")
	if end < 0 {
		return 0, false
	}
	line := start[:end]
	if n := len(line); n > 1 && line[0] == '"' && line[n-1] == '"' {
		line = line[1 : n-1]
	}
	if len(line) != len("sep=;") || !bytes.EqualFold(line[:4], []byte("sep=")) {
		return 0, false
	}
	d.Delimiter = line[4]
	return d.Delimiter, d.checkChars() == nil
}

// headerAmong returns which of the lines that rest begins with would do as the header,
// from 1, and 0 if none of the first 100 does.
func (f *format) headerAmong(rest []byte, s *schema) int {
	for n := 1; n <= 100 && len(rest) > 0; n++ {
		line := rest
		if end := bytes.IndexByte(rest, f.syntax.newline); end >= 0 {
			line, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		line = f.syntax.trimLineEnd(line)
		if _, fault := f.headerOf(line, s); len(line) > 0 && fault == nil {
			return n
		}
	}
	return 0
}
