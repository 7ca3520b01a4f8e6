package csvio

import (
	"context"
	"fmt"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/cartstream/cartstream/internal/dofn"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Emitter1[record.Range]()
}

// Register makes T known to Beam; call it in the init of the file that defines
// T. It panics when T's csv tags are wrong, and when a T does not come back
// the same from Beam's coder: a field that is lost between two stages is
// better known at the start than found in the database.
func Register[T any]() {
	mustSchema[T]()
	beam.RegisterType(reflect.TypeFor[T]())
	beam.RegisterType(reflect.TypeFor[record.Record[T]]())
	dofn.Register3x1[context.Context, record.Work, func(record.Range), error](&splitFn[T]{})
	dofn.Register3x1[context.Context, record.Range, func(*record.Record[T]), error](&readFn[T]{})
	register.Emitter1[*record.Record[T]]()
	if err := dofn.CheckElement(reflect.TypeFor[record.Record[T]](), "Value"); err != nil {
		panic(fmt.Errorf("csvio: %w", err))
	}
}
