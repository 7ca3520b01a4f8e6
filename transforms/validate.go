package transforms

import (
	"bytes"
	"errors"
	"time"
	"unsafe"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/transforms/record"
)

// slabRecords is how many records are allocated at once: a value that the rules
// changed needs a record of its own, and one allocation for each would be most
// of what Validate costs.
const slabRecords = 128

// Rules decide on values of T. An implementation is a struct whose exported
// fields are its settings; they travel to the workers.
//
// Apply returns the value as it is to be stored, or an error: a *record.Fault,
// which may be wrapped, names its own code and column; any other error becomes
// the code invalid_value. now is the time at which the value's range was begun
// (record.Range.JudgedAt), so all records of a range are judged by the same
// clock, and can be judged again as they were.
type Rules[T any] interface {
	Apply(now time.Time, v T) (T, error)
}

// Validate sends the values of records through rules. It takes and returns
// *record.Record[T] and is one-to-one: a value leaves as the value that the
// rules returned or as a fault, while faults and markers pass untouched.
func Validate[T any, R Rules[T]](s beam.Scope, records beam.PCollection, rules R) beam.PCollection {
	s = s.Scope("transforms.Validate")
	return beam.ParDo(s, &validateFn[T, R]{Rules: rules}, records)
}

type validateFn[T any, R Rules[T]] struct {
	Rules R

	// now is the time at which the range current was begun.
	now     time.Time
	current *record.Range
	slab    []record.Record[T]
}

func (fn *validateFn[T, R]) ProcessElement(r *record.Record[T], emit func(*record.Record[T])) {
	if r.Kind != record.KindValue {
		emit(r)
		return
	}
	v, fault := judge(fn.Rules, fn.clock(r.Source.Range), r.Value)
	if fault != nil {
		emit(r.WithFault(fault))
		return
	}
	if sameBytes(&v, &r.Value) {
		emit(r)
		return
	}
	emit(fn.withValue(r, v))
}

// sameBytes reports that two values have the same bytes in memory: then they are
// equal, and most values pass the rules as they came. Equal values may differ
// here, where their strings are kept at other places.
func sameBytes[T any](a, b *T) bool {
	size := unsafe.Sizeof(*a)
	return bytes.Equal(unsafe.Slice((*byte)(unsafe.Pointer(a)), size), unsafe.Slice((*byte)(unsafe.Pointer(b)), size))
}

func judge[T any, R Rules[T]](rules R, now time.Time, v T) (T, *record.Fault) {
	v, err := rules.Apply(now, v)
	if err != nil {
		return v, faultOf(err)
	}
	return v, nil
}

// Judge is Validate for one record, outside of a pipeline, by a clock that
// stands at now.
func Judge[T any, R Rules[T]](rules R, now time.Time, r *record.Record[T]) *record.Record[T] {
	if r.Kind != record.KindValue {
		return r
	}
	v, fault := judge(rules, now, r.Value)
	if fault != nil {
		return r.WithFault(fault)
	}
	judged := *r
	judged.Value = v
	return &judged
}

// clock gives one time a range, not one a record: what a range holds was
// written before it was begun, so its beginning is late enough to tell the
// future by. A reader that does not say when it began has the time at which the
// first record comes.
func (fn *validateFn[T, R]) clock(rng *record.Range) time.Time {
	if rng == nil || rng != fn.current {
		fn.now, fn.current = time.Now(), rng
		if rng != nil && rng.JudgedAt != 0 {
			fn.now = time.UnixMicro(rng.JudgedAt)
		}
	}
	return fn.now
}

func (fn *validateFn[T, R]) withValue(r *record.Record[T], v T) *record.Record[T] {
	if len(fn.slab) == 0 {
		fn.slab = make([]record.Record[T], slabRecords)
	}
	out := &fn.slab[0]
	fn.slab = fn.slab[1:]
	*out = *r
	out.Value = v
	return out
}

func faultOf(err error) *record.Fault {
	var f *record.Fault
	if !errors.As(err, &f) {
		return &record.Fault{Code: record.CodeInvalidValue, Message: err.Error()}
	}
	if f == nil {
		return &record.Fault{Code: record.CodeInvalidValue, Message: "refused by a rule that gave no reason"}
	}
	return f
}
