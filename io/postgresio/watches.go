package postgresio

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const beginWatchSQL = `
insert into cartstream.watches (table_name, patterns, since) values (` + targetSQL + `, $2, $3)
on conflict (table_name, md5(patterns)) do nothing`

const watchedSinceSQL = `
select since from cartstream.watches where table_name = ` + targetSQL + ` and md5(patterns) = md5($2)`

// BeginWatch returns since when the files of the patterns are watched for, for
// this table: now, which the ledger keeps from then on, when nobody has before.
// The order of the patterns does not matter; others are watched on their own.
// While the database is in trouble it waits, until ctx or the run ends.
func (l Ledger) BeginWatch(ctx context.Context, patterns []string, now time.Time) (time.Time, error) {
	since := now
	err := l.ask(ctx, "keeping the time of the first run", func(ctx context.Context, tx pgx.Tx, target string) error {
		key, err := keyOfPatterns(ctx, tx.Conn(), patterns)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, beginWatchSQL, target, key, now); err != nil {
			return err
		}
		return tx.QueryRow(ctx, watchedSinceSQL, target, key).Scan(&since)
	})
	return since, err
}

const restoreWatchSQL = `
insert into cartstream.watches (table_name, patterns, since) values (` + targetSQL + `, $2, $3)
on conflict (table_name, md5(patterns)) do update set since = excluded.since where watches.since > excluded.since`

// RestoreWatch writes again what BeginWatch has returned, in case the database has
// lost it: with a later time the next run would skip files.
func (l Ledger) RestoreWatch(ctx context.Context, patterns []string, since time.Time) error {
	return l.ask(ctx, "restoring the time of the first run", func(ctx context.Context, tx pgx.Tx, target string) error {
		key, err := keyOfPatterns(ctx, tx.Conn(), patterns)
		if err == nil {
			_, err = tx.Exec(ctx, restoreWatchSQL, target, key, since)
		}
		return err
	})
}

// WatchedSince returns what BeginWatch would, and keeps nothing.
func (l Ledger) WatchedSince(ctx context.Context, patterns []string, now time.Time) (time.Time, error) {
	since := now
	err := l.ask(ctx, "asking for the time of the first run", func(ctx context.Context, tx pgx.Tx, target string) error {
		key, err := keyOfPatterns(ctx, tx.Conn(), patterns)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select coalesce((`+watchedSinceSQL+`), $3)`, target, key, now).Scan(&since)
	})
	return since, err
}

func keyOfPatterns(ctx context.Context, conn *pgx.Conn, patterns []string) (string, error) {
	names, err := namesFor(ctx, conn, patterns...)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "\n"), err
}
