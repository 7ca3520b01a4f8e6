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
func (f Flow[T, R]) Verify(ctx context.Context, o *VerifyOptions) (v *Verification, err error) {
	s := f.Options.Settings
	asked := &postgresio.VerifyOptions{}
	if o != nil {
		asked.Expected, asked.Limit = o.Expected, o.Limit
		if o.Files {
			asked.Files = postgresio.RereadFiles(f.readAgain, s.Postgres.sink()...)
		}
	}
	err = ask(ctx, f.Options.Database, func(pool *pgxpool.Pool) error {
		v, err = postgresio.Verify(ctx, pool, s.Postgres.Table, asked)
		return err
	})
	return v, err
}

// readAgain is the way of the pipeline from a file to Load.
func (f Flow[T, R]) readAgain(ctx context.Context, file record.File, fingerprint string, clock func(int64) time.Time, each func(*record.Record[T]) error) error {
	err := csvio.ReadAgain(ctx, file, fingerprint, func(r *record.Record[T]) error {
		return each(transforms.Judge(f.Rules, clock(r.Source.Range.Index), r))
	})
	var not *csvio.NotReadError
	if errors.As(err, &not) {
		return &postgresio.SkipError{Reason: not.Reason}
	}
	return err
}
