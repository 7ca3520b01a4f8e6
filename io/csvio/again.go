package csvio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// NotReadError says why a version of a file can't be read again, or not to its
// end: it is gone, or changed, or was begun by another program.
type NotReadError struct{ Reason string }

func (e *NotReadError) Error() string { return e.Reason }

// ReadAgain gives each the records of a file version and the end of each of its
// ranges, in order, as Split and Read do for a pipeline that goes by the
// fingerprint. JudgedAt of the ranges is now.
//
// The error is a *NotReadError when the version is not there any more or can't
// be read, a *record.Fault when it can't be read as a whole, else that of each
// or of ctx. What came before it holds, but for the records of a range whose
// end did not come.
func ReadAgain[T any](ctx context.Context, file record.File, fingerprint string, each func(*record.Record[T]) error) error {
	run := uuid.NewString()
	defer runctl.Forget(run)
	if err := readable[T](file, fingerprint); err != nil {
		return err
	}
	split, read := &splitFn[T]{Run: run, Fingerprint: fingerprint}, &readFn[T]{Run: run}
	split.Setup()
	read.Setup()
	var end error
	stop := func(err error) {
		if end == nil && err != nil {
			end = err
			runctl.Of(run).Fail(err)
		}
	}
	err := split.ProcessElement(ctx, record.Work{File: file}, func(rng record.Range) {
		if end == nil {
			stop(read.ProcessElement(ctx, rng, func(r *record.Record[T]) {
				if end == nil {
					stop(give(r, each))
				}
			}))
		}
	})
	if end != nil {
		return end
	}
	return err
}

// give hands on what belongs to a range, and turns the other markers into
// errors.
func give[T any](r *record.Record[T], each func(*record.Record[T]) error) error {
	switch r.Kind {
	case record.KindFileFailed:
		return r.Fault
	case record.KindSuperseded:
		return &NotReadError{"it has changed while it was read"}
	case record.KindUnreadable:
		return &NotReadError{r.Fault.Message}
	}
	return each(r)
}

// readable tells whether the version is there and this program can read it as
// it was read. What is gone is not waited for.
func readable[T any](file record.File, fingerprint string) error {
	if _, err := parseFingerprint(fingerprint); err != nil {
		return &NotReadError{err.Error()}
	}
	if !strings.Contains(fingerprint+";", ";schema="+mustSchema[T]().hash()+";") {
		return &NotReadError{"it is of another program, whose records have other columns"}
	}
	src := &source{version: file, open: openLocal}
	defer src.close()
	switch err := src.tryRead(nil, 0); {
	case errors.Is(err, fs.ErrNotExist):
		return &NotReadError{"it is no longer there"}
	case err != nil:
		return &NotReadError{fmt.Sprint(err)}
	}
	return nil
}
