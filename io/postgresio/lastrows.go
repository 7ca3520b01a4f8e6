package postgresio

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sort"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/transforms/record"
)

// A file whose last record has no line end may have been in the middle of it, and then
// the row is wrong. The ledger keeps such rows. When a longer version of the file has a
// record at the same place that begins with the same bytes and gives another row, the row
// that was stored is reported.

// changedRow is a row of an earlier version of a file that a longer version contradicts.
type changedRow struct {
	file record.File
	line int64
	key  string
	// written tells what became of the new record.
	written string
}

func (c *changedRow) warn() {
	slog.Warn("The row from the end of an earlier version of the file is wrong: that version ended in the middle of the record. "+
		"The record of the longer version "+c.written, "file", c.file.Path, "line", c.line, "key", c.key)
}

// lastRow returns the row of a file's last record if that has no line end.
func (u *unit) lastRow() *row {
	if !u.source.Last || len(u.rows) == 0 {
		return nil
	}
	if r := &u.rows[len(u.rows)-1]; r.offset+int64(r.length) == u.source.End {
		return r
	}
	return nil
}

const enterLastRowSQL = `insert into cartstream.last_rows (file_id, line_number, byte_offset, raw, tuple, load_id)
	values ($1, $2, $3, $4, $5, $6)
	on conflict (file_id) do update set line_number = excluded.line_number, byte_offset = excluded.byte_offset,
		raw = excluded.raw, tuple = excluded.tuple, load_id = excluded.load_id`

// enterLastRows writes the last rows of the batch that have no line end.
func (a *attempt) enterLastRows(ctx context.Context, tx pgx.Tx) error {
	for _, u := range a.batch.units {
		r := u.lastRow()
		if r == nil || !a.claimed[u] || r.outcome != inserted && r.outcome != updated {
			continue
		}
		if _, err := tx.Exec(ctx, enterLastRowSQL, a.ids[u], r.line, r.offset, r.raw(), r.tuple(), a.batch.id); err != nil {
			return err
		}
	}
	return nil
}

// readLastRowsSQL asks about ranges, and leaves out what a version in between was
// compared with. OFFSET 0 and the counting keep the planner from reading all of the tables.
const readLastRowsSQL = `
select v.place, l.line_number, l.byte_offset, l.raw, l.tuple
from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) with ordinality v(name, size, start_byte, end_byte, place)
cross join lateral (
	select file_size, l.* from cartstream.files f join cartstream.last_rows l using (file_id)
	where f.table_name = $1 and md5(f.file_name) = md5(v.name) and f.file_name = v.name
		and f.file_size < v.size and l.byte_offset >= v.start_byte and l.byte_offset < v.end_byte
	offset 0
) l
where (
	select count(*) from cartstream.files f join cartstream.ranges g using (file_id)
	where f.table_name = $1 and md5(f.file_name) = md5(v.name) and f.file_name = v.name
		and f.file_size > l.file_size and f.file_size < v.size
		and g.start_byte <= l.byte_offset and g.end_byte > l.byte_offset
) = 0`

// compareLastRows compares the batch with the last rows of earlier versions of its files.
func (a *attempt) compareLastRows(ctx context.Context, tx pgx.Tx) error {
	a.changed = nil
	var units []*unit
	var paths []string
	var sizes, starts, ends []int64
	for _, u := range a.batch.units {
		if a.claimed[u] && u.source.Records > 0 {
			units, paths = append(units, u), append(paths, u.source.File.Path)
			sizes, starts, ends = append(sizes, u.source.File.Size), append(starts, u.source.Start), append(ends, u.source.End)
		}
	}
	if len(units) == 0 {
		return nil
	}
	names, err := namesFor(ctx, a.conn, paths...)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, readLastRowsSQL, a.e.table.name, names, sizes, starts, ends)
	if err != nil {
		return err
	}
	var place, line, offset int64
	var raw, tuple []byte
	_, err = pgx.ForEachRow(rows, []any{&place, &line, &offset, &raw, &tuple}, func() error {
		u := units[place-1]
		if written := u.contradicts(offset, raw, tuple); written != "" {
			a.changed = append(a.changed, &changedRow{file: u.source.File, line: line, key: a.e.table.key.text(tuple), written: written})
		}
		return nil
	})
	return err
}

// contradicts compares an earlier version's record with the one at its place. It returns
// what became of the new one if the row that was stored before is wrong.
func (u *unit) contradicts(offset int64, raw, tuple []byte) string {
	longer := func(now []byte) bool { return len(now) > len(raw) && bytes.HasPrefix(now, raw) }
	i := sort.Search(len(u.rows), func(i int) bool { return u.rows[i].offset >= offset })
	if i < len(u.rows) && u.rows[i].offset == offset {
		r := &u.rows[i]
		if !longer(r.raw()) || bytes.Equal(r.tuple(), tuple) {
			return ""
		}
		return writtenAs[r.outcome]
	}
	for _, d := range u.dead {
		if d.Offset == offset && longer(d.Raw) {
			return "is a dead letter"
		}
	}
	return ""
}

// writtenAs says what became of a record.
var writtenAs = map[outcome]string{
	inserted:  "was inserted as another row: delete the wrong one",
	updated:   "has overwritten it",
	duplicate: "is a duplicate of it and was not stored: correct the row by hand",
	stale:     "is not newer and was not stored: correct the row by hand",
	rejected:  "was rejected by the database: see the dead letter",
}

// text is the key of a tuple, for people.
func (k *tableKey) text(tuple []byte) string {
	types := pgtype.NewMap()
	var parts []string
	for i, place := range k.places {
		f := tupleField(tuple, place)
		if isNull(f) {
			parts = append(parts, "NULL")
			continue
		}
		parts = append(parts, valueText(types, k.columns[i].typeOID, f[4:]))
	}
	return strings.Join(parts, ", ")
}

// valueText shows a value in the binary form of its type, in hexadecimal if the type is
// not one of PostgreSQL's own.
func valueText(types *pgtype.Map, oid uint32, value []byte) string {
	if t, ok := types.TypeForOID(oid); ok {
		if v, err := t.Codec.DecodeDatabaseSQLValue(types, oid, pgtype.BinaryFormatCode, value); err == nil {
			return fmt.Sprint(v)
		}
	}
	return fmt.Sprintf("%x", value)
}
