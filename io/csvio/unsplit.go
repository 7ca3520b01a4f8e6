package csvio

import (
	"context"
	"errors"
	"fmt"

	"github.com/cartstream/cartstream/transforms/record"
)

// readUnsplit reads a file in sequence and cuts it into ranges by the rules by
// which Split cuts others. It holds one range in memory, as reading a range of
// a split file does.
func (fn *readFn[T]) readUnsplit(ctx context.Context, src *source, whole record.Range, emit func(*record.Record[T])) error {
	f, err := fn.formats.of(whole.Fingerprint)
	if err != nil {
		return settleRead(ctx, src.ctl, &whole, err, emit)
	}
	release := func() {}
	defer func() { release() }()
	// Between two ranges others have their turn.
	next := func() (err error) {
		release()
		release, err = reserve(ctx, src.ctl, f.limits.RangeBytes)
		return err
	}
	if err := next(); err != nil {
		return unlessDraining(err)
	}
	proto := record.Range{File: whole.File, Fingerprint: whole.Fingerprint, FirstLine: 1, Unsplit: true, Era: whole.Era}
	in := newStream(src, f.dialect, fn.MaxExpansion)
	defer in.close()
	sp := newSplitter(src, f, fn.schema, proto)
	sp.win = newWindow(in, unknownSize, f.limits.RecordBytes, fn.chunk, fn.buf)
	sp.win.keep = newKeeper(f.limits)
	var told int64 // of the file's bytes, by the ranges that were handed on
	sp.send = func(r record.Range) (err error) {
		if r.Share = in.taken() - told; r.Last {
			r.Share = whole.File.Size - told
		}
		if r.Last && r.Failure == nil {
			err = in.readRest(ctx)
		}
		if err != nil {
			return err
		}
		r.Hash, r.HashedBytes = in.file.hash.Sum(), in.file.off
		if !isDone(whole.Done, &r) {
			told += r.Share
		}
		if err := fn.sendCut(ctx, sp, &r, whole.Done, emit); err != nil || r.Last {
			return err
		}
		return next()
	}
	err = src.readAt(ctx, nil, 0) // an empty file is opened too
	if err == nil {
		err = sp.win.fill(ctx)
	}
	sp.mayGrow = whole.MayGrow && in.compression == "" // an archive has an end of its own
	switch {
	case err != nil:
	case sp.mayGrow && f.dialect.utf16() && whole.File.Size%2 == 1:
		err = &unfinishedError{what: "it ends inside a character"}
	default:
		err = sp.split(ctx)
	}
	fn.buf = sp.win.buf
	rest := sp.rest()
	rest.Share = whole.File.Size - told
	return settleRead(ctx, src.ctl, &rest, sp.explain(err, whole.MayGrow), emit)
}

// explain adds to the error of an archive what becomes of its file. One that is cut off
// may still be written.
func (sp *splitter) explain(err error, mayGrow bool) error {
	broken := (*contentError)(nil)
	switch {
	case !errors.As(err, &broken):
	case broken.cutOff && mayGrow:
		return &unfinishedError{what: "its archive has no end"}
	case broken.fault.Code == record.CodeCorruptArchive:
		broken.fault.Message += "; " + sp.consequence()
	case broken.fault.Code == record.CodeTooLargeArchive:
		broken.fault.Message += fmt.Sprintf("; what comes after its first %d records was not read", sp.recordsBefore())
	}
	return err
}

// sendCut emits the records and the end of a range that was cut from a stream,
// unless it is done.
func (fn *readFn[T]) sendCut(ctx context.Context, sp *splitter, r *record.Range, done []record.DoneRange, emit func(*record.Record[T])) error {
	if err := stillWanted(ctx, sp.source); err != nil {
		return err
	}
	if err := sp.source.checkClosed(r); err != nil {
		return err
	}
	if r.Failure != nil {
		emit(failureMarker[T](r))
		return nil
	}
	data := sp.win.keep.take()
	if isDone(done, r) {
		return nil
	}
	return fn.readRange(ctx, sp.source, r, func(rr *rangeReader[T]) error {
		rr.use(data)
		return nil
	}, emit)
}

// consequence says what becomes of a file that can't be read beyond where the
// splitter stands.
func (sp *splitter) consequence() string {
	if sp.recordsBefore() == 0 {
		return "nothing of it is loaded: write the file anew"
	}
	return fmt.Sprintf("the %d records before that are loaded, and may be damaged too, because a checksum comes after what it is about: "+
		"write the file anew, and rows that are stored are not stored twice", sp.recordsBefore())
}

// recordsBefore is how many records the ranges have that were handed on.
func (sp *splitter) recordsBefore() int64 {
	if sp.cut == nil {
		return 0
	}
	return sp.cut.before
}

// rest is the empty range at which the splitter stands: what a marker after
// the ranges before it bears.
func (sp *splitter) rest() record.Range {
	r := sp.proto
	if sp.cut != nil {
		r = sp.cut.cur
		r.Start, r.FirstLine, r.Records, r.Lines = r.End, sp.cut.line, 0, 0
	}
	return r
}
