package csvio

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Read turns ranges (record.Range, from Split) into records
// (*record.Record[T]): for each range its values and faults in the order of
// the file, then the marker record.KindRangeEnd.
//
// A range is skipped when the run drains before it is begun. Instead of the
// end there is record.KindSuperseded when the file is no longer the version
// that was listed, and record.KindUnreadable when it can't be read
// after a few tries: the records before those are void. A range with a
// Failure becomes the marker record.KindFileFailed, KindUnreadable or KindSuperseded.
//
// An unsplit file is cut into ranges here, each with its end before the next
// begins; those that are done are left out. Where a compressed file is damaged,
// the ranges before are complete and record.KindFileFailed follows them. The
// offsets of such a file are those of its content: decompressed, and as UTF-8
// where it is UTF-16.
//
// A range is read whole, when the run has room for it (runctl.Memory bytes for
// all instances, as long as the records are handed on); the strings and raw bytes of its records share one
// buffer, which lives as long as any of them.
func Read[T any](s beam.Scope, ranges beam.PCollection, opts ...Option) beam.PCollection {
	s = s.Scope("csvio.Read")
	mustSchema[T]()
	o := newOptions(opts)
	return beam.ParDo(s, &readFn[T]{Run: o.run, MaxExpansion: o.maxExpansion}, ranges)
}

type readFn[T any] struct {
	Run          string
	MaxExpansion int

	open    opener
	chunk   int64
	now     func() time.Time
	schema  *schema
	formats formats
	// What the latest range was read by: its file's other ranges share it.
	format     *format
	headerText []byte
	header     *header
	fields     []string
	// buf is kept from stream to stream.
	buf []byte
}

func (fn *readFn[T]) Setup() {
	fn.open, fn.chunk, fn.now = openLocal, windowChunk, time.Now
	fn.schema = mustSchema[T]()
}

func (fn *readFn[T]) ProcessElement(ctx context.Context, rng record.Range, emit func(*record.Record[T])) error {
	ctl := runctl.Of(fn.Run)
	if err := stopError(ctx, ctl); err != nil {
		return unlessDraining(err)
	}
	if rng.Failure != nil {
		emit(failureMarker[T](&rng))
		return nil
	}
	src := &source{version: rng.File, open: fn.open, ctl: ctl}
	defer src.close()
	if rng.Unsplit {
		return fn.readUnsplit(ctx, src, rng, emit)
	}
	release, err := reserve(ctx, ctl, rng.End-rng.Start)
	if err != nil {
		return unlessDraining(err)
	}
	defer release()
	err = fn.readRange(ctx, src, &rng, func(r *rangeReader[T]) error { return r.load(ctx, src) }, emit)
	return settleRead(ctx, ctl, &rng, err, emit)
}

// reserve waits until the run has room for n bytes more of its ranges. With all
// its records emitted a range has passed to who consumes them, and is released.
func reserve(ctx context.Context, ctl *runctl.Control, n int64) (release func(), err error) {
	release, ok := ctl.Reserve(ctx, max(n, 0))
	if !ok {
		return func() {}, stopError(ctx, ctl)
	}
	return release, nil
}

// readRange emits what a range has, once load has given it its bytes.
func (fn *readFn[T]) readRange(ctx context.Context, src *source, rng *record.Range, load func(*rangeReader[T]) error, emit func(*record.Record[T])) error {
	rng.JudgedAt = fn.now().UnixMicro()
	if fault := fn.prepare(rng); fault != nil {
		rng.Failure = fault
		emit(failureMarker[T](rng))
		return nil
	}
	r := &rangeReader[T]{
		rng: rng, format: fn.format, header: fn.header, schema: fn.schema, fields: fn.fields[:0],
		emit: emit, stopped: func() error { return unlessDraining(stopError(ctx, src.ctl)) },
	}
	err := load(r)
	if err == nil {
		err = r.read()
	}
	fn.fields = r.fields
	clear(fn.fields[:cap(fn.fields)]) // or they would keep the range's buffer alive
	return err
}

// prepare resolves the range's fingerprint and header, unless they are those of
// the range before it.
func (fn *readFn[T]) prepare(rng *record.Range) *record.Fault {
	f, err := fn.formats.of(rng.Fingerprint + rng.Dialect)
	if err != nil {
		return &record.Fault{Code: record.CodeUnreadable, Message: err.Error()}
	}
	if fn.header != nil && fn.format == f && bytes.Equal(fn.headerText, rng.Header) {
		return nil
	}
	h, fault := f.headerOf(rng.Header, fn.schema)
	if fault != nil {
		return fault
	}
	fn.format, fn.headerText, fn.header = f, rng.Header, h
	return nil
}

// settleRead decides what becomes of a range that ended with err: a marker, or
// nothing when the run drains. Only the end of the run is an error.
func settleRead[T any](ctx context.Context, ctl *runctl.Control, rng *record.Range, err error, emit func(*record.Record[T])) error {
	if err == nil || errors.Is(err, errDraining) {
		return nil
	}
	if stop := unlessDraining(stopError(ctx, ctl)); stop != nil {
		return stop
	}
	var content *contentError
	unfinishedFailure(rng, err)
	switch {
	case rng.Failure != nil:
		emit(failureMarker[T](rng))
		return nil
	case errors.Is(err, errSuperseded):
		emit(marker[T](rng, record.KindSuperseded, nil))
		return nil
	case errors.As(err, &content):
		rng.Failure, rng.FailureLine = &content.fault, rng.FirstLine
		emit(failureMarker[T](rng))
		return nil
	}
	emit(marker[T](rng, record.KindUnreadable, &record.Fault{Code: record.CodeUnreadable, Message: err.Error()}))
	return nil
}

func unlessDraining(err error) error {
	if errors.Is(err, errDraining) {
		return nil
	}
	return err
}

func failureMarker[T any](rng *record.Range) *record.Record[T] {
	kind := record.KindFileFailed
	switch rng.Failure.Code {
	case record.CodeUnreadable, record.CodeUnfinished:
		kind = record.KindUnreadable
	case record.CodeSuperseded:
		kind = record.KindSuperseded
	}
	return marker[T](rng, kind, rng.Failure)
}

// marker returns a record that is no data. It stands at the line of the
// failure, or at the range's first.
func marker[T any](rng *record.Range, kind record.Kind, fault *record.Fault) *record.Record[T] {
	line := rng.FirstLine
	if rng.Failure != nil {
		line = rng.FailureLine
	}
	return &record.Record[T]{Kind: kind, Source: record.Source{Range: rng, Line: line, Offset: rng.Start}, Fault: fault}
}
