package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// targetPause is the time between two looks at the file of the target table. Tests
// shorten it.
var targetPause = time.Minute

const (
	// countBound is how long counting the rows of the target table may take. A table
	// that takes longer is checked by its oid only.
	countBound = 5 * time.Second
	// smallTable is a size in bytes up to which rows are always counted: it takes some
	// 0.1 s.
	smallTable = 64 << 20
	// enoughRows is the share of the expected rows that PostgreSQL's estimate must reach
	// for a large table to go uncounted.
	enoughRows = 0.9
)

// targetState is what is known of the target table as a whole. It shows that this is
// the table that was loaded.
type targetState struct {
	oid   uint32
	files string
	// missing is how many rows the table lacks of those that loads have inserted. It
	// is negative where others insert rows too.
	missing int64
}

const targetStateSQL = `
select c.oid, f.files, f.size, sum(greatest(p.reltuples, 0))::bigint,
	coalesce((select sum(inserted)::bigint from cartstream.loads where table_name = $2), 0)
from pg_class c
cross join lateral (
	select md5(string_agg(coalesce(pg_relation_filenode(t), 0)::text, ',' order by t)) as files, sum(pg_relation_size(t))::bigint as size
	from (select c.oid as t union select relid from pg_partition_tree(c.oid)) t
) f
join pg_class p on p.oid = c.oid or p.oid in (select relid from pg_partition_tree(c.oid))
where c.oid = to_regclass($1)
group by c.oid, f.files, f.size`

// checkTarget reports a target table that is not the one that was loaded, or that has
// lost rows since the last check. Files stay loaded all the same: tables are replaced
// and truncated on purpose too. It returns what it found.
func (e *engine) checkTarget(ctx context.Context) (now targetState, err error) {
	err = retry(ctx, e.pool, e.opts.RetryFor, "checking "+e.target().name, func(ctx context.Context) error {
		before, known, err := e.storedTarget(ctx)
		if err != nil {
			return err
		}
		if now, err = e.countTarget(ctx, before); err != nil {
			return err
		}
		lost := now.missing - max(before.missing, 0)
		switch {
		case known && before.oid != now.oid:
			slog.WarnContext(ctx, "This is not the table that was loaded: it was dropped and created again, or renamed. "+notReloaded,
				"table", e.target().name, "oid", now.oid, "oid_before", before.oid)
		case known && lost > 0:
			slog.WarnContext(ctx, "This is not the table that was loaded: it has fewer rows than before, as after TRUNCATE or DELETE. "+notReloaded,
				"table", e.target().name, "missing_rows", lost)
		}
		if known && before == now {
			return nil
		}
		return e.storeTarget(ctx, now)
	})
	return now, err
}

const notReloaded = "Files that count as loaded are not loaded again; to load one again, delete it from cartstream.files"

// countTarget looks at the table, and counts its rows and those that loads have
// inserted, as of one moment, where that is cheap or rows seem to be missing. Otherwise
// the count of before is kept.
func (e *engine) countTarget(ctx context.Context, before targetState) (now targetState, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, e.pool, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("set local enable_seqscan = on; set local statement_timeout = %d", countBound.Milliseconds())); err != nil {
			return err
		}
		var size, estimate, inserted int64
		if err := tx.QueryRow(ctx, targetStateSQL, e.target().quoted, e.target().name).Scan(&now.oid, &now.files, &size, &estimate, &inserted); err != nil {
			return err
		}
		now.missing = before.missing
		if size > smallTable && now.files == before.files && float64(estimate) >= enoughRows*float64(inserted-before.missing) {
			return nil
		}
		var rows int64
		if err := tx.QueryRow(ctx, "select count(*) from "+e.target().quoted).Scan(&rows); err != nil {
			return err
		}
		now.missing = inserted - rows
		return nil
	})
	if isTimeout(err) && now.oid != 0 {
		return now, nil
	}
	return now, err
}

// isTimeout reports whether a statement was canceled because of its timeout.
func isTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57014"
}

// storedTarget returns what the ledger has; known is false where it has nothing.
func (e *engine) storedTarget(ctx context.Context) (s targetState, known bool, err error) {
	err = e.pool.QueryRow(ctx, "select table_oid, files, missing_rows from cartstream.target_tables where table_name = $1", e.target().name).
		Scan(&s.oid, &s.files, &s.missing)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, false, nil
	}
	return s, err == nil, err
}

func (e *engine) storeTarget(ctx context.Context, s targetState) error {
	_, err := e.pool.Exec(ctx, `insert into cartstream.target_tables (table_name, table_oid, files, missing_rows) values ($1, $2, $3, $4)
		on conflict (table_name) do update set table_oid = $2, files = $3, missing_rows = $4, counted_at = clock_timestamp()`,
		e.target().name, s.oid, s.files, s.missing)
	return err
}

// watchTarget checks the target table at once, and again when it has got other files,
// until the engine ends.
func (e *engine) watchTarget() {
	tick := time.NewTicker(targetPause)
	defer tick.Stop()
	ctx := e.control.Context()
	var last targetState
	for {
		if e.targetReplaced(ctx, last) {
			now, err := e.checkTarget(ctx)
			if err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "Cannot check the target table", "table", e.target().name, "error", SafeError(err))
			}
			last = now
		}
		select {
		case <-tick.C:
		case <-e.closing:
			return
		case <-ctx.Done():
			return
		}
	}
}

// targetReplaced reports whether the table has other files than at the latest check.
// An error is left to the batches, which report it.
func (e *engine) targetReplaced(ctx context.Context, last targetState) bool {
	if last.oid == 0 {
		return true
	}
	var now targetState
	var ignored int64
	err := e.pool.QueryRow(ctx, targetStateSQL, e.target().quoted, "").Scan(&now.oid, &now.files, &ignored, &ignored, &ignored)
	return err == nil && (now.oid != last.oid || now.files != last.files)
}
