package transforms

import (
	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/transforms/record"
)

// DeadLetters is a tap beside the line: it takes *record.Record[T] and returns
// a record.DeadLetter for each fault. The sink needs it not: it stores the dead
// letters itself, in one transaction with the rows.
func DeadLetters[T any](s beam.Scope, records beam.PCollection) beam.PCollection {
	s = s.Scope("transforms.DeadLetters")
	return beam.ParDo(s, &deadLettersFn[T]{}, records)
}

type deadLettersFn[T any] struct{}

func (*deadLettersFn[T]) ProcessElement(r *record.Record[T], emit func(record.DeadLetter)) {
	if r.Kind == record.KindFault {
		emit(r.DeadLetter())
	}
}
