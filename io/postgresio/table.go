package postgresio

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// table is what the catalog says of the target.
type table struct {
	// name is schema.table as the ledger has it, and quoted for SQL.
	name, quoted string
	// relation is the name without the schema, as it stands in COPY's errors.
	relation string
	columns  []column
	// written are the columns of the fields, in their order.
	written []column
	// arrays tells that a field writes a column that is an array.
	arrays     bool
	candidates []keyCandidate
	key        tableKey
	rule       mergeRule
	shape      shape
	kind       kind
}

// column is a column of the target.
type column struct {
	name string
	oid  uint32 // of its type
	// typeOID is the type whose binary form the column reads: a domain's base
	// type, and text for enums and text-like extension types.
	typeOID uint32
	// typeName is for messages and casts. It carries no length or precision, not
	// even the 1 that a bare "character" has.
	typeName string
	// exactName has length and precision, for types that round what is stored.
	exactName string
	// declared is the type as the table's DDL has it.
	declared string
	// modifier is PostgreSQL's number for length, precision and scale, a domain's
	// included; -1 without one.
	modifier int32
	// generated columns can't be written; required ones must be.
	generated, required bool
	// array tells that the type is an array.
	array bool
	// nullable tells that the column may be NULL.
	nullable bool
	// loose tells that values may be equal that are spelled otherwise.
	loose bool
}

// modifierHeader is part of the modifiers of varchar and numeric (PostgreSQL,
// VARHDRSZ).
const modifierHeader = 4

// limit is n of a varchar(n), in characters; 0 is no limit.
func (c column) limit() int {
	if c.typeOID != pgtype.VarcharOID || c.modifier < modifierHeader {
		return 0
	}
	return int(c.modifier - modifierHeader)
}

// ParseTable splits a table's name, `table` or `schema.table`, either part in
// double quotes if it holds a dot or a quote. Case is kept.
func ParseTable(name string) (pgx.Identifier, error) {
	var parts pgx.Identifier
	rest := name
	for {
		part, after, err := cutIdentifier(rest)
		if err != nil {
			return nil, fmt.Errorf("the table name %q is not valid: %w; write table or schema.table", name, err)
		}
		parts = append(parts, part)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	if len(parts) > 2 {
		return nil, fmt.Errorf("the table name %q has %d parts; write table or schema.table, in double quotes where a part holds a dot", name, len(parts))
	}
	return parts, nil
}

// cutIdentifier returns the first part of a dotted name, and the rest from the
// dot on.
func cutIdentifier(s string) (part, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexByte(s, '.'); i >= 0 {
			s, rest = s[:i], s[i:]
		}
		if s == "" || strings.Contains(s, `"`) {
			return "", "", fmt.Errorf("a part is empty or has a quote in the middle")
		}
		return s, rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '"':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case i+1 < len(s) && s[i+1] != '.', b.Len() == 0:
			return "", "", fmt.Errorf("a quoted part is empty or is not followed by a dot")
		default:
			return b.String(), s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("a quote is not closed")
}

const columnsSQL = `
select a.attname, a.atttypid,
	case when t.typtype = 'e' or t.typcategory = 'S' and t.typname not in ('text', 'varchar', 'bpchar', 'char') then 'text'::regtype
		else t.oid end::oid,
	format_type(a.atttypid, -1),
	format_type(a.atttypid, case when t.typcategory not in ('S', 'E') then a.atttypmod else -1 end),
	format_type(a.atttypid, a.atttypmod),
	greatest(a.atttypmod, base.modifier),
	a.attgenerated <> '' or a.attidentity = 'a',
	a.attnotnull and not a.atthasdef and a.attidentity = '',
	t.typcategory = 'A',
	not a.attnotnull,
	t.typcategory = 'S' and t.typname not in ('text', 'varchar') or t.oid in ('timestamp'::regtype, 'timestamptz'::regtype) and greatest(a.atttypmod, base.modifier) >= 0
		or exists (select from pg_collation c where c.oid = a.attcollation and not c.collisdeterministic)
from pg_attribute a
join lateral (
	with recursive domains as (
		select oid, typtype, typbasetype, typtypmod, -1 as modifier from pg_type where oid = a.atttypid
		union all
		select b.oid, b.typtype, b.typbasetype, b.typtypmod, greatest(d.modifier, d.typtypmod) from domains d join pg_type b on b.oid = d.typbasetype where d.typtype = 'd'
	)
	select oid, modifier from domains where typtype <> 'd'
) base on true
join pg_type t on t.oid = base.oid
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum`

// querier is a connection, a transaction or a pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// inspect reads the catalog and matches the fields with it. Without key columns,
// the key is the primary key, or another one that the fields write.
func inspect(ctx context.Context, db querier, o loadOptions, fields []field) (*table, error) {
	t, err := findTable(ctx, db, o.Table, o.KeyColumns, fields)
	if err != nil {
		return nil, err
	}
	if err := t.checkKind(o.AllowUnlogged); err != nil {
		return nil, err
	}
	err = t.match(fields, o.KeyColumns, o.Upsert)
	return t, err
}

// relationKinds names what can stand where a table should: pg_class.relkind.
var relationKinds = map[string]string{
	"v": "a view", "m": "a materialized view", "S": "a sequence", "c": "a type", "i": "an index", "I": "an index",
}

// findTable reads what the catalog has of a table.
func findTable(ctx context.Context, db querier, name string, keyColumns []string, fields []field) (*table, error) {
	id, err := ParseTable(name)
	if err != nil {
		return nil, err
	}
	t, err := readTable(ctx, db, name)
	if errors.Is(err, errNoTable) {
		return nil, missingTable(ctx, db, id, fields, keyColumns)
	}
	return t, err
}

// match sets what the fields write, the key and the rule; the error has all that
// does not fit.
func (t *table) match(fields []field, keyColumns []string, upsert *Upsert) error {
	missing := t.checkFields(fields)
	for _, f := range fields {
		c, _ := t.column(f.column)
		t.written = append(t.written, c)
	}
	t.arrays = slices.ContainsFunc(t.written, func(c column) bool { return c.array })
	key := t.chooseKey(t.candidates, keyColumns, fields)
	if missing != nil || key != nil {
		return errors.Join(missing, key)
	}
	return t.setRule(upsert, fields)
}

// missingTable is the error of a table that is not there.
func missingTable(ctx context.Context, db querier, id pgx.Identifier, fields []field, key []string) error {
	ddl := proposeTable(id, fields, key)
	if len(id) == 2 {
		var there bool
		if err := db.QueryRow(ctx, "select to_regnamespace($1) is not null", id[:1].Sanitize()).Scan(&there); err != nil {
			return err
		}
		if !there {
			ddl = "CREATE SCHEMA " + id[:1].Sanitize() + ";\n" + ddl
		}
	}
	return fmt.Errorf("there is no table %s; this would make it:\n%s", id.Sanitize(), ddl)
}

// checkFields refuses fields without a column that can be written.
func (t *table) checkFields(fields []field) error {
	var errs []error
	var missing, names []string
	for _, f := range fields {
		c, ok := t.column(f.column)
		switch {
		case !ok:
			missing = append(missing, fmt.Sprintf("%s (%s)", pgx.Identifier{f.column}.Sanitize(), columnTypeOf(f.typ)))
			names = append(names, f.goName)
		case c.generated:
			errs = append(errs, fmt.Errorf("the column %q of %s is generated and can't be written; remove the db tag of %s", c.name, t.name, f.goName))
		}
	}
	if len(missing) > 0 {
		errs = append(errs, fmt.Errorf("the table %s has no column %s, for %s; its columns are %s",
			t.name, strings.Join(missing, ", "), strings.Join(names, ", "), t.columnList()))
	}
	return errors.Join(errs...)
}

func (t *table) column(name string) (column, bool) {
	for _, c := range t.columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// columnList names the columns and their types.
func (t *table) columnList() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = fmt.Sprintf("%s (%s)", pgx.Identifier{c.name}.Sanitize(), c.declared)
	}
	return strings.Join(names, ", ")
}

// checkUnwritten refuses a table with a column that must have a value and that
// no field writes: every row would be rejected.
func (t *table) checkUnwritten(fields []field) error {
	var errs []error
	for _, c := range t.columns {
		if c.required && !c.generated && !hasField(fields, c.name) {
			errs = append(errs, fmt.Errorf("the column %q of %s is NOT NULL, has no default, and no field writes it, so PostgreSQL would reject every row: "+
				"it is of the type %s and expects a field with the tag db:%q", c.name, t.name, c.declared, c.name))
		}
	}
	return errors.Join(errs...)
}

func hasField(fields []field, column string) bool {
	for _, f := range fields {
		if f.column == column {
			return true
		}
	}
	return false
}

// proposeTable is the DDL of a table that would hold the fields.
func proposeTable(id pgx.Identifier, fields []field, key []string) string {
	if len(key) == 0 {
		key = []string{proposeKey(fields)}
	}
	lines := make([]string, len(fields), len(fields)+1)
	for i, f := range fields {
		lines[i] = "    " + pgx.Identifier{f.column}.Sanitize() + " " + columnTypeOf(f.typ)
		if f.typ.Kind() != reflect.Pointer && !slices.Contains(key, f.column) {
			lines[i] += " NOT NULL"
		}
	}
	lines = append(lines, "    PRIMARY KEY ("+quoteList(key)+")")
	return "CREATE TABLE " + id.Sanitize() + " (\n" + strings.Join(lines, ",\n") + "\n);"
}

// Check tells whether Load of T into the table would work: it looks at the
// table's columns, their types and its key, and returns an error that says all
// that is wrong and what would be right.
func Check[T any](ctx context.Context, d Database, name string, opts ...Option) error {
	var o loadOptions
	for _, opt := range opts {
		opt(&o)
	}
	fields, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	pool, err := d.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	return retry(ctx, pool, prepareBound, "checking the table", func(ctx context.Context) error {
		return inTransaction(ctx, pool, "checking the table", beginWriting, func(tx pgx.Tx) error {
			if err := checkWritable(ctx, tx); err != nil {
				return err
			}
			t, err := findTable(ctx, tx, name, o.KeyColumns, fields)
			if err != nil {
				return err
			}
			if err := t.checkKind(o.AllowUnlogged); err != nil {
				return err
			}
			unfit := t.match(fields, o.KeyColumns, o.Upsert)
			_, mistyped := fieldEncoders(fields, t, pgtype.NewMap())
			if err := errors.Join(unfit, mistyped, t.checkUnwritten(fields)); err != nil {
				return err
			}
			return t.checkUpdates(ctx, tx)
		})
	})
}
