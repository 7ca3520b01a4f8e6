package transforms

import (
	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/transforms/record"
)

// Split parts *record.Record[T] into values (T) and dead letters
// (record.DeadLetter), for sinks that know nothing of ranges. Markers are not
// handed on, so what follows can't tell whether a range is complete, nor that
// the records of a superseded or unreadable one are void.
func Split[T any](s beam.Scope, records beam.PCollection) (values, dead beam.PCollection) {
	s = s.Scope("transforms.Split")
	return beam.ParDo2(s, &splitFn[T]{}, records)
}

type splitFn[T any] struct{}

func (*splitFn[T]) ProcessElement(r *record.Record[T], value func(T), dead func(record.DeadLetter)) {
	switch r.Kind {
	case record.KindValue:
		value(r.Value)
	case record.KindFault:
		dead(r.DeadLetter())
	default:
	}
}
