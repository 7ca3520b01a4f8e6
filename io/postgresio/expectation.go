package postgresio

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Expectation is what loading some files into an empty table must give.
type Expectation struct {
	Files                []ExpectedFile
	Inserted, Duplicates int64
	// DeadLetters counts them by code.
	DeadLetters map[string]int64
}

// ExpectedFile is a file that must be loaded. It is known by its name, without
// folders, and its size.
type ExpectedFile struct {
	Name                  string
	Size, Records, Errors int64
}

// expectedSQL joins the expected files with those of the table's ledger.
const expectedSQL = `
with wanted as (
	select * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) w(name, size, records, errors)
), found as (
	select w.*, h.* from wanted w
	left join cartstream.load_history h on regexp_replace(h.file_name, '^.*/', '') = w.name and h.file_size = w.size
		and h.table_name = ` + targetSQL + `
)`

// check compares file by file, then the totals, then the table itself.
func (e *Expectation) check(ctx context.Context, tx pgx.Tx, table string) ([]Finding, error) {
	id, err := ParseTable(table)
	if err != nil {
		return nil, err
	}
	var paths []string
	var sizes, records, errors []int64
	for _, f := range e.Files {
		paths, sizes = append(paths, f.Name), append(sizes, f.Size)
		records, errors = append(records, f.Records), append(errors, f.Errors)
	}
	names, err := namesFor(ctx, tx.Conn(), paths...)
	if err != nil {
		return nil, err
	}
	args := []any{id.Sanitize(), names, sizes, records, errors}
	rows, _ := tx.Query(ctx, expectedSQL+`
		select 'manifest', coalesce(table_name, ''), name, 0::bigint, '', case
			when status is null then 'is not in the ledger'
			when status <> 'loaded' then 'is ' || status
			else format('has %s records and %s dead letters, the manifest says %s and %s', row_parsed, error_count, records, errors) end
		from found where status is distinct from 'loaded' or row_parsed <> records or error_count <> errors`, args...)
	findings, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Finding])
	if err != nil {
		return nil, err
	}
	totals, err := e.checkTotals(ctx, tx, args)
	if err != nil {
		return nil, err
	}
	inTable, err := e.checkTable(ctx, tx, id)
	return slices.Concat(findings, totals, inTable), err
}

func (e *Expectation) checkTotals(ctx context.Context, tx pgx.Tx, args []any) (findings []Finding, err error) {
	var ins, dup int64
	if err := tx.QueryRow(ctx, expectedSQL+`select coalesce(sum(row_count), 0)::bigint, coalesce(sum(duplicate_count + updated_count + stale_count), 0)::bigint from found`,
		args...).Scan(&ins, &dup); err != nil {
		return nil, err
	}
	compare := func(what string, is, want int64) {
		if is != want {
			findings = append(findings, Finding{Kind: OffManifest, Problem: fmt.Sprintf("%s: %d, the manifest says %d", what, is, want)})
		}
	}
	compare("inserted", ins, e.Inserted)
	compare("duplicates", dup, e.Duplicates)
	rows, _ := tx.Query(ctx, expectedSQL+`select d.code, count(*) from found join cartstream.dead_letters d using (file_id) group by 1`, args...)
	byCode := map[string]int64{}
	var code string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&code, &n}, func() error {
		byCode[code] = n
		return nil
	}); err != nil {
		return nil, err
	}
	codes := maps.Clone(byCode)
	maps.Copy(codes, e.DeadLetters)
	for _, c := range slices.Sorted(maps.Keys(codes)) {
		compare("dead letters of "+c, byCode[c], e.DeadLetters[c])
	}
	return findings, nil
}

// checkTable counts the table's rows, which the ledger must account for.
func (e *Expectation) checkTable(ctx context.Context, tx pgx.Tx, id pgx.Identifier) ([]Finding, error) {
	var rows, loaded int64
	if err := tx.QueryRow(ctx, `select count(*) from `+id.Sanitize()).Scan(&rows); err != nil {
		return nil, err
	}
	if err := tx.QueryRow(ctx, `select coalesce(sum(l.inserted), 0)::bigint from cartstream.loads l
		where l.table_name = `+targetSQL,
		id.Sanitize()).Scan(&loaded); err != nil {
		return nil, err
	}
	if rows != loaded {
		return []Finding{{Kind: OffTable, Table: id.Sanitize(), Problem: fmt.Sprintf("the table has %d rows, the ledger inserted %d: somebody else writes to it, or deletes", rows, loaded)}}, nil
	}
	return nil, nil
}
