package csvio

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Split cuts file versions (record.Work) into ranges of whole records
// (record.Range), without the ranges that are done, which are not read either.
// The same file and fingerprint always give the same ranges, and a version that
// was begun with a fingerprint is split by that one.
//
// A header that does not fit T, a file that can't be read after a few tries,
// one that is no longer the version that was listed, and one that a process has open for
// writing or that may grow (record.Work.MayGrow) and ends in the middle of something come
// as one range that says so in Failure (the latter three after others when it happens in
// the middle). No file gives a further range when the run drains.
//
// A file that has to be read in sequence, because it is compressed or UTF-16,
// comes as one range (Unsplit), which Read cuts.
//
// T must have been given to Register; Split panics when its csv tags are wrong
// and when the dialect does not fit it.
func Split[T any](s beam.Scope, work beam.PCollection, opts ...Option) beam.PCollection {
	s = s.Scope("csvio.Split")
	o := newOptions(opts)
	fn := &splitFn[T]{Run: o.run, Fingerprint: mustFingerprint(o, mustSchema[T]())}
	return beam.ParDo(s, fn, work)
}

type splitFn[T any] struct {
	Run string
	// Fingerprint holds the limits and the dialect too.
	Fingerprint string

	open    opener
	chunk   int64
	formats formats
	// buf is kept from file to file.
	buf []byte
}

func (fn *splitFn[T]) Setup() { fn.open, fn.chunk = openLocal, windowChunk }

func (fn *splitFn[T]) ProcessElement(ctx context.Context, w record.Work, emit func(record.Range)) error {
	fingerprint := cmp.Or(w.Fingerprint, fn.Fingerprint)
	f, err := fn.formats.of(fingerprint)
	if err != nil {
		fault := record.Fault{Code: record.CodeUnreadable, Message: "cannot reproduce its recorded split: " + err.Error()}
		emit(record.Range{File: w.File, Fingerprint: fingerprint, Era: w.Era, Failure: &fault})
		return nil
	}
	src := &source{version: w.File, open: fn.open, ctl: runctl.Of(fn.Run)}
	defer src.close()
	if len(w.Done) == 0 && src.openOnce() == nil { // an error is left to the tries of readAt
		src.adopt()
	}
	sp := newSplitter(src, f, mustSchema[T](), record.Range{File: src.version, Fingerprint: fingerprint, Era: w.Era})
	sp.win = newWindow(src, w.File.Size, f.limits.RecordBytes, fn.chunk, fn.buf)
	sp.leaveOut(w.Done)
	sp.mayGrow = w.MayGrow
	sp.send = func(r record.Range) error { return sendUnlessDone(ctx, src, r, w.Done, emit) }
	err = src.readAt(ctx, nil, 0) // an empty file is opened too
	if err == nil {
		err = splitOrPass(ctx, sp, w.Done, emit)
	}
	fn.buf = sp.win.buf
	return settleSplit(ctx, sp, err, emit)
}

// splitOrPass cuts the file, or passes it on as a whole when it has to be read
// in sequence.
func splitOrPass(ctx context.Context, sp *splitter, done []record.DoneRange, emit func(record.Range)) error {
	if err := sp.win.fill(ctx); err != nil {
		return err
	}
	if !sp.format.dialect.utf16() && compressionOf(sp.win.data) == "" {
		return sp.split(ctx)
	}
	err := stillWanted(ctx, sp.source)
	if err == nil {
		r := sp.proto
		r.FirstLine, r.Last, r.Unsplit, r.Done, r.MayGrow = 1, true, true, done, sp.mayGrow
		emit(r)
	}
	return err
}

// sendUnlessDone emits a range, unless it is done, if the file still is what it
// was.
func sendUnlessDone(ctx context.Context, src *source, r record.Range, done []record.DoneRange, emit func(record.Range)) error {
	if err := stillWanted(ctx, src); err != nil {
		return err
	}
	if r.Failure != nil { // Read checks the others
		if err := src.checkClosed(&r); err != nil {
			return err
		}
	}
	if r.Failure != nil || !isDone(done, &r) {
		emit(r)
	}
	return nil
}

func isDone(done []record.DoneRange, r *record.Range) bool {
	_, found := slices.BinarySearchFunc(done, r.Start, func(d record.DoneRange, start int64) int { return cmp.Compare(d.Start, start) })
	return found
}

// stillWanted returns why no more of the file is to be read: the run ends, or
// the file is another version.
func stillWanted(ctx context.Context, src *source) error {
	if err := stopError(ctx, src.ctl); err != nil {
		return err
	}
	return src.check()
}

// settleSplit decides what becomes of a split that ended with err: only the
// end of the run is an error.
func settleSplit(ctx context.Context, sp *splitter, err error, emit func(record.Range)) error {
	if err == nil || errors.Is(err, errDraining) {
		return nil
	}
	if stop := stopError(ctx, sp.source.ctl); stop != nil {
		return unlessDraining(stop)
	}
	r := sp.proto
	r.Failure = &record.Fault{Code: record.CodeUnreadable, Message: err.Error()}
	unfinishedFailure(&r, err)
	if errors.Is(err, errSuperseded) {
		slog.WarnContext(ctx, "File is left: it has changed since it was listed", "file", sp.source.version.Path, "error", err)
		r.Failure.Code = record.CodeSuperseded
	}
	emit(r)
	return nil
}
