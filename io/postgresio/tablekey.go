package postgresio

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// keysSQL lists the keys that ON CONFLICT can name: the primary key, then
// unique constraints and indexes, those of fewer columns first. A release before
// 15 knows no NULLS NOT DISTINCT.
const keysSQL = `
select array_agg(a.attname::text order by k.place), coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
from pg_index i
cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, place)
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = $1 and i.indisunique and i.indimmediate and i.indisvalid
	and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
group by i.indexrelid, i.indisprimary, i.indnkeyatts, i.*
order by i.indisprimary desc, i.indnkeyatts, array_agg(a.attnum order by k.place)`

// keyCandidate is a key of a table.
type keyCandidate struct {
	columns    []string
	nullsEqual bool
}

func keysOf(ctx context.Context, db querier, oid uint32) ([]keyCandidate, error) {
	rows, _ := db.Query(ctx, keysSQL, oid)
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (k keyCandidate, err error) {
		return k, r.Scan(&k.columns, &k.nullsEqual)
	})
}

// chooseKey sets the key: the one asked for, else the first that the fields
// write.
func (t *table) chooseKey(candidates []keyCandidate, want []string, fields []field) error {
	for _, name := range want {
		if _, ok := t.column(name); !ok {
			return fmt.Errorf("the table %s has no column %q, which is asked for as the key; its columns are %s", t.name, name, t.columnList())
		}
	}
	var unfit []string
	for _, k := range candidates {
		if len(want) > 0 && !sameNames(k.columns, want) {
			continue
		}
		why := t.unfitKey(k, fields)
		if why == "" {
			t.setKey(k, fields)
			return nil
		}
		unfit = append(unfit, fmt.Sprintf("(%s) can't be used: %s", quoteList(k.columns), why))
	}
	if len(want) > 0 && len(unfit) > 0 {
		return fmt.Errorf("the key %s of %s", strings.Join(unfit, "; "), t.name)
	}
	expected, has := "columns that the rows have", "none"
	if len(want) > 0 {
		expected = "(" + quoteList(want) + ")"
		for _, k := range candidates {
			unfit = append(unfit, "("+quoteList(k.columns)+")")
		}
	}
	if len(unfit) > 0 {
		has = strings.Join(unfit, "; ")
	}
	return fmt.Errorf("the table %s has no primary key or unique constraint on %s, so a row could not be recognised when it comes again; "+
		"expected is one that is not deferrable, partial or on an expression; there is %s", t.name, expected, has)
}

// unfitKey says why rows can't be recognised by a key; empty if they can.
func (t *table) unfitKey(k keyCandidate, fields []field) string {
	for _, name := range k.columns {
		c, _ := t.column(name)
		i := slices.IndexFunc(fields, func(f field) bool { return f.column == name })
		switch {
		case i < 0:
			return fmt.Sprintf("no field writes %q; give %s a field with the tag db:%q", name, structName(fields), name)
		case !slices.Contains(keyOIDs, c.typeOID):
			return fmt.Sprintf("the column %q is of the type %s, and the columns of a key are %s", name, c.typeName, allowedKeys)
		case !fits(elemType(fields[i].typ), c.typeOID, pgtype.NewMap()):
			return fmt.Sprintf("the column %q and the field %s: %s", name, fields[i].goName, misfit(fields[i].typ, c))
		}
	}
	return ""
}

func (t *table) setKey(k keyCandidate, fields []field) {
	t.key = tableKey{nullsEqual: k.nullsEqual}
	for _, name := range k.columns {
		c, _ := t.column(name)
		t.key.columns = append(t.key.columns, c)
		place := placeOf(fields, name)
		t.key.places = append(t.key.places, place)
		if isText(c) {
			t.key.texts = append(t.key.texts, place)
		}
	}
	first := t.key.columns[0]
	t.key.uuid = len(t.key.columns) == 1 && fields[t.key.places[0]].typ == uuidType && first.typeOID == pgtype.UUIDOID
}

// names are those of the key's columns, quoted.
func (k *tableKey) names() string {
	names := make([]string, len(k.columns))
	for i, c := range k.columns {
		names[i] = c.name
	}
	return quoteList(names)
}

// elemType is the type that a pointer points to, or the type itself.
func elemType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// structName is the name of the struct that the fields are of.
func structName(fields []field) string {
	name := fields[0].goName
	return name[:strings.LastIndexByte(name, '.')]
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// proposeKey is the first field of a type that keys usually have.
func proposeKey(fields []field) string {
	for _, f := range fields {
		if slices.Contains([]string{"uuid", "text", "bigint", "integer"}, columnTypeOf(f.typ)) && f.typ.Kind() != reflect.Pointer {
			return f.column
		}
	}
	return fields[0].column
}
