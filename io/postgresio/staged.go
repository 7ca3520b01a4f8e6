package postgresio

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// insertRows writes rows by INSERT … ON CONFLICT DO NOTHING and finds out
// which of them were stored: slower than COPY, and exact whatever other writers
// and the table's triggers do.
func (a *attempt) insertRows(ctx context.Context, rows []*row) error {
	t := a.e.table
	array := keyArrayType(t.key)
	params, casts := columnArrays(rows, a.e.columns, t)
	source := "unnest(%s) with ordinality v(%s, place) order by place"
	if t.arrays {
		params, casts = columnValues(rows[0], a.e.columns, t)
		source = "(values (%s)) v(%s)"
	}
	names := make([]string, len(casts))
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	sql := fmt.Sprintf(`insert into %s (%s) select %s from `+source+` on conflict (%s) do nothing returning %s::%s`,
		t.quoted, quoteList(a.e.columns), strings.Join(names, ", "), strings.Join(casts, ", "), strings.Join(names, ", "),
		pgx.Identifier{t.key.name}.Sanitize(), pgx.Identifier{t.key.name}.Sanitize(), array)
	formats := make([]int16, len(params))
	for i := range formats {
		formats[i] = 1
	}
	result := a.conn.PgConn().ExecParams(ctx, sql, params, nil, formats, []int16{1})
	var stored []key
	for result.NextRow() {
		if k, ok := readKey(result.Values()[0], array); ok {
			stored = append(stored, k)
		}
	}
	if tag, err := result.Close(); err != nil {
		return err
	} else if len(rows) == 1 && tag.RowsAffected() == 1 {
		rows[0].outcome = inserted
		return nil
	} else if tag.RowsAffected() != int64(len(stored)) {
		return errUnattributed
	}
	return a.attribute(ctx, rows, stored)
}

// attribute sets the rows' outcomes by the keys that came back. A row that is
// not among them was there before, or was left out by a trigger.
func (a *attempt) attribute(ctx context.Context, rows []*row, stored []key) error {
	byKey := make(map[key]*row, len(rows))
	for _, r := range rows {
		byKey[r.key] = r
	}
	for _, k := range stored {
		if byKey[k] == nil {
			return errUnattributed
		}
		delete(byKey, k)
	}
	var others []*row
	for _, r := range rows {
		if byKey[r.key] == nil {
			r.outcome = inserted
		} else {
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

// columnValues turns a tuple into a parameter for each column.
func columnValues(r *row, columns []string, t *table) (params [][]byte, casts []string) {
	fields := r.tuple()[2:]
	for i, name := range columns {
		c, _ := t.column(name)
		casts = append(casts, fmt.Sprintf("$%d::%s", i+1, c.typeName))
		length := int32(binary.BigEndian.Uint32(fields))
		fields = fields[4:]
		if length < 0 {
			params = append(params, nil)
			continue
		}
		params = append(params, fields[:length:length])
		fields = fields[length:]
	}
	return params, casts
}

// columnArrays turns tuples into an array for each column: an element of an
// array has the same form as a field of a tuple.
func columnArrays(rows []*row, columns []string, t *table) (params [][]byte, casts []string) {
	params = make([][]byte, len(columns))
	casts = make([]string, len(columns))
	for i, name := range columns {
		c, _ := t.column(name)
		params[i] = appendArrayHeader(nil, c.oid, len(rows))
		casts[i] = fmt.Sprintf("$%d::%s[]", i+1, c.typeName)
	}
	for _, r := range rows {
		fields := r.tuple()[2:]
		for i := range columns {
			n := 4
			if length := int32(binary.BigEndian.Uint32(fields)); length > 0 {
				n += int(length)
			}
			params[i] = append(params[i], fields[:n]...)
			fields = fields[n:]
		}
	}
	return params, casts
}
