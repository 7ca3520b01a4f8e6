package transforms

import (
	"fmt"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/cartstream/cartstream/internal/dofn"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Emitter1[record.DeadLetter]()
}

// Register makes DeadLetters and Split usable for records of T.
func Register[T any]() {
	registerType[T]()
	beam.RegisterType(reflect.TypeFor[record.Record[T]]())
	register.Emitter1[T]()
	register.Emitter1[*record.Record[T]]()
	dofn.Register2x0[*record.Record[T], func(record.DeadLetter)](&deadLettersFn[T]{})
	dofn.Register3x0[*record.Record[T], func(T), func(record.DeadLetter)](&splitFn[T]{})
}

// RegisterRules makes Validate usable for records of T with rules of R. It
// panics when an R does not come back the same from the workers' JSON: with a
// setting that is lost on one runner and not on another, the same file would
// give other rows.
func RegisterRules[T any, R Rules[T]]() {
	if err := dofn.CheckSetting(reflect.TypeFor[validateFn[T, R]](), "Rules"); err != nil {
		panic(fmt.Errorf("transforms: %w", err))
	}
	registerType[R]()
	dofn.Register2x0[*record.Record[T], func(*record.Record[T])](&validateFn[T, R]{})
}

// registerType leaves out types without a name, such as string: Beam knows
// them and refuses to register them.
func registerType[T any]() {
	if t := reflect.TypeFor[T](); t.PkgPath() != "" && t.Name() != "" {
		beam.RegisterType(t)
	}
}
