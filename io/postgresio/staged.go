package postgresio

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgconn"
)

// insertRows writes rows by INSERT … ON CONFLICT DO NOTHING and finds out
// which of them were stored: slower than COPY, and exact whatever other writers
// and the table's triggers do.
func (a *attempt) insertRows(ctx context.Context, rows []*row) error {
	t := a.e.table
	params, source := arraysOf(rows, t.written, nil)
	if t.arrays {
		params, source = valuesOf(rows[0], t.written)
	}
	sql := fmt.Sprintf("insert into %s (%s) select %s from %s order by k.place on conflict (%s) do nothing returning %s",
		t.quoted, quoteList(a.e.columns), numbered("k.c", len(t.written)), source, t.key.names(), t.key.returning())
	result := a.conn.PgConn().ExecParams(ctx, sql, params, nil, binaryFormats(params), []int16{1})
	var stored []string
	for result.NextRow() {
		stored = append(stored, encodeFields(result.Values()))
	}
	if tag, err := result.Close(); err != nil {
		return err
	} else if len(rows) == 1 && tag.RowsAffected() == 1 {
		rows[0].outcome = inserted
		return nil
	}
	return a.attribute(ctx, rows, stored)
}

// attribute sets the rows' outcomes by the keys that came back. A row that is
// not among them was there before, or was left out by a trigger.
func (a *attempt) attribute(ctx context.Context, rows []*row, stored []string) error {
	byKey := make(map[string][]*row, len(rows))
	for _, r := range rows {
		k := a.e.table.key.encoded(r.tuple()).text
		byKey[k] = append(byKey[k], r)
	}
	came := make(map[string]int, len(stored))
	for _, k := range stored {
		came[k]++
	}
	for k, n := range came {
		if n != len(byKey[k]) { // a trigger changed a key, or left out some of those with NULL
			return errUnattributed
		}
		for _, r := range byKey[k] {
			r.outcome = inserted
		}
	}
	var others []*row
	for _, r := range rows {
		if r.outcome == pending {
			others = append(others, r)
		}
	}
	left, err := a.dropExisting(ctx, others)
	if err != nil {
		return err
	}
	for _, r := range left {
		a.reject(r, &pgconn.PgError{Message: "the row was not stored and no row has its key: a trigger of the table left it out"})
	}
	return nil
}

// insertAtOnce is how many rows insertRows takes: unnest would take arrays
// within arrays apart.
func (a *attempt) insertAtOnce() int {
	if a.e.table.arrays {
		return 1
	}
	return math.MaxInt
}
