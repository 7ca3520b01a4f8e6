package postgresio

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ledgerChecks each return kind, table, file and problem of what is off. Each
// goes once over the ledger's tables as a whole, whatever the number of files.
var ledgerChecks = []string{
	// Each range has its file, its counts and its load; the equation holds for
	// it, and so for each file and in total; and the last one ends with the file,
	// but for what an archive holds, which has an end of its own.
	`select case
			when f.file_id is null or c.inserted is null or l.load_id is null then 'ledger'
			when g.records <> c.inserted + c.updated + c.duplicates + c.stale + c.dead_letters then 'counts'
			else 'coverage' end,
		coalesce(f.table_name, ''), coalesce(f.file_name, ''), case
			when f.file_id is null then format('range at byte %s of file id %s has no entry in cartstream.files', start_byte, file_id)
			when c.inserted is null or l.load_id is null then format('range %s has no counts or no load', g.range_index)
			when g.records <> c.inserted + c.updated + c.duplicates + c.stale + c.dead_letters then
				format('range %s has %s records, but inserted %s + updated %s + duplicates %s + stale %s + dead letters %s = %s', g.range_index, g.records,
					c.inserted, c.updated, c.duplicates, c.stale, c.dead_letters, c.inserted + c.updated + c.duplicates + c.stale + c.dead_letters)
			else format('the last range ends at byte %s of %s', g.end_byte, f.file_size) end
	from cartstream.ranges g
	left join cartstream.range_counts c using (file_id, start_byte)
	left join cartstream.files f using (file_id)
	left join cartstream.loads l using (load_id)
	where f.file_id is null or c.inserted is null or l.load_id is null
		or g.records <> c.inserted + c.updated + c.duplicates + c.stale + c.dead_letters
		or g.is_last and not g.unsplit and g.end_byte <> f.file_size`,
	// Counts are of a range.
	`select 'ledger', coalesce(f.table_name, ''), coalesce(f.file_name, ''), format('there are counts of a range at byte %s, and no such range', start_byte)
	from (
		select file_id, start_byte from cartstream.range_counts c
		where not exists (select from cartstream.ranges g where g.file_id = c.file_id and g.start_byte = c.start_byte)
	) c left join cartstream.files f using (file_id)`,
	// Ranges follow each other in bytes and in lines, none comes after the last,
	// and the first begins at the file's first line, or after what stands there.
	`select 'coverage', f.table_name, f.file_name, case
			when before_index is null then format('range 0 begins at line 1 and byte %s', start_byte)
			when before_last then format('there is a range at byte %s, after the last one', start_byte)
			when before_index = range_index - 1 and before_end = start_byte then
				format('range %s begins at line %s, the range before it ends at line %s', range_index, first_line, before_line)
			else format('range %s begins at byte %s, the range before it ends at byte %s', range_index, start_byte, before_end) end
	from (
		select *, lag(end_byte) over w as before_end, lag(range_index) over w as before_index, lag(is_last) over w as before_last,
			case when lag(lines) over w > 0 then lag(first_line + lines) over w end as before_line
		from cartstream.ranges window w as (partition by file_id order by start_byte)
	) g join cartstream.files f using (file_id)
	where before_index = range_index - 1 and (before_end <> start_byte or before_line <> first_line)
		or before_index >= range_index or before_end > start_byte or before_last
		or before_index is null and range_index = 0 and first_line = 1 and start_byte > 3`,
	// The ledger's count of dead letters against those that are there.
	`select 'dead_letters', coalesce(f.table_name, ''), coalesce(f.file_name, ''),
		format('the ledger counts %s dead letters, cartstream.dead_letters holds %s', coalesce(c.n, 0), coalesce(d.n, 0))
	from (select file_id, sum(dead_letters) as n from cartstream.range_counts where dead_letters <> 0 group by 1) c
	full join (select file_id, count(*) as n from cartstream.dead_letters group by 1) d using (file_id)
	left join cartstream.files f using (file_id)
	where coalesce(c.n, 0) <> coalesce(d.n, 0)`,
	// What each load counted against its ranges.
	`select 'totals', l.table_name, '', format('records, inserted, updated, duplicates, stale and dead letters of the load %s sum to %s, those of its ranges to %s',
		l.load_id, array[l.records, l.inserted, l.updated, l.duplicates, l.stale, l.dead_letters], coalesce(r.sums, '{0,0,0,0,0,0}'))
	from cartstream.loads l left join (
		select load_id, array[sum(records), sum(inserted), sum(updated), sum(duplicates), sum(stale), sum(dead_letters)]::bigint[] as sums
		from cartstream.ranges join cartstream.range_counts using (file_id, start_byte) group by 1
	) r using (load_id)
	where array[l.records, l.inserted, l.updated, l.duplicates, l.stale, l.dead_letters] <> coalesce(r.sums, '{0,0,0,0,0,0}')`,
}

// summarySQL asks the view about the files that are not loaded only. A file of
// one range is loaded with it.
const summarySQL = `
with rest as materialized (
	select f.file_id from cartstream.files f left join (
		select file_id, count(*) = max(range_index) filter (where is_last) + 1 as loaded from cartstream.ranges
		where not (is_last and range_index = 0) group by 1
	) r using (file_id)
	where r.loaded is not true
		and not exists (select from cartstream.ranges g where g.file_id = f.file_id and g.is_last and g.range_index = 0)
), open as (
	select count(*) filter (where h.status = 'loading') as loading, count(*) filter (where h.status = 'failed') as failed
	from rest cross join lateral (select status from cartstream.load_history where file_id = rest.file_id offset 0) h
)
select (select count(*) from cartstream.files), loading, failed, (select coalesce(sum(records), 0)::bigint from cartstream.ranges), c.*
from open, (
	select coalesce(sum(inserted), 0)::bigint, coalesce(sum(updated), 0)::bigint, coalesce(sum(duplicates), 0)::bigint,
		coalesce(sum(stale), 0)::bigint, coalesce(sum(dead_letters), 0)::bigint
	from cartstream.range_counts
) c`

// verifyLedger checks the ledger, and counts the table's rows.
func (v *Verification) verifyLedger(ctx context.Context, tx pgx.Tx, table string) error {
	if err := tx.QueryRow(ctx, summarySQL).Scan(&v.Files, &v.Loading, &v.Failed,
		&v.Records, &v.Inserted, &v.Updated, &v.Duplicates, &v.Stale, &v.Errors); err != nil {
		return err
	}
	for _, check := range ledgerChecks {
		if err := v.run(ctx, tx, check); err != nil {
			return err
		}
	}
	missing, err := missingRows(ctx, tx, table)
	v.addAll(missing)
	return err
}

// run runs a check; it keeps the first findings and counts all.
func (v *Verification) run(ctx context.Context, tx pgx.Tx, check string) error {
	rows, err := tx.Query(ctx, `select * from (`+check+`) off(kind, table_name, file_name, problem) order by 1, 2, 3, 4`)
	if err != nil {
		return err
	}
	var f Finding
	_, err = pgx.ForEachRow(rows, []any{&f.Kind, &f.Table, &f.File, &f.Problem}, func() error {
		v.add(f)
		return nil
	})
	return err
}
