package postgresio

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// loadsOfRunSQL sums up what a run has committed, in whatever processes.
const loadsOfRunSQL = `
select count(*) filter (where g.ranges > 0), coalesce(sum(l.records), 0)::bigint, coalesce(sum(l.inserted), 0)::bigint,
	coalesce(sum(l.updated), 0)::bigint, coalesce(sum(l.duplicates), 0)::bigint, coalesce(sum(l.stale), 0)::bigint,
	coalesce(sum(l.dead_letters), 0)::bigint, coalesce(sum(l.changed_rows), 0)::bigint, coalesce(sum(g.files), 0)::bigint, o.failed, o.unreadable
from (select count(distinct file_id) filter (where status = 'failed') as failed,
		count(*) filter (where status = 'unreadable') as unreadable
	from cartstream.file_outcomes where run = $1) o
left join cartstream.loads l on l.run = $1
left join lateral (
	select count(*) as ranges, count(*) filter (where is_last) as files
	from cartstream.ranges where load_id = l.load_id
) g on true
group by o.failed, o.unreadable`

// RunTotals returns what the run has committed so far in all processes. While
// the database is in trouble it waits, until ctx or the run ends.
func (l Ledger) RunTotals(ctx context.Context) (t Totals, err error) {
	err = l.ask(ctx, "asking the ledger", func(ctx context.Context, tx pgx.Tx, _ string) error {
		return tx.QueryRow(ctx, loadsOfRunSQL, l.Run).Scan(&t.Batches, &t.Records, &t.Inserted, &t.Updated, &t.Duplicates,
			&t.Stale, &t.DeadLetters, &t.ChangedRows, &t.Files, &t.FailedFiles, &t.UnreadableFiles)
	})
	return t, err
}
