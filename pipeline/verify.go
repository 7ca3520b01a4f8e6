package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

// VerifyOptions say what Verify looks at beside the ledger; nil is nothing.
type VerifyOptions struct {
	// Expected, unless nil, is what the load must have given.
	Expected *Expectation
	// Files has the files read again, and each record looked for.
	Files bool
	// Limit bounds the findings that are kept; 0 is DefaultFindings.
	Limit int
}

// DefaultFindings is how many findings are kept.
const DefaultFindings = postgresio.DefaultFindings

// Verify checks the ledger and the settings' table; see postgresio.Verify.
func Verify(ctx context.Context, s Settings, d Database, o *VerifyOptions) (v *Verification, err error) {
	asked := &postgresio.VerifyOptions{}
	if o != nil {
		asked.Expected, asked.Limit = o.Expected, o.Limit
		if o.Files {
			asked.Files = postgresio.RereadFiles(readAgain(s), s.Postgres.sink()...)
		}
	}
	err = ask(ctx, d, func(pool *pgxpool.Pool) error {
		v, err = postgresio.Verify(ctx, pool, s.Postgres.Table, asked)
		return err
	})
	return v, err
}

// readAgain is the way of the pipeline from a file to Load.
func readAgain(s Settings) postgresio.ReadFunc[Event] {
	rules := EventRules{FutureTolerance: s.Validation.FutureTolerance.Duration()}
	return func(ctx context.Context, file record.File, fingerprint string, clock func(int64) time.Time, each func(*record.Record[Event]) error) error {
		err := csvio.ReadAgain(ctx, file, fingerprint, func(r *record.Record[Event]) error {
			return each(transforms.Judge(rules, clock(r.Source.Range.Index), r))
		})
		var not *csvio.NotReadError
		if errors.As(err, &not) {
			return &postgresio.SkipError{Reason: not.Reason}
		}
		return err
	}
}
