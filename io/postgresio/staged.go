package postgresio

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// insertRows writes rows by INSERT … ON CONFLICT DO NOTHING and finds out
// which of them were stored: slower than COPY, and exact whatever other writers
// and the table's triggers do.
func (a *attempt) insertRows(ctx context.Context, rows []*row) error {
	sql, params := a.e.table.insertSQL(rows)
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
	return a.attribute(rows, stored)
}

// insertSQL is the statement, and its parameters. It is the same for any one
// row.
func (t *table) insertSQL(rows []*row) (sql string, params [][]byte) {
	params, source := t.send(rows, t.written, nil)
	return fmt.Sprintf("insert into %s (%s) select %s from %s order by k.place on conflict (%s) do nothing returning %s",
		t.quoted, quoteColumns(t.written), numbered("k.c", len(t.written)), source, t.key.names(), t.key.returning()), params
}

// attribute sets the rows' outcomes by the keys that came back. A row that is
// not among them was there before, or was left out by a trigger; the next look
// tells.
func (a *attempt) attribute(rows []*row, stored []string) error {
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
	return nil
}

// updateRows writes rows over those that the table has, where they are newer,
// and finds out which.
func (a *attempt) updateRows(ctx context.Context, rows []*row) error {
	sql, params := a.e.table.updateSQL(rows)
	result := a.conn.PgConn().ExecParams(ctx, sql, params, nil, binaryFormats(params), []int16{1})
	for result.NextRow() {
		rows[binary.BigEndian.Uint64(result.Values()[0])-1].outcome = updated
	}
	_, err := result.Close()
	return err
}

// updateSQL is the statement, and its parameters. It is the same for any one
// row.
func (t *table) updateSQL(rows []*row) (sql string, params [][]byte) {
	n := len(t.key.columns)
	params, source := t.send(rows, t.updateColumns(), slices.Concat(t.key.places, t.rule.places))
	version := ""
	if t.rule.versionAt >= 0 {
		version = fmt.Sprintf("k.c%d", n+slices.Index(t.rule.places, t.rule.versionAt))
	}
	return fmt.Sprintf("update %s t set %s from %s where %s and %s returning k.place",
		t.quoted, t.rule.updateList(n), source, t.key.matches(), t.rule.newer(version)), params
}

// updateColumns are those of updateSQL's parameters.
func (t *table) updateColumns() []column { return slices.Concat(t.key.columns, t.rule.columns) }

// send is arraysOf, or valuesOf for one row and where a column is an array
// itself.
func (t *table) send(rows []*row, columns []column, places []int) (params [][]byte, source string) {
	if t.arrays || len(rows) == 1 {
		return valuesOf(rows[0], columns, places)
	}
	return arraysOf(rows, columns, places)
}

// stagedAtOnce is how many rows send takes: unnest would take arrays within
// arrays apart.
func (a *attempt) stagedAtOnce() int { return a.e.table.atOnce(math.MaxInt) }

func (t *table) atOnce(n int) int {
	if t.arrays {
		return 1
	}
	return n
}
