package postgresio

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Distribution sums up durations, in seconds.
type Distribution struct {
	Count   int64   `json:"count"`
	Average float64 `json:"average"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
}

// Activity is what was loaded into a table since a moment.
type Activity struct {
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
	Batches     int64     `json:"batches"`
	Records     int64     `json:"records"`
	Inserted    int64     `json:"inserted"`
	Updated     int64     `json:"updated"`
	Duplicates  int64     `json:"duplicates"`
	Stale       int64     `json:"stale"`
	DeadLetters int64     `json:"dead_letters"`
	// BatchSeconds is how long the transactions took, from the beginning of
	// their first attempt.
	BatchSeconds Distribution `json:"batch_seconds"`
	// PipelineLatency is from a file's modification to the commit of each of
	// its ranges, weighted by records.
	PipelineLatency Distribution `json:"pipeline_latency_seconds"`
	// DeadLettersByCode counts those that nobody has resolved, of all time.
	DeadLettersByCode []CodeCount `json:"dead_letters_by_code"`
}

// CodeCount is a number of dead letters of one code, with the latest.
type CodeCount struct {
	Code   string    `json:"code"`
	Count  int64     `json:"count"`
	Latest time.Time `json:"latest"`
}

// targetSQL is the ledger's name of the table whose quoted name is $1.
const targetSQL = `(select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1))`

const activitySQL = `
select now() - $2::interval as since, now() as until, count(*) as batches,
	coalesce(sum(records), 0)::bigint, coalesce(sum(inserted), 0)::bigint, coalesce(sum(updated), 0)::bigint,
	coalesce(sum(duplicates), 0)::bigint, coalesce(sum(stale), 0)::bigint, coalesce(sum(dead_letters), 0)::bigint,
	coalesce(avg(seconds), 0), coalesce(percentile_disc(0.5) within group (order by seconds), 0),
	coalesce(percentile_disc(0.99) within group (order by seconds), 0), coalesce(max(seconds), 0)
from cartstream.loads
where table_name = ` + targetSQL + ` and committed_at >= now() - $2::interval`

const pipelineLatencySQL = `
with latency as (
	select extract(epoch from l.committed_at - f.file_modified)::double precision as seconds, g.records
	from cartstream.loads l
	join cartstream.ranges g using (load_id)
	join cartstream.files f using (file_id)
	where l.table_name = ` + targetSQL + ` and l.committed_at >= now() - $2::interval and g.records > 0
), running as (
	select seconds, records, sum(records) over (order by seconds) as upto, sum(records) over () as total from latency
)
select coalesce(max(total), 0)::bigint, coalesce(sum(seconds * records) / max(total), 0)::double precision,
	coalesce(min(seconds) filter (where upto >= 0.5 * total), 0), coalesce(min(seconds) filter (where upto >= 0.99 * total), 0),
	coalesce(max(seconds), 0)
from running`

const deadLettersByCodeSQL = `
select code, count(*), max(created_at) from cartstream.dead_letters
where table_name = ` + targetSQL + ` and resolved_at is null
group by 1 order by 2 desc, 1`

// ReadActivity returns what was loaded into the table within the time before
// now.
func ReadActivity(ctx context.Context, pool *pgxpool.Pool, table string, within time.Duration) (*Activity, error) {
	id, err := ParseTable(table)
	if err != nil {
		return nil, err
	}
	a := &Activity{}
	err = reading(ctx, pool, func(tx pgx.Tx) error { return a.read(ctx, tx, id.Sanitize(), within) })
	return a, err
}

func (a *Activity) read(ctx context.Context, tx pgx.Tx, target string, within time.Duration) error {
	b, l := &a.BatchSeconds, &a.PipelineLatency
	if err := tx.QueryRow(ctx, activitySQL, target, within).Scan(&a.Since, &a.Until, &a.Batches,
		&a.Records, &a.Inserted, &a.Updated, &a.Duplicates, &a.Stale, &a.DeadLetters, &b.Average, &b.P50, &b.P99, &b.Max); err != nil {
		return err
	}
	b.Count = a.Batches
	if err := tx.QueryRow(ctx, pipelineLatencySQL, target, within).Scan(&l.Count, &l.Average, &l.P50, &l.P99, &l.Max); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, deadLettersByCodeSQL, target)
	if err != nil {
		return err
	}
	a.DeadLettersByCode, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CodeCount])
	return err
}
