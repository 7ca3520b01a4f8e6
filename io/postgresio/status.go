package postgresio

import (
	"context"
	"fmt"
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
	// RecordsPerSecond is over all of the time. The rates are shares of the
	// records, 0 to 1.
	RecordsPerSecond float64 `json:"records_per_second"`
	DuplicateRate    float64 `json:"duplicate_rate"`
	DeadLetterRate   float64 `json:"dead_letter_rate"`
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

// targetSQL is the ledger's name of the table whose quoted name is $1. Names of the
// catalog have the collation "C"; compared by that, no index of ours is of use.
const targetSQL = `(select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)) collate "default"`

// These queries, of the ledger's name of a table and a time, are those of
// docs/performance_metrics.md; a test of the pipeline compares what they give.
const (
	activitySQL = `
select now() - $2::interval as since, now() as until, count(*) as batches, coalesce(sum(records), 0)::bigint as records,
	coalesce(sum(inserted), 0)::bigint as inserted, coalesce(sum(updated), 0)::bigint as updated, coalesce(sum(duplicates), 0)::bigint as duplicates,
	coalesce(sum(stale), 0)::bigint as stale, coalesce(sum(dead_letters), 0)::bigint as dead_letters,
	(coalesce(sum(records), 0) / extract(epoch from $2::interval))::double precision as records_per_second,
	coalesce(sum(duplicates) / nullif(sum(records), 0), 0)::double precision as duplicate_rate,
	coalesce(sum(dead_letters) / nullif(sum(records), 0), 0)::double precision as dead_letter_rate,
	coalesce(avg(seconds), 0) as average, coalesce(percentile_disc(0.5) within group (order by seconds), 0) as p50,
	coalesce(percentile_disc(0.99) within group (order by seconds), 0) as p99, coalesce(max(seconds), 0) as max
from cartstream.loads
where table_name = $1 and committed_at >= now() - $2::interval`

	pipelineLatencySQL = `
with latency as (
	select extract(epoch from l.committed_at - f.file_modified)::double precision as seconds, g.records
	from cartstream.loads l join cartstream.ranges g using (load_id) join cartstream.files f using (file_id)
	where l.table_name = $1 and l.committed_at >= now() - $2::interval and g.records > 0
), running as (
	select seconds, records, sum(records) over (order by seconds) as upto, sum(records) over () as total from latency
)
select coalesce(max(total), 0)::bigint as count, coalesce(sum(seconds * records) / max(total), 0)::double precision as average,
	coalesce(min(seconds) filter (where upto >= 0.5 * total), 0) as p50, coalesce(min(seconds) filter (where upto >= 0.99 * total), 0) as p99,
	coalesce(max(seconds), 0) as max
from running`

	deadLettersByCodeSQL = `
select code, count(*) as count, max(created_at) as latest from cartstream.dead_letters
where table_name = $1 and resolved_at is null
group by 1 order by 2 desc, 1`
)

// ReadActivity returns what was loaded into the table within the time before
// now.
func ReadActivity(ctx context.Context, pool *pgxpool.Pool, table string, within time.Duration) (*Activity, error) {
	id, err := ParseTable(table)
	if err != nil {
		return nil, err
	}
	a := &Activity{}
	err = reading(ctx, pool, func(tx pgx.Tx) error {
		var target *string
		if err := tx.QueryRow(ctx, "select "+targetSQL, id.Sanitize()).Scan(&target); err != nil {
			return err
		}
		if target == nil {
			return fmt.Errorf("there is no table %s, so nothing was loaded into it", id.Sanitize())
		}
		return a.read(ctx, tx, *target, within)
	})
	return a, err
}

func (a *Activity) read(ctx context.Context, tx pgx.Tx, target string, within time.Duration) error {
	b, l := &a.BatchSeconds, &a.PipelineLatency
	if err := tx.QueryRow(ctx, activitySQL, target, within).Scan(&a.Since, &a.Until, &a.Batches,
		&a.Records, &a.Inserted, &a.Updated, &a.Duplicates, &a.Stale, &a.DeadLetters,
		&a.RecordsPerSecond, &a.DuplicateRate, &a.DeadLetterRate, &b.Average, &b.P50, &b.P99, &b.Max); err != nil {
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
