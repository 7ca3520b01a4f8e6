package csvio

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cartstream/cartstream/transforms/record"
)

// splitter cuts one file version, or one stream.
type splitter struct {
	source *source
	format *format
	schema *schema
	// proto has what all ranges of the file share.
	proto record.Range
	win   *window
	// done are ranges that are jumped over.
	done []record.DoneRange
	// mayGrow tells that the file is not read on where it ends in the middle of something.
	mayGrow bool
	// warned is set when a stray quote of the file was reported.
	warned bool
	// send gets each range.
	send func(record.Range) error

	scan recordScanner
	cut  *cutter
	// line is the line at the window's start while the header is looked for.
	line int64
}

func newSplitter(src *source, f *format, s *schema, proto record.Range) *splitter {
	return &splitter{
		source: src, format: f, schema: s, proto: proto, line: 1,
		scan: recordScanner{syntax: f.syntax, max: f.limits.RecordBytes},
	}
}

// split sends the ranges, or the one that says why there are none.
func (sp *splitter) split(ctx context.Context) error {
	ok, err := sp.header(ctx)
	if err != nil || !ok {
		return err
	}
	if sp.win.keep != nil {
		sp.win.keep.forget()
	}
	sp.cut = newCutter(sp.format.limits, sp.proto, sp.win.off, sp.line, sp.send)
	for {
		if err := sp.cutOn(ctx); err != nil {
			return err
		}
		if len(sp.done) == 0 {
			return sp.cut.finish()
		}
		if last, err := sp.jump(); last || err != nil {
			return err
		}
	}
}

// cutOn cuts what the window gives.
func (sp *splitter) cutOn(ctx context.Context) error {
	for {
		it, size, err := sp.next(ctx)
		if err != nil || size == 0 {
			return err
		}
		if it.kind == strayRecord {
			if err := sp.strayQuote(ctx, it); err != nil {
				return err
			}
		}
		if err := sp.cut.add(size, int64(it.lines), it.kind != blankLine); err != nil {
			return err
		}
	}
}

// leaveOut has the splitter jump over those of the ranges whose end's line is
// known. The window stops before the next of them: not even its first bytes are
// read.
func (sp *splitter) leaveOut(done []record.DoneRange) {
	for _, d := range done {
		if d.NextLine > 0 {
			sp.done = append(sp.done, d)
		}
	}
	sp.stopAtDone()
}

func (sp *splitter) stopAtDone() {
	sp.win.stop = sp.win.size
	if len(sp.done) > 0 {
		sp.win.stop = sp.done[0].Start
	}
}

// jump goes on behind the done range at which the window has stopped, and
// reports whether that is the file's end.
func (sp *splitter) jump() (last bool, err error) {
	d := sp.done[0]
	if sp.cut.cur.End > sp.cut.cur.Start {
		if err := sp.cut.close(); err != nil {
			return false, err
		}
	}
	if sp.cut.cur.Start != d.Start || sp.cut.cur.Index != d.Index {
		return false, fmt.Errorf("%w, though its size and time have not: range %d began at byte %d, now range %d ends at byte %d",
			errSuperseded, d.Index, d.Start, sp.cut.cur.Index-1, sp.cut.cur.Start)
	}
	sp.cut.skip(d)
	sp.win.jump(d.End)
	sp.done = sp.done[1:]
	sp.stopAtDone()
	return d.End == sp.win.size, nil
}

// next takes one item off the window and returns its size, 0 at the end of the
// file. The window's bytes stay valid until the next call.
func (sp *splitter) next(ctx context.Context) (item, int64, error) {
	if err := sp.win.fill(ctx); err != nil {
		return item{}, 0, err
	}
	if sp.win.keep != nil {
		sp.win.keep.begin()
	}
	sp.scan.size = sp.win.size
	if len(sp.win.data) == 0 {
		return item{}, 0, sp.win.brokenError()
	}
	it := sp.scan.next(sp.win.data, sp.win.off)
	if sp.win.broken != nil && !sp.certain(it) {
		return item{}, 0, sp.win.broken
	}
	if it.size < 0 {
		size, err := sp.win.skipLine(ctx, sp.scan.syntax.newline)
		return it, size, err
	}
	sp.win.advance(it.size)
	return it, int64(it.size), nil
}

// certain reports whether the item is what it looks like, whatever would have
// stood where the content breaks off.
func (sp *splitter) certain(it item) bool {
	w := sp.win
	undecided := it.kind == strayRecord && sp.scan.stray.state < broken
	ends := it.kind != largeRecord && !undecided && w.data[it.size-1] == sp.scan.syntax.newline
	return ends || int64(len(w.data)) > w.max
}

// header reads the header, where there is to be one, into proto. It reports
// whether the file goes on: a file without one has no records, and one that is
// wrong, or a file of another kind, fails.
func (sp *splitter) header(ctx context.Context) (bool, error) {
	if err := sp.win.fill(ctx); err != nil {
		return false, err
	}
	if fault := foreignTo(sp.win.data); fault != nil {
		return false, sp.fail(0, fault)
	}
	if sp.format.charset.table == nil && bytes.HasPrefix(sp.win.data, byteOrderMark) {
		sp.win.advance(len(byteOrderMark))
	}
	if err := sp.preamble(ctx); err != nil {
		return false, err
	}
	if !sp.format.dialect.Header {
		return sp.checkHeader(ctx, sp.line, nil)
	}
	for {
		if err := sp.win.fill(ctx); err != nil {
			return false, err
		}
		data := sp.win.data
		it, size, err := sp.next(ctx)
		if err != nil {
			return false, err
		}
		if size == 0 {
			return sp.noHeader()
		}
		line := sp.line
		sp.line += int64(it.lines)
		if it.kind != blankLine {
			return sp.takeHeader(ctx, it, data[:min(int64(len(data)), sp.win.max+1)], line)
		}
	}
}

// noHeader ends a file that holds no header. One that csv.skip_lines has emptied fails.
func (sp *splitter) noHeader() (bool, error) {
	skip := sp.format.dialect.SkipLines
	switch {
	case skip == 0 || sp.line == 1:
		return true, nil
	case sp.mayGrow:
		return false, &unfinishedError{line: sp.line, what: "it ends before its header"}
	}
	return false, sp.fail(1, invalidHeader("", fmt.Sprintf("csv.skip_lines skips %d lines, and after them the file has no header", skip)))
}

func (sp *splitter) takeHeader(ctx context.Context, it item, data []byte, line int64) (bool, error) {
	if sp.mayGrow && it.kind != largeRecord && (sp.scan.open(it) || it.kind != strayRecord && data[it.size-1] != sp.scan.syntax.newline) {
		return false, &unfinishedError{line: line, what: "it ends inside its header"}
	}
	switch {
	case it.kind == largeRecord:
		return false, sp.fail(line, invalidHeader("", "the header is longer than "+itoa(int(sp.format.limits.RecordBytes))+" bytes"))
	case it.kind == strayRecord && sp.scan.stray.state.inside():
		return false, sp.failHeader(line, invalidHeader("", "the header is no CSV: a quoted field is never closed"), data[it.size:])
	case it.kind == strayRecord:
		return false, sp.failHeader(line, invalidHeader("", "the header is no CSV: text follows the closing quote of a field that begins on an earlier line"),
			data[it.size:])
	}
	sp.proto.Header = bytes.Clone(sp.scan.syntax.trimLineEnd(data[:it.size]))
	return sp.checkHeader(ctx, line, data[it.size:])
}

// checkHeader fails the file when its columns don't fit T. rest are bytes that follow
// the header.
func (sp *splitter) checkHeader(ctx context.Context, line int64, rest []byte) (bool, error) {
	h, fault := sp.format.headerOf(sp.proto.Header, sp.schema)
	if fault != nil {
		return false, sp.failHeader(line, fault, rest)
	}
	sp.scan.width = h.width
	if sp.format.dialect.Header {
		sp.warnOfColumns(ctx, h)
	}
	return true, nil
}

// warnOfColumns logs which columns of the file are not loaded.
func (sp *splitter) warnOfColumns(ctx context.Context, h *header) {
	named := slices.DeleteFunc(slices.Clone(h.unknown), func(name string) bool { return name == "" })
	log := slog.With("file", sp.source.version.Path)
	if len(named) > 0 {
		log.WarnContext(ctx, "Columns that are not known are left out", "columns", quoteList(named))
	}
	if n := len(h.unknown) - len(named); n > 0 {
		log.WarnContext(ctx, "Columns without a name in the header are left out", "columns", n)
	}
}

// failHeader fails the file, and names the line that is the header, if one is.
func (sp *splitter) failHeader(line int64, fault *record.Fault, rest []byte) error {
	if n := sp.format.headerAmong(rest, sp.schema); n > 0 {
		at := sp.line + int64(n) - 1
		fault.Message += fmt.Sprintf("; line %d has the required columns: if it is the header, set csv.skip_lines to %d", at, at-1)
	}
	return sp.fail(line, fault)
}

// fail sends the one range of a file that can't be read as a whole.
func (sp *splitter) fail(line int64, fault *record.Fault) error {
	r := sp.proto
	r.Failure, r.FailureLine, r.Last = fault, line, true
	r.FirstLine = line
	return sp.send(r)
}
