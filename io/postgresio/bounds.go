package postgresio

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/transforms/record"
)

// This file bounds the dead letters of a file (WithMaxDeadLetters). A batch that would take
// a file over the bound is undone, and tried again without the file's ranges. The file's
// outcome says that it has failed, and keeps later ranges from being claimed. They are
// read all the same, so that the history can say how many records are left out.

// overBoundSQL is a condition: the range v is of a file that has failed for that reason.
// A file that is tried anew by other settings has another fingerprint.
const overBoundSQL = `exists (
	select from cartstream.file_outcomes o join cartstream.files f using (file_id, fingerprint)
	where o.file_id = v.file_id and o.status = 'failed' and o.code = '` + record.CodeTooManyDeadLetters + `')`

// overBoundError says that a batch takes files over the bound.
type overBoundError struct {
	// units are the ranges of these files that the batch would have loaded.
	units []*unit
	bound int
}

func (e *overBoundError) Error() string { return e.fault().Message }

func (e *overBoundError) fault() *record.Fault {
	return &record.Fault{Code: record.CodeTooManyDeadLetters, Message: fmt.Sprintf(
		"it has more than %d dead letters (validation.max_dead_letters); what was committed before stays. Correct the file; "+
			"or raise that bound, and 'cartstream retry' loads the rest", e.bound)}
}

// boundDeadLetters returns an *overBoundError when files of the batch have more dead
// letters than they may have, with those that are committed.
func (a *attempt) boundDeadLetters(ctx context.Context, tx pgx.Tx) error {
	dead := map[uuid.UUID]int64{}
	for u := range a.claimed {
		if len(u.dead) > 0 {
			dead[a.ids[u]] += int64(len(u.dead))
		}
	}
	for _, r := range a.rejected {
		dead[a.ids[r.row.unit]]++
	}
	bound := a.e.opts.MaxDeadLetters
	if bound == 0 || len(dead) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(dead))
	for id := range dead {
		ids = append(ids, id)
	}
	rows, err := tx.Query(ctx, `select file_id, sum(dead_letters)::bigint from cartstream.range_counts where file_id = any($1) group by 1`, ids)
	if err != nil {
		return err
	}
	var id uuid.UUID
	var committed int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &committed}, func() error {
		dead[id] += committed
		return nil
	}); err != nil {
		return err
	}
	over := &overBoundError{bound: bound}
	for u := range a.claimed {
		if dead[a.ids[u]] > int64(bound) {
			over.units = append(over.units, u)
		}
	}
	if len(over.units) == 0 {
		return nil
	}
	return over
}

// leaveOutOver leaves the ranges out that an attempt has found to be over the bound, and
// reports whether there were any. Then the rest of the batch is to be tried again.
func leaveOutOver(err error) bool {
	over := (*overBoundError)(nil)
	if !errors.As(err, &over) {
		return false
	}
	for _, u := range over.units {
		u.leaveOut(over.fault())
	}
	return true
}

// leaveOut makes the unit the end of its file, which has failed.
func (u *unit) leaveOut(fault *record.Fault) {
	u.leftOut = u.source.Records
	u.marker, u.fault = record.KindFileFailed, fault
	u.rows, u.tuples, u.dead = nil, nil, nil
}

// leaveOutUnclaimed leaves out those of the wanted ranges that could not be claimed because
// their file is over the bound. The others are in the ledger.
func (a *attempt) leaveOutUnclaimed(ctx context.Context, tx pgx.Tx, wanted map[rangeKey]*unit) error {
	var files []uuid.UUID
	var starts []int64
	for k, u := range wanted {
		if !a.claimed[u] {
			files, starts = append(files, k.file), append(starts, k.start)
		}
	}
	rows, err := tx.Query(ctx, `select v.* from unnest($1::uuid[], $2::bigint[]) v(file_id, start_byte)
		where `+overBoundSQL+` and not exists (select from cartstream.ranges g where g.file_id = v.file_id and g.start_byte = v.start_byte)`, files, starts)
	if err != nil {
		return err
	}
	var k rangeKey
	_, err = pgx.ForEachRow(rows, []any{&k.file, &k.start}, func() error {
		wanted[k].leaveOut((&overBoundError{bound: a.e.opts.MaxDeadLetters}).fault())
		return nil
	})
	return err
}
