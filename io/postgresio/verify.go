package postgresio

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Finding is something in the ledger that is off.
type Finding struct {
	Table   string `json:"table,omitempty"`
	File    string `json:"file,omitempty"`
	Problem string `json:"problem"`
}

// Verification is what Verify looked at and found.
type Verification struct {
	Files      int64     `json:"files"`
	Loading    int64     `json:"loading"`
	Failed     int64     `json:"failed"`
	Records    int64     `json:"records"`
	Inserted   int64     `json:"inserted"`
	Updated    int64     `json:"updated"`
	Duplicates int64     `json:"duplicates"`
	Stale      int64     `json:"stale"`
	Errors     int64     `json:"errors"`
	Findings   []Finding `json:"findings"`
}

// verifyChecks each return table, file and problem of what is off.
var verifyChecks = []string{
	// The equation, for each file, by the ledger's own counts.
	`select table_name, file_name, format('records %s, but inserted %s + updated %s + duplicates %s + stale %s + dead letters %s = %s',
		row_parsed, row_count, updated_count, duplicate_count, stale_count, error_count, row_count + updated_count + duplicate_count + stale_count + error_count)
	from cartstream.load_history
	where row_parsed <> row_count + updated_count + duplicate_count + stale_count + error_count`,
	// The ledger's count of dead letters against those that are there.
	`select h.table_name, h.file_name, format('the ledger counts %s dead letters, cartstream.dead_letters holds %s', h.error_count, d.n)
	from cartstream.load_history h
	join lateral (select count(*) as n from cartstream.dead_letters d where d.file_id = h.file_id) d on true
	where d.n <> h.error_count`,
	// Ranges: each begins where the one before it ends, in bytes.
	`select f.table_name, f.file_name, format('range %s begins at byte %s, the range before it ends at byte %s', g.range_index, g.start_byte, g.before_end)
	from (
		select *, lag(end_byte) over w as before_end, lag(range_index) over w as before_index
		from cartstream.ranges window w as (partition by file_id order by start_byte)
	) g join cartstream.files f using (file_id)
	where g.before_index = g.range_index - 1 and g.before_end <> g.start_byte
		or g.before_index is not null and (g.before_index >= g.range_index or g.before_end > g.start_byte)`,
	// A loaded file is covered to its end; what an archive holds has an end of
	// its own.
	`select h.table_name, h.file_name, format('the last range ends at byte %s of %s', g.end_byte, h.file_size)
	from cartstream.load_history h join cartstream.ranges g on g.file_id = h.file_id and g.is_last
	where g.end_byte <> h.file_size and not g.unsplit`,
	// Every range has its counts and its load.
	`select f.table_name, f.file_name, format('range %s has no counts or no load', g.range_index)
	from cartstream.ranges g join cartstream.files f using (file_id)
	left join cartstream.range_counts c using (file_id, start_byte) left join cartstream.loads l using (load_id)
	where c.file_id is null or l.load_id is null`,
	// Counts are of a range.
	`select coalesce(f.table_name, ''), coalesce(f.file_name, ''), format('there are counts of a range at byte %s, and no such range', c.start_byte)
	from cartstream.range_counts c left join cartstream.files f using (file_id) left join cartstream.ranges g using (file_id, start_byte)
	where g.file_id is null`,
	// A range is of a file.
	`select '', '', format('there is a range at byte %s of the file with the number %s, and no such file', g.start_byte, g.file_id)
	from cartstream.ranges g left join cartstream.files f using (file_id)
	where f.file_id is null`,
	// The totals of the loads against those of the ranges.
	`select table_name, '', format('records, inserted, updated, duplicates, stale and dead letters sum to %s by the loads and to %s by the ranges', l.sums, r.sums)
	from (
		select table_name, array[sum(records), sum(inserted), sum(updated), sum(duplicates), sum(stale), sum(dead_letters)] as sums
		from cartstream.loads group by 1
	) l full join (
		select table_name, array[sum(row_parsed), sum(row_count), sum(updated_count), sum(duplicate_count), sum(stale_count), sum(error_count)] as sums
		from cartstream.load_history group by 1
	) r using (table_name)
	where coalesce(l.sums, '{0,0,0,0,0,0}') <> coalesce(r.sums, '{0,0,0,0,0,0}')`,
}

const summarySQL = `
select count(*), count(*) filter (where status = 'loading'), count(*) filter (where status = 'failed'),
	coalesce(sum(row_parsed), 0)::bigint, coalesce(sum(row_count), 0)::bigint, coalesce(sum(updated_count), 0)::bigint,
	coalesce(sum(duplicate_count), 0)::bigint, coalesce(sum(stale_count), 0)::bigint, coalesce(sum(error_count), 0)::bigint
from cartstream.load_history`

// missingRows compares the number of rows in the table with those that the
// ledger inserted. More are none of its business: others may write too.
func missingRows(ctx context.Context, tx pgx.Tx, table string) ([]Finding, error) {
	id, err := ParseTable(table)
	if err != nil {
		return nil, err
	}
	var loaded, rows int64
	err = tx.QueryRow(ctx, `select coalesce(sum(inserted), 0)::bigint from cartstream.loads where table_name = `+targetSQL, id.Sanitize()).Scan(&loaded)
	if err != nil || loaded == 0 {
		return nil, err
	}
	if err := tx.QueryRow(ctx, `select count(*) from `+id.Sanitize()).Scan(&rows); err != nil || rows >= loaded {
		return nil, err
	}
	return []Finding{{Table: id.Sanitize(), Problem: fmt.Sprintf("the table has %d rows, the ledger inserted %d: somebody has deleted some", rows, loaded)}}, nil
}

// Verify checks the ledger against itself and the dead letters, as of one
// moment: records = inserted + updated + duplicates + stale + dead letters for each
// file and in total, ranges that cover each file without gap or overlap, and
// as many rows in the table as were inserted. expected, unless nil, says what must have been loaded into the table, and
// that nothing else was.
func Verify(ctx context.Context, pool *pgxpool.Pool, table string, expected *Expectation) (*Verification, error) {
	v := &Verification{Findings: []Finding{}}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		// Here whole tables are read, and scans are right.
		if _, err := tx.Exec(ctx, "set local enable_seqscan = on"); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, summarySQL).Scan(&v.Files, &v.Loading, &v.Failed,
			&v.Records, &v.Inserted, &v.Updated, &v.Duplicates, &v.Stale, &v.Errors); err != nil {
			return err
		}
		for _, check := range verifyChecks {
			rows, err := tx.Query(ctx, check)
			if err != nil {
				return err
			}
			found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Finding])
			if err != nil {
				return err
			}
			v.Findings = append(v.Findings, found...)
		}
		missing, err := missingRows(ctx, tx, table)
		v.Findings = append(v.Findings, missing...)
		if err != nil || expected == nil {
			return err
		}
		found, err := expected.check(ctx, tx, table)
		v.Findings = append(v.Findings, found...)
		return err
	})
	return v, err
}
