package postgresio

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

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
	coalesce(o.status in ('unreadable', 'superseded'), false) and exists (
		select from cartstream.ranges g join cartstream.loads l using (load_id)
		where g.file_id = f.file_id and l.committed_at > o.at),
	v.changed <> 0 and not f.same
from unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[]) with ordinality v(name, size, modified, inode, changed, place)
cross join lateral (
	select f.file_id, f.fingerprint, ` + sameEvidence("f", "v") + ` as same
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
	var v versions
	for _, f := range files {
		v.add(f)
	}
	err = l.ask(ctx, "asking the ledger", func(ctx context.Context, tx pgx.Tx, target string) error {
		rows, err := tx.Query(ctx, lookupSQL, target, v.names, v.sizes, v.modified, v.inodes, v.changed)
		if err != nil {
			return err
		}
		states, err = l.collect(rows, len(files))
		return err
	})
	return states, err
}

// History returns a number that changes when earlier answers may be wrong, because
// the database was restored or failed over to a server that lagged, or because
// somebody has deleted entries. While the database is in trouble it waits, until ctx
// or the run ends.
func (l Ledger) History(ctx context.Context) (era int64, err error) {
	err = l.ask(ctx, "checking the ledger's history", func(context.Context, pgx.Tx, string) error { return nil })
	return lineageOf(l.Run, l.Database).current(), err
}

// ask asks a question in a transaction, with the table's quoted name, until there is
// an answer, or ctx or the run ends. The same transaction notes which loads the answer
// may rest on.
func (l Ledger) ask(ctx context.Context, what string, question func(ctx context.Context, tx pgx.Tx, target string) error) error {
	control := runctl.Of(l.Run)
	pool, err := l.pool(control)
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
	lineage := lineageOf(l.Run, l.Database)
	return retry(ctx, pool, l.RetryFor, what, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := question(ctx, tx, target.Sanitize()); err != nil {
				return err
			}
			_, err := lineage.observe(ctx, tx)
			return err
		})
	})
}

func (l Ledger) collect(rows pgx.Rows, n int) ([]record.FileState, error) {
	states := make([]record.FileState, n)
	var place, at int64
	var fingerprint, status, outcomeFingerprint string
	var loaded, readSince, suspect bool
	var ranges [][]int64
	_, err := pgx.ForEachRow(rows, []any{&place, &fingerprint, &loaded, &ranges, &status, &outcomeFingerprint, &at, &readSince, &suspect}, func() error {
		s := record.FileState{Status: record.StatusLoading, Fingerprint: fingerprint, Done: doneRanges(ranges)}
		switch {
		case loaded:
			s = record.FileState{Status: record.StatusLoaded}
		case status == string(record.StatusFailed) && (l.Fingerprint == "" || outcomeFingerprint == l.Fingerprint || len(ranges) > 0):
			s = record.FileState{Status: record.StatusFailed}
		case status == string(record.StatusFailed):
			s = record.FileState{}
		case status != "" && !readSince:
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

// ledgerPools are the connections of the runs of this process.
var ledgerPools = struct {
	sync.Mutex
	m map[Ledger]*pgxpool.Pool
}{m: map[Ledger]*pgxpool.Pool{}}

// pool returns the run's connection for looking things up, which is closed
// when the run is forgotten.
func (l Ledger) pool(control *runctl.Control) (*pgxpool.Pool, error) {
	ledgerPools.Lock()
	defer ledgerPools.Unlock()
	if p := ledgerPools.m[l]; p != nil {
		return p, nil
	}
	p, err := l.Database.Open(control.Context(), 1)
	if err != nil {
		return nil, err
	}
	ledgerPools.m[l] = p
	control.AtForget(func() {
		ledgerPools.Lock()
		delete(ledgerPools.m, l)
		ledgerPools.Unlock()
		p.Close()
	})
	return p, nil
}
