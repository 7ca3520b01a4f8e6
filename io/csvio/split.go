package csvio

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Split cuts file versions (record.Work) into ranges of whole records
// (record.Range), without the ranges that are done. The same file and
// fingerprint always give the same ranges, and a version that was begun with a
// fingerprint is split by that one.
//
// A header that does not fit T, and a file that can't be read after a few
// tries, come as one range that says so in Failure (the latter after others
// when reading stops in the middle). A file that is no longer the version that
// was listed gives no further range, and no file does when the run drains. T must have been given to
// Register; Split panics when its csv tags are wrong.
func Split[T any](s beam.Scope, work beam.PCollection, opts ...Option) beam.PCollection {
	s = s.Scope("csvio.Split")
	o := newOptions(opts)
	fn := &splitFn[T]{Run: o.run, Limits: o.limits, Fingerprint: o.limits.fingerprint(mustSchema[T]())}
	return beam.ParDo(s, fn, work)
}

type splitFn[T any] struct {
	Run         string
	Limits      limits
	Fingerprint string

	open  opener
	chunk int64
	// buf is kept from file to file.
	buf []byte
}

func (fn *splitFn[T]) Setup() { fn.open, fn.chunk = openLocal, windowChunk }

func (fn *splitFn[T]) ProcessElement(ctx context.Context, w record.Work, emit func(record.Range)) error {
	l, fingerprint := fn.Limits, fn.Fingerprint
	if w.Fingerprint != "" {
		var err error
		if l, err = parseFingerprint(w.Fingerprint); err != nil {
			slog.ErrorContext(ctx, "File stays pending: it was begun with a split that this program can't repeat",
				"file", w.File.Path, "error", err)
			return nil
		}
		fingerprint = w.Fingerprint
	}
	ctl := runctl.Of(fn.Run)
	sp := &splitter{
		source: source{version: w.File, open: fn.open, ctl: ctl},
		limits: l, chunk: fn.chunk, schema: mustSchema[T](), done: w.Done, emit: emit,
		proto: record.Range{File: w.File, Fingerprint: fingerprint},
	}
	defer sp.source.close()
	err := sp.split(ctx, fn.buf)
	fn.buf = sp.win.buf
	return sp.settle(ctx, err)
}

// splitter cuts one file version.
type splitter struct {
	source source
	limits limits
	chunk  int64
	schema *schema
	done   []int64
	emit   func(record.Range)
	proto  record.Range

	win  *window
	scan recordScanner
	// line is the line at the window's start while the header is looked for.
	line int64
}

func (sp *splitter) split(ctx context.Context, buf []byte) error {
	sp.win = newWindow(&sp.source, sp.limits.RecordBytes, sp.chunk, buf)
	sp.scan = recordScanner{max: sp.limits.RecordBytes, size: sp.source.version.Size}
	sp.line = 1
	if err := sp.source.readAt(ctx, nil, 0); err != nil { // an empty file is opened too
		return err
	}
	ok, err := sp.header(ctx)
	if err != nil || !ok {
		return err
	}
	cut := newCutter(sp.limits, sp.proto, sp.win.off, sp.line, func(r record.Range) error { return sp.send(ctx, r) })
	for {
		it, size, err := sp.next(ctx)
		if err != nil {
			return err
		}
		if size == 0 {
			return cut.finish()
		}
		if err := cut.add(size, int64(it.lines), it.kind != blankLine); err != nil {
			return err
		}
	}
}

// next takes one item off the window and returns its size, 0 at the end of the
// file. The window's bytes stay valid until the next call.
func (sp *splitter) next(ctx context.Context) (item, int64, error) {
	if err := sp.win.fill(ctx); err != nil {
		return item{}, 0, err
	}
	if len(sp.win.data) == 0 {
		return item{}, 0, nil
	}
	it := sp.scan.next(sp.win.data, sp.win.off)
	if it.size < 0 {
		size, err := sp.win.skipLine(ctx)
		return it, size, err
	}
	sp.win.advance(it.size)
	return it, int64(it.size), nil
}

// header reads the header into proto and reports whether the file goes on: a
// file without one has no records, and one that is wrong fails the file.
func (sp *splitter) header(ctx context.Context) (bool, error) {
	if err := sp.win.fill(ctx); err != nil {
		return false, err
	}
	if bytes.HasPrefix(sp.win.data, byteOrderMark) {
		sp.win.advance(len(byteOrderMark))
	}
	for {
		if err := sp.win.fill(ctx); err != nil {
			return false, err
		}
		data := sp.win.data
		it, size, err := sp.next(ctx)
		if err != nil || size == 0 {
			return err == nil, err
		}
		line := sp.line
		sp.line += int64(it.lines)
		if it.kind != blankLine {
			return sp.takeHeader(ctx, it, data, line)
		}
	}
}

func (sp *splitter) takeHeader(ctx context.Context, it item, data []byte, line int64) (bool, error) {
	switch it.kind {
	case largeRecord:
		return false, sp.fail(ctx, line, invalidHeader("", "the header is longer than "+itoa(int(sp.limits.RecordBytes))+" bytes"))
	case openRecord:
		return false, sp.fail(ctx, line, invalidHeader("", "the header is no CSV: a quoted field is never closed"))
	}
	sp.proto.Header = bytes.Clone(trimLineEnd(data[:it.size]))
	h, fault := newHeader(sp.proto.Header, sp.schema)
	if fault != nil {
		return false, sp.fail(ctx, line, fault)
	}
	if len(h.unknown) > 0 {
		slog.WarnContext(ctx, "Columns that are not known are left out",
			"file", sp.source.version.Path, "columns", quoteList(h.unknown))
	}
	return true, nil
}

// fail emits the one range of a file that can't be read as a whole.
func (sp *splitter) fail(ctx context.Context, line int64, fault *record.Fault) error {
	r := sp.proto
	r.Failure, r.FailureLine, r.Last = fault, line, true
	r.FirstLine = line
	return sp.send(ctx, r)
}

// send emits a range, unless it is done, if the file still is what it was.
func (sp *splitter) send(ctx context.Context, r record.Range) error {
	if err := stopError(ctx, sp.source.ctl); err != nil {
		return err
	}
	if err := sp.source.check(); err != nil {
		return err
	}
	if _, done := slices.BinarySearch(sp.done, r.Start); !done || r.Failure != nil {
		sp.emit(r)
	}
	return nil
}

// settle decides what becomes of a split that ended with err: only the end of
// the run is an error.
func (sp *splitter) settle(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errDraining) {
		return nil
	}
	if stop := stopError(ctx, sp.source.ctl); stop != nil {
		if errors.Is(stop, errDraining) {
			return nil
		}
		return stop
	}
	if errors.Is(err, errSuperseded) {
		slog.WarnContext(ctx, "File is left: it has changed since it was listed", "file", sp.source.version.Path, "error", err)
		return nil
	}
	r := sp.proto
	r.Failure = &record.Fault{Code: record.CodeUnreadable, Message: err.Error()}
	sp.emit(r)
	return nil
}
