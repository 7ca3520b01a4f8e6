package watchio

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
	beam.RegisterCoder(reflect.TypeFor[Restriction](), encodeRestriction, decodeRestriction)
	register.Emitter1[record.Work]()
}

// A restriction is bytes for a runner; see dofn.Encode.
func encodeRestriction(r Restriction) ([]byte, error) { return dofn.Encode(r) }
func decodeRestriction(b []byte) (Restriction, error) { return dofn.Decode[Restriction](b) }

// lookupBatch is how many files a ledger is asked about at once.
const lookupBatch = 1000

// Ledger knows what has become of file versions. An implementation is a struct
// whose exported fields are all it needs to find its database from a worker.
type Ledger interface {
	// Lookup answers for each of at most 1,000 files, in their order. It waits
	// out what may pass, such as a database that restarts, until ctx ends; an
	// error that it returns before ends the run.
	Lookup(ctx context.Context, files []record.File) ([]record.FileState, error)
}

// Settler is what a Ledger may be besides: one that answers quickly for many files.
type Settler interface {
	// Settled reports for each of any number of files whether the ledger is done with
	// it. It need not find all of them, and waits as Lookup does.
	Settled(ctx context.Context, files []record.File) ([]bool, error)
}

// Register makes Watch, OnTicks and List usable with ledgers of L.
func Register[L Ledger]() {
	beam.RegisterType(reflect.TypeFor[L]())
	beam.RegisterType(reflect.TypeFor[watchFn[L]]())
	beam.RegisterType(reflect.TypeFor[listFn[L]]())
	beam.RegisterType(reflect.TypeFor[tickFn[L]]())
}

// lookup asks about any number of files.
func lookup(ctx context.Context, ledger Ledger, files []record.File) ([]record.FileState, error) {
	states := make([]record.FileState, 0, len(files))
	for len(files) > 0 {
		n := min(len(files), lookupBatch)
		answer, err := ledger.Lookup(ctx, files[:n])
		if err != nil {
			return nil, fmt.Errorf("asking the ledger about %d files: %w", n, err)
		}
		if len(answer) != n {
			return nil, fmt.Errorf("asking the ledger about %d files: it answered for %d", n, len(answer))
		}
		states, files = append(states, answer...), files[n:]
	}
	return states, nil
}
