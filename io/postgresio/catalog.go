package postgresio

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// errNoTable says that no relation has the name.
var errNoTable = errors.New("no such table")

// notTableError is the error of a relation that is not a table.
type notTableError struct{ message string }

func (e *notTableError) Error() string { return e.message }

// readTable reads what the catalog has of a table. The shape is read first: a
// change after that is found by the first batch.
func readTable(ctx context.Context, db querier, name string) (*table, error) {
	id, err := ParseTable(name)
	if err != nil {
		return nil, err
	}
	var t table
	var schema, relkind string
	k := &t.kind
	err = db.QueryRow(ctx, `select c.oid, `+shapeHash+`, n.nspname, c.relname, c.relkind::text, `+kindColumns+`
		from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)`, id.Sanitize()).
		Scan(&t.shape.oid, &t.shape.hash, &schema, &t.relation, &relkind, &k.temporary, &k.lockable, &k.role, &k.rowSecurity, &k.rules, &k.foreign, &k.unlogged)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errNoTable
	case err != nil:
		return nil, err
	case relkind == "f":
		return &t, &notTableError{id.Sanitize() + " is a foreign table. " + foreignReason}
	case relkind != "r" && relkind != "p":
		return &t, &notTableError{fmt.Sprintf("%s is %s, no table; rows can be loaded into tables and partitioned tables", id.Sanitize(), relationKinds[relkind])}
	}
	t.name, t.quoted = schema+"."+t.relation, pgx.Identifier{schema, t.relation}.Sanitize()
	rows, _ := db.Query(ctx, columnsSQL, t.shape.oid)
	t.columns, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (c column, err error) {
		return c, r.Scan(&c.name, &c.oid, &c.typeOID, &c.typeName, &c.exactName, &c.declared, &c.modifier,
			&c.generated, &c.required, &c.array, &c.nullable, &c.loose)
	})
	if err != nil {
		return nil, err
	}
	t.candidates, err = keysOf(ctx, db, t.shape.oid)
	return &t, err
}
