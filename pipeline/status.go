package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/io/watchio"
)

// Status is what a person wants to see on one screen.
type Status struct {
	postgresio.Activity
	// EventLatency is from an event's own time to the beginning of the
	// transaction that brought its row; of the events of the same window. It is
	// nil where the table has no event_timestamp and ingested_at.
	EventLatency *postgresio.Distribution `json:"event_latency_seconds,omitempty"`
	Backlog      Backlog                  `json:"backlog"`
}

// Backlog is what the pattern gives and the ledger is not done with.
type Backlog struct {
	Files int64 `json:"files"`
	// Bytes is how much of those files is still to be read: of a partly loaded
	// one what is not loaded, of a compressed one all of it.
	Bytes int64 `json:"bytes"`
	// OldestSeconds is the age of the oldest, by its modification time.
	OldestSeconds float64 `json:"oldest_seconds"`
}

// hasEventTimesSQL tells whether a table has the columns of the query after it.
const hasEventTimesSQL = `
select count(*) = 2 from pg_attribute where attrelid = to_regclass($1) and attname in ('event_timestamp', 'ingested_at')
	and atttypid in ('timestamptz'::regtype, 'timestamp'::regtype) and not attisdropped`

const eventLatencySQL = `
select count(*) as count, coalesce(avg(s), 0) as average, coalesce(percentile_disc(0.5) within group (order by s), 0) as p50,
	coalesce(percentile_disc(0.99) within group (order by s), 0) as p99, coalesce(max(s), 0) as max
from (select extract(epoch from ingested_at - event_timestamp)::double precision as s from %s where ingested_at >= now() - $1::interval) l`

// ReadStatus looks at the ledger, the table and the folder.
func ReadStatus(ctx context.Context, s Settings, d Database, within time.Duration) (*Status, error) {
	status := &Status{}
	err := ask(ctx, d, func(pool *pgxpool.Pool) error {
		activity, err := postgresio.ReadActivity(ctx, pool, s.Postgres.Table, within)
		if err != nil {
			return err
		}
		status.Activity = *activity
		status.EventLatency, err = readEventLatency(ctx, s, pool, within)
		return err
	})
	if err != nil {
		return nil, err
	}
	status.Backlog, err = readBacklog(ctx, s, d)
	return status, err
}

func readEventLatency(ctx context.Context, s Settings, pool *pgxpool.Pool, within time.Duration) (*postgresio.Distribution, error) {
	id, err := postgresio.ParseTable(s.Postgres.Table)
	if err != nil {
		return nil, err
	}
	table := id.Sanitize()
	var has bool
	if err := pool.QueryRow(ctx, hasEventTimesSQL, table).Scan(&has); err != nil || !has {
		return nil, err
	}
	l := &postgresio.Distribution{}
	err = pool.QueryRow(ctx, fmt.Sprintf(eventLatencySQL, table), within).Scan(&l.Count, &l.Average, &l.P50, &l.P99, &l.Max)
	return l, err
}

func readBacklog(ctx context.Context, s Settings, d Database) (b Backlog, err error) {
	o := Options{Settings: s, Database: d, run: uuid.NewString()}
	defer runctl.Forget(o.run)
	if o.Settings.Streaming.Input, err = absolute(o.Settings.Streaming.Input); err != nil {
		return b, err
	}
	ledger := ledgerOf[Event](o)
	ledger.Fingerprint = "" // that of the table's own program is not known here
	if err := o.leaveExisting(ctx, ledger.WatchedSince); err != nil {
		return b, err
	}
	pending, err := watchio.Pending(ctx, o.Settings.Streaming.Input[0], ledger, watchingOf[Event](o)...)
	for _, w := range pending {
		b.Files++
		b.Bytes += w.BytesLeft()
		b.OldestSeconds = max(b.OldestSeconds, time.Since(w.File.ModTime()).Seconds())
	}
	return b, err
}
