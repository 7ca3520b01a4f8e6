package postgresio

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Ledger answers what is known of file versions. It is serialisable, so that a
// watcher's DoFn can carry it.
type Ledger struct {
	Run      string
	Database Database
	// Table is the target, as it is given to Load.
	Table string
	// Fingerprint is the one that new files are loaded with. A file that
	// failed under another one is tried again; without one, none is.
	Fingerprint string
	// RetryFor bounds how long an answer is waited for while the database is
	// in trouble; 0 is until the run is stopped.
	RetryFor time.Duration
}

// lookupSQL finds each file by the index: OFFSET 0 keeps the planner from reading all of
// the table for each question instead, which it prefers while it has no statistics. An
// entry of the same size may be the file's also where the modification time is another
// one: the content decides.
var lookupSQL = `
select v.place, f.fingerprint,
	coalesce(r.loaded, false), case when r.loaded then '{}' else coalesce(r.done, '{}') end,
	coalesce(o.status, ''), coalesce(o.fingerprint, ''), coalesce((extract(epoch from o.at) * 1000000)::bigint, 0),
	v.changed <> 0 and not f.same
from unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[]) with ordinality v(name, size, modified, inode, changed, place)
cross join lateral (
	select f.file_id, f.fingerprint, ` + sameEvidence("v") + ` as same
	from cartstream.files f
	where f.table_name = ` + targetSQL + ` and md5(f.file_name) = md5(v.name) and f.file_size = v.size
		and f.file_name = v.name and (v.changed <> 0 or v.modified in (f.file_modified, f.seen_modified))
	order by 3 desc, v.modified in (f.file_modified, f.seen_modified) desc, f.begun_order desc
	limit 1
) f
left join lateral (
	select array_agg(array[start_byte, end_byte, range_index, case when unsplit then 0 else coalesce(first_line + lines, 0) end] order by start_byte) as done,
		count(*) = max(range_index) filter (where is_last) + 1 as loaded
	from cartstream.ranges where file_id = f.file_id
) r on true
left join lateral (
	select status, fingerprint, at from cartstream.file_outcomes
	where file_id = f.file_id order by outcome_id desc limit 1
) o on true`

// Lookup returns a state for each file, in order. It is asked about versions
// that are there, so one that was superseded and is there again is loading: it
// was put back. While the database is in
// trouble it waits, until ctx or the run ends.
func (l Ledger) Lookup(ctx context.Context, files []record.File) (states []record.FileState, err error) {
	err = l.askOn(ctx, "asking the ledger", func(ctx context.Context, conn *pgx.Conn, target string) error {
		v, err := versionsOf(ctx, conn, files)
		if err != nil {
			return err
		}
		return inOneTrip(ctx, conn, func(b *pgx.Batch) {
			b.Queue(lookupSQL, target, v.names, v.sizes, v.modified, v.inodes, v.changed).Query(func(rows pgx.Rows) (err error) {
				states, err = l.collect(rows, len(files))
				return err
			})
			lineageOf(l.Run, l.Database).queueObservation(ctx, b)
		})
	})
	return states, l.failed(ctx, err)
}

// failed ends the run with an error that a DoFn is going to return, unless that says
// only that it has ended: a runner wraps it into its own words.
func (l Ledger) failed(ctx context.Context, err error) error {
	if control := runctl.Of(l.Run); err != nil && ctx.Err() == nil && control.Context().Err() == nil {
		control.Fail(err)
	}
	return err
}

// History returns a number that changes when earlier answers may be wrong, because
// the database was restored or failed over to a server that lagged, or because
// somebody has deleted entries. While the database is in trouble it waits, until ctx
// or the run ends.
func (l Ledger) History(ctx context.Context) (era int64, err error) {
	lineage := lineageOf(l.Run, l.Database)
	err = l.askOn(ctx, "checking the ledger's history", func(ctx context.Context, conn *pgx.Conn, _ string) error {
		if err := inOneTrip(ctx, conn, func(b *pgx.Batch) { lineage.queueObservation(ctx, b) }); err != nil {
			return err
		}
		return lineage.announce(ctx, conn)
	})
	return lineage.current(), l.failed(ctx, err)
}

// ask asks with the table's quoted name, in a transaction, until there is an
// answer, or ctx or the run ends. The same transaction notes which loads the answer
// may rest on.
func (l Ledger) ask(ctx context.Context, what string, question func(ctx context.Context, tx pgx.Tx, target string) error) error {
	return l.askOn(ctx, what, func(ctx context.Context, conn *pgx.Conn, target string) error {
		return inTransactionOn(ctx, conn, beginWriting, func(tx pgx.Tx) error {
			if err := question(ctx, tx, target); err != nil {
				return err
			}
			return lineageOf(l.Run, l.Database).observe(ctx, tx)
		})
	})
}

// askOn is ask with a connection.
func (l Ledger) askOn(ctx context.Context, what string, question func(ctx context.Context, conn *pgx.Conn, target string) error) error {
	control := runctl.Of(l.Run)
	pool, err := poolOf(l.Run, l.Database, keep)
	if err != nil {
		return err
	}
	target, err := ParseTable(l.Table)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hard := control.Context()
	defer context.AfterFunc(hard, func() { cancel(context.Cause(hard)) })()
	return retry(ctx, pool, l.RetryFor, what, func(ctx context.Context) error {
		return pool.question(ctx, what, func(conn *pgx.Conn) error { return question(ctx, conn, target.Sanitize()) })
	})
}

func (l Ledger) collect(rows pgx.Rows, n int) ([]record.FileState, error) {
	states := make([]record.FileState, n)
	var place, at int64
	var fingerprint, status, outcomeFingerprint string
	var loaded, suspect bool
	var ranges [][]int64
	_, err := pgx.ForEachRow(rows, []any{&place, &fingerprint, &loaded, &ranges, &status, &outcomeFingerprint, &at, &suspect}, func() error {
		s := record.FileState{Status: record.StatusLoading, Fingerprint: fingerprint, Done: doneRanges(ranges)}
		switch {
		case loaded:
			s = record.FileState{Status: record.StatusLoaded}
		case status == string(record.StatusFailed) && (l.Fingerprint == "" || outcomeFingerprint == l.Fingerprint || len(ranges) > 0):
			s = record.FileState{Status: record.StatusFailed}
		case status == string(record.StatusFailed):
			s = record.FileState{}
		case status != "":
			s.UnreadableSince = at
		}
		s.Suspect = suspect
		states[place-1] = s
		ranges = nil
		return nil
	})
	return states, err
}

func doneRanges(ranges [][]int64) []record.DoneRange {
	done := make([]record.DoneRange, len(ranges))
	for i, r := range ranges {
		done[i] = record.DoneRange{Start: r[0], End: r[1], Index: r[2], NextLine: r[3]}
	}
	return done
}
