package postgresio

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cartstream/cartstream/transforms/record"
)

// The words of PostgreSQL's errors are in the language of lc_messages. So only what
// has no language is read of them: fields, and numbers.

// rejection is a row that PostgreSQL rejected, with its reason.
type rejection struct {
	row    *row
	reason *pgconn.PgError
	// column is the one that the reason is about, empty if it is about none or several.
	column string
}

// reject makes a row a dead letter. columns are those of the parameters of the
// statement that has failed.
func (a *attempt) reject(r *row, reason *pgconn.PgError, columns []column) {
	r.outcome = rejected
	column := reason.ColumnName
	if n := parameterOf(reason.Where); column == "" && n > 0 && n <= len(columns) {
		column = columns[n-1].name
	}
	a.rejected = append(a.rejected, rejection{r, reason, column})
}

var parameterNumber = regexp.MustCompile(`(?:^|\W)\$(\d+)`)

// parameterOf returns the number of the parameter that PostgreSQL could not read, from 1,
// by the context of the error ("unnamed portal parameter $3"); 0 if it is about none. The
// context of a statement in a trigger has several lines.
func parameterOf(where string) int {
	found := parameterNumber.FindAllStringSubmatch(where, -1)
	if len(found) != 1 || strings.Contains(where, "\n") {
		return 0
	}
	n, _ := strconv.Atoi(found[0][1])
	return n
}

// findColumns sets the columns of the rejections that have none yet.
func (a *attempt) findColumns(ctx context.Context, tx pgx.Tx) error {
	if err := a.askConstraints(ctx, tx); err != nil {
		return err
	}
	for chunk := range slices.Chunk(a.rejected, probeAtOnce) {
		if err := a.tryColumns(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// constraintColumnsSQL returns the columns of constraints and unique indexes that are
// on one column.
const constraintColumnsSQL = `
select k.place, min(a.attname)
from unnest($1::text[], $2::text[], $3::text[]) with ordinality k(schema_name, table_name, name, place)
join pg_namespace n on n.nspname = k.schema_name
join pg_class c on c.relnamespace = n.oid and c.relname = k.table_name
cross join lateral (select coalesce(
	(select conkey from pg_constraint where conrelid = c.oid and conname = k.name),
	(select i.indkey::int2[] from pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = c.oid and x.relname = k.name)) as columns) f
join pg_attribute a on a.attrelid = c.oid and a.attnum = any(f.columns)
where cardinality(f.columns) = 1
group by k.place`

// askConstraints sets the columns of rejections by a constraint on one column.
func (a *attempt) askConstraints(ctx context.Context, tx pgx.Tx) error {
	type constraint struct{ schema, table, name string }
	of := map[constraint]*string{}
	var schemas, tables, names []string
	var columns []*string
	for _, r := range a.rejected {
		c := constraint{r.reason.SchemaName, r.reason.TableName, r.reason.ConstraintName}
		if r.column == "" && c.name != "" && c.table != "" && of[c] == nil {
			of[c] = new(string)
			columns = append(columns, of[c])
			schemas, tables, names = append(schemas, c.schema), append(tables, c.table), append(names, c.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, constraintColumnsSQL, schemas, tables, names)
	if err != nil {
		return err
	}
	var place int64
	var column string
	if _, err := pgx.ForEachRow(rows, []any{&place, &column}, func() error {
		*columns[place-1] = column
		return nil
	}); err != nil {
		return err
	}
	for i, r := range a.rejected {
		if column := of[constraint{r.reason.SchemaName, r.reason.TableName, r.reason.ConstraintName}]; r.column == "" && column != nil {
			a.rejected[i].column = *column
		}
	}
	return nil
}

// suspects are the places of the columns that may be what a rejection is about: a value
// that its type, length, precision or domain does not allow.
func (t *table) suspects(r *rejection) (places []int) {
	inTrigger := isRaised(r.reason) || strings.Contains(r.reason.Where, "PL/")
	if r.column != "" || inTrigger || !strings.HasPrefix(r.reason.Code, "22") && r.reason.DataTypeName == "" {
		return nil
	}
	bounded := r.reason.Code == "22001" || r.reason.Code == "22003" // too long, out of range
	for i, c := range t.written {
		if !bounded || c.declared != c.typeName || c.array {
			places = append(places, i)
		}
	}
	return places
}

// tryColumns sets the columns of rejections by sending each of the columns that may be
// meant by itself, in one round trip. EXPLAIN reads the value and fits it into its
// column; it writes nothing, and runs no trigger.
func (a *attempt) tryColumns(ctx context.Context, rejections []rejection) error {
	t := a.e.table
	suspects := make([][]int, len(rejections))
	some := false
	for i := range rejections {
		suspects[i] = t.suspects(&rejections[i])
		some = some || len(suspects[i]) > 0
	}
	if !some {
		return nil
	}
	if err := a.exec(ctx, "savepoint p"); err != nil {
		return err
	}
	p := a.conn.PgConn().StartPipeline(ctx)
	for i, r := range rejections {
		for _, place := range suspects[i] {
			c := t.written[place]
			params, source := valuesOf(r.row, []column{c}, []int{place})
			p.SendQueryParams(fmt.Sprintf("explain (costs off) insert into %s (%s) select k.c0 from %s", t.quoted, quoteColumns([]column{c}), source),
				params, nil, binaryFormats(params), nil)
			p.SendPipelineSync()
			p.SendQueryParams("rollback to savepoint p", nil, nil, nil, nil)
			p.SendPipelineSync()
		}
	}
	if err := p.Flush(); err != nil {
		return errors.Join(err, p.Close())
	}
	for i := range rejections {
		r := &rejections[i]
		for _, place := range suspects[i] {
			_, err := nextAnswer(p)
			var pg *pgconn.PgError
			if errors.As(err, &pg) {
				err = nil
				if pg.Code == r.reason.Code && r.column == "" {
					r.column = t.written[place].name
				}
			}
			if err == nil {
				_, err = nextAnswer(p) // of the rollback
			}
			if err != nil {
				return errors.Join(err, p.Close())
			}
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	return a.exec(ctx, "release savepoint p")
}

// fault says in a dead letter why PostgreSQL rejected a row.
func (a *attempt) fault(r *rejection) record.Fault {
	reason, message := r.reason, r.reason.Message
	if c, ok := lackedCharacter(reason); ok {
		message = fmt.Sprintf("the database's encoding %s lacks the character %q (U+%04X)", a.conn.PgConn().ParameterStatus("server_encoding"), c, c)
	}
	if reason.ConstraintName != "" && !strings.Contains(message, reason.ConstraintName) {
		message += fmt.Sprintf(" (constraint %s)", reason.ConstraintName)
	}
	if reason.Code != "" {
		message += fmt.Sprintf(" (SQLSTATE %s)", reason.Code)
	}
	if reason.Detail != "" {
		message += "; DETAIL: " + reason.Detail
	}
	if reason.Hint != "" {
		message += "; HINT: " + reason.Hint
	}
	if place := placeOf(a.e.fields, r.column); reason.Code == notNullViolation && place >= 0 && isNull(tupleField(r.row.tuple(), place)) {
		message += "; the record has no value for it: its field is empty, or one of csv.null_value"
	}
	return record.Fault{Code: record.CodeRejectedByDatabase, Column: r.column, Message: message}
}

var byteSequence = regexp.MustCompile(`0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*`)

// lackedCharacter returns the character that the database's encoding lacks, if that is
// the reason. PostgreSQL names its bytes, as 0xce 0xa9.
func lackedCharacter(reason *pgconn.PgError) (c rune, ok bool) {
	if reason.Code != "22P05" {
		return 0, false
	}
	var bytes []byte
	for hex := range strings.FieldsSeq(byteSequence.FindString(reason.Message)) {
		b, _ := strconv.ParseUint(hex[2:], 16, 8) // two hexadecimal digits
		bytes = append(bytes, byte(b))
	}
	c, n := utf8.DecodeRune(bytes)
	return c, n > 1 && n == len(bytes)
}
