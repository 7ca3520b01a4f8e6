package postgresio

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/transforms/record"
)

// check looks for what a batch holds: first the dead letters, which tell the
// rows that PostgreSQL refused, then the rows.
func (r *rereader[T]) check(ctx context.Context, b rereadBatch) error {
	defer r.tell(ctx, b.read)
	if len(b.units) == 0 {
		return nil
	}
	facts, err := r.factsOf(ctx, b.units)
	if err != nil {
		return err
	}
	var s sorted
	for i, u := range b.units {
		r.sortOut(u, r.compareDeadLetters(u, facts[i].letters), facts[i], &s)
	}
	byKey := func(a, b *rereadRow) int { return a.key.compare(b.key) }
	slices.SortFunc(s.whole, byKey)
	slices.SortFunc(s.keyed, byKey)
	if err := r.narrow(ctx, s.whole, r.lookForRows); err != nil {
		return err
	}
	if err := r.narrow(ctx, s.keyed, r.lookForKeys); err != nil {
		return err
	}
	return r.lookForLone(ctx, s.lone)
}

// sorted are rows by how they are looked for.
type sorted struct{ whole, keyed, lone []*rereadRow }

// rereadRow is a record that must have a row.
type rereadRow struct {
	*row
	file      *ledgerFile
	duplicate bool
}

// letter is a dead letter as the database has it.
type letter struct {
	line int64
	code string
	hash []byte // of its bytes
}

// rangeFacts is what the database has of a range beside its rows.
type rangeFacts struct {
	letters []letter
	// duplicates are where in the file duplicates stand. unknown tells that
	// there are some, and that nobody noted where.
	duplicates []run
	unknown    bool
}

func (v *verifier) factsOf(ctx context.Context, units []*rereadUnit) ([]rangeFacts, error) {
	facts := make([]rangeFacts, len(units))
	var files []uuid.UUID
	var starts, lines, ends []int64
	for _, u := range units {
		files, starts = append(files, u.file.id), append(starts, u.source.Start)
		lines, ends = append(lines, u.source.FirstLine), append(ends, u.source.FirstLine+max(u.source.Lines, 1))
	}
	rows, err := v.tx.Query(ctx, `select k.place, c.duplicates, c.duplicate_places
		from unnest($1::uuid[], $2::bigint[]) with ordinality k(file_id, start_byte, place)
		join cartstream.range_counts c using (file_id, start_byte)`, files, starts)
	if err != nil {
		return nil, err
	}
	var place, duplicates int64
	var places []byte
	if _, err := pgx.ForEachRow(rows, []any{&place, &duplicates, &places}, func() error {
		f := &facts[place-1]
		f.duplicates, f.unknown = readPlaces(places, starts[place-1]), places == nil && duplicates > 0
		return nil
	}); err != nil {
		return nil, err
	}
	rows, err = v.tx.Query(ctx, `select k.place, d.line_number, d.code, decode(md5(d.raw), 'hex')
		from unnest($1::uuid[], $2::bigint[], $3::bigint[]) with ordinality k(file_id, line, next, place)
		join cartstream.dead_letters d on d.file_id = k.file_id and d.line_number >= k.line and d.line_number < k.next
		order by k.place, d.line_number, d.id`, files, lines, ends)
	if err != nil {
		return nil, err
	}
	var l letter
	_, err = pgx.ForEachRow(rows, []any{&place, &l.line, &l.code, &l.hash}, func() error {
		facts[place-1].letters = append(facts[place-1].letters, l)
		return nil
	})
	return facts, err
}

// compareDeadLetters holds a range's faults against the dead letters that are
// there, and returns the rows that are none of them.
func (r *rereader[T]) compareDeadLetters(u *rereadUnit, letters []letter) []*row {
	there := make(map[int64][]letter, len(letters))
	for _, l := range letters {
		there[l.line] = append(there[l.line], l)
	}
	for _, d := range u.dead {
		found := there[d.Line]
		if len(found) == 0 {
			r.off(u.file, OffDeadLetterMissing, d.Line, "there is no dead letter of the record, which is no row: "+d.Fault.Error())
			continue
		}
		if there[d.Line] = found[1:]; found[0].code != d.Fault.Code {
			r.off(u.file, OffDeadLetterDiffers, d.Line, fmt.Sprintf("the dead letter says %s, the record gives %s", found[0].code, d.Fault.Error()))
		} else if hash := md5.Sum(d.Raw); !bytes.Equal(hash[:], found[0].hash) {
			r.off(u.file, OffDeadLetterDiffers, d.Line, "the dead letter holds other bytes than the file")
		}
	}
	rows := make([]*row, 0, len(u.rows))
	for i := range u.rows {
		w := &u.rows[i]
		if found := there[w.line]; len(found) > 0 && found[0].code == record.CodeRejectedByDatabase {
			there[w.line] = found[1:]
			continue
		}
		rows = append(rows, w)
	}
	for line, left := range there {
		for _, l := range left {
			r.off(u.file, OffDeadLetterUnexplained, line, "there is a dead letter ("+l.code+"), and the record at its line gives none")
		}
	}
	return rows
}

// sortOut parts rows into those that must be in the table as they are, those
// whose key must be there, and those with a NULL in their key, which are like no
// other.
func (r *rereader[T]) sortOut(u *rereadUnit, rows []*row, facts rangeFacts, s *sorted) {
	runs := facts.duplicates
	for _, w := range rows {
		for len(runs) > 0 && runs[0].end <= w.offset {
			runs = runs[1:]
		}
		row := &rereadRow{row: w, file: u.file}
		switch {
		case r.table.key.lone(w):
			s.lone = append(s.lone, row)
		case len(runs) > 0 && runs[0].start <= w.offset:
			row.duplicate = true
			s.keyed = append(s.keyed, row)
		case r.keysOnly || facts.unknown:
			s.keyed = append(s.keyed, row)
		default:
			s.whole = append(s.whole, row)
		}
	}
}

// lone tells that the row is like no other, because there is a NULL in its key.
func (k *tableKey) lone(r *row) bool {
	return !k.nullsEqual && slices.ContainsFunc(k.places, func(place int) bool { return isNull(tupleField(r.tuple(), place)) })
}

// lookFunc looks for rows, of which there is one or more, and returns what is
// off.
type lookFunc func(context.Context, []*rereadRow) ([]Finding, error)

// narrow looks for rows. Where PostgreSQL can't even compare a value with its
// column, the rows are halved until it is one, which then is in no table.
func (r *rereader[T]) narrow(ctx context.Context, rows []*rereadRow, look lookFunc) error {
	if len(rows) == 0 {
		return nil
	}
	var found []Finding
	err := pgx.BeginFunc(ctx, r.tx, func(pgx.Tx) (err error) {
		found, err = look(ctx, rows)
		return err
	})
	reason, isRow := isRowFault(err)
	switch {
	case err == nil:
		r.v.addAll(found)
		return nil
	case !isRow:
		return err
	case len(rows) == 1:
		r.off(rows[0].file, OffRowMissing, rows[0].line, "there is no row of the record, whose values PostgreSQL refuses: "+reason.Message)
		return nil
	}
	half := len(rows) / 2
	if err := r.narrow(ctx, rows[:half], look); err != nil {
		return err
	}
	return r.narrow(ctx, rows[half:], look)
}

// lookForKeys looks for the rows' keys.
func (r *rereader[T]) lookForKeys(ctx context.Context, rows []*rereadRow) ([]Finding, error) {
	t := r.table
	return r.ask(ctx, rows, t.key.columns, t.key.places, func(source string) string {
		return fmt.Sprintf("select k.place, null, %s from %s where not exists (select from %s t where %s offset 0)",
			t.key.show(), source, t.quoted, t.key.matches())
	})
}

// lookForRows looks for rows by their keys and compares all columns that are
// written, as the table's own types do, after the rounding that storing does.
func (r *rereader[T]) lookForRows(ctx context.Context, rows []*rereadRow) ([]Finding, error) {
	t := r.table
	columns, places := t.keyFirst()
	same, stored, differ := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		name := pgx.Identifier{c.name}.Sanitize()
		same[i] = c.isAs("t."+name, i)
		stored[i] = fmt.Sprintf("t.%s as v%d", name, i)
		differ[i] = fmt.Sprintf("case when not (%s) then %s end", c.isAs(fmt.Sprintf("v.v%d", i), i), quoteLiteral(c.name))
	}
	return r.ask(ctx, rows, columns, places, func(source string) string {
		return fmt.Sprintf(`select k.place, case when v.same is not null then array_to_string(array[%s], ', ') end, %s
			from %s left join lateral (select %s as same, %s from %s t where %s offset 0) v on true where v.same is not true`,
			strings.Join(differ, ", "), t.key.show(), source, strings.Join(same, " and "), strings.Join(stored, ", "), t.quoted, t.key.matches())
	})
}

// lookForLone looks for rows with a NULL in their key by all their values, those
// with the same columns NULL together, so that PostgreSQL can join them.
func (r *rereader[T]) lookForLone(ctx context.Context, rows []*rereadRow) error {
	if len(rows) == 0 {
		return nil
	}
	t := r.table
	columns, places := t.keyFirst()
	if r.keysOnly {
		columns, places = t.key.columns, t.key.places
	}
	// The table is joined as a whole, there is no index to go by.
	if _, err := r.tx.Exec(ctx, "set local enable_seqscan = on"); err != nil {
		return err
	}
	byNulls := map[string][]*rereadRow{}
	for _, w := range rows {
		nulls := make([]byte, len(places))
		for i, place := range places {
			nulls[i] = byte(boolInt(isNull(tupleField(w.tuple(), place))))
		}
		byNulls[string(nulls)] = append(byNulls[string(nulls)], w)
	}
	for nulls, alike := range byNulls {
		conditions := make([]string, len(columns))
		for i, c := range columns {
			name := "t." + pgx.Identifier{c.name}.Sanitize()
			if conditions[i] = c.equals(name, i); nulls[i] == 1 {
				conditions[i] = name + " is null"
			}
		}
		look := func(ctx context.Context, rows []*rereadRow) ([]Finding, error) {
			return r.ask(ctx, rows, columns, places, func(source string) string {
				return fmt.Sprintf("select k.place, null, %s from %s where not exists (select from %s t where %s)",
					t.key.show(), source, t.quoted, strings.Join(conditions, " and "))
			})
		}
		if err := r.narrow(ctx, alike, look); err != nil {
			return err
		}
	}
	_, err := r.tx.Exec(ctx, "set local enable_seqscan = off")
	return err
}

// ask sends a query over rows, which returns the place of each that is off, the
// columns in which it differs, NULL where it is missing, and its key.
func (r *rereader[T]) ask(ctx context.Context, rows []*rereadRow, columns []column, places []int, query func(source string) string) (found []Finding, err error) {
	for chunk := range slices.Chunk(rows, r.table.atOnce(len(rows))) {
		params, source := r.table.send(tuplesOf(chunk), columns, places)
		result := r.tx.Conn().PgConn().ExecParams(ctx, query(source), params, nil, binaryFormats(params), nil)
		for result.NextRow() {
			values := result.Values()
			place, err := strconv.Atoi(string(values[0]))
			if err != nil {
				return nil, err
			}
			found = append(found, r.rowFinding(chunk[place-1], values[1], string(values[2])))
		}
		if _, err := result.Close(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (r *rereader[T]) rowFinding(w *rereadRow, differs []byte, key string) Finding {
	f := Finding{Kind: OffRowMissing, Table: r.table.name, File: w.file.name, Line: w.line, Key: key}
	switch {
	case differs != nil:
		f.Kind = OffRowDiffers
		f.Problem = "the row is not as the record has it, in " + string(differs)
	case w.duplicate:
		f.Problem = "the record was a duplicate, and there is no row with its key"
	case r.table.key.lone(w.row):
		f.Problem = "there is no row with the record's values, whose key has a NULL"
	default:
		f.Problem = "there is no row with the record's key"
	}
	return f
}

func tuplesOf(rows []*rereadRow) []*row {
	all := make([]*row, len(rows))
	for i, w := range rows {
		all[i] = w.row
	}
	return all
}

// keyFirst are the columns that are written, those of the key first, and their
// places in a tuple.
func (t *table) keyFirst() (columns []column, places []int) {
	columns, places = slices.Clone(t.key.columns), slices.Clone(t.key.places)
	for place, c := range t.written {
		if !t.key.has(c.name) {
			columns, places = append(columns, c), append(places, place)
		}
	}
	return columns, places
}

// show is the key of the row k as text.
func (k *tableKey) show() string {
	parts := make([]string, len(k.columns))
	for i, c := range k.columns {
		parts[i] = fmt.Sprintf("%s || coalesce(k.c%d::text, 'NULL')", quoteLiteral(c.name+"="), i)
	}
	return "concat_ws(', ', " + strings.Join(parts, ", ") + ")"
}

// comparable are the types that are compared as they are; others, which have no
// equality or an array's, are compared as text.
var comparableOIDs = slices.Concat(integerOIDs, networkOIDs, []uint32{
	pgtype.UUIDOID, pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.BoolOID, pgtype.ByteaOID,
	pgtype.Float4OID, pgtype.Float8OID, pgtype.IntervalOID, pgtype.JSONBOID,
})

// sides are an expression and the row k's value of the column, in a form in
// which equal is what storing the value gives.
func (c column) sides(expression string, i int) (left, right string) {
	switch {
	case isText(c):
		return expression + `::text collate "C"`, fmt.Sprintf(`k.c%d::text collate "C"`, i)
	case slices.Contains(comparableOIDs, c.typeOID):
		return expression, fmt.Sprintf("k.c%d::%s", i, c.exactName)
	}
	return expression + `::text collate "C"`, fmt.Sprintf(`k.c%d::%s::text collate "C"`, i, c.exactName)
}

// isAs is the condition that an expression has the row k's value.
func (c column) isAs(expression string, i int) string {
	left, right := c.sides(expression, i)
	return left + " is not distinct from " + right
}

// equals is isAs for values that are not NULL.
func (c column) equals(expression string, i int) string {
	left, right := c.sides(expression, i)
	return left + " = " + right
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
