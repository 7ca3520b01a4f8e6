package postgresio

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Upsert says how a row that is there already is overwritten.
type Upsert struct {
	// Columns are overwritten; none means all that are written and not of the
	// key.
	Columns []string
	// Version is a column that grows with each version of a row: a row is
	// overwritten by a newer one only, in whatever order they come. Without one,
	// the last record in the order of files and lines wins, which takes a runner
	// that keeps the order.
	Version string
}

// mergeRule decides what becomes of a row whose key is there already.
type mergeRule struct {
	upsert bool
	// columns are those to overwrite, and places theirs in a tuple.
	columns []column
	places  []int
	// versionAt is the version's place in a tuple, -1 without one.
	versionAt     int
	versionColumn column
	compare       func(a, b []byte) int
}

// judge says what becomes of a row that comes upon a table as it is said.
func (m *mergeRule) judge(exists bool, version []byte, r *row) outcome {
	switch {
	case !exists:
		return inserted
	case !m.upsert:
		return duplicate
	case m.versionAt < 0:
		return updated
	}
	switch c := m.order(m.version(r), version); {
	case c > 0:
		return updated
	case c == 0:
		return duplicate
	default:
		return stale
	}
}

// version is a row's, as a field of a tuple.
func (m *mergeRule) version(r *row) []byte {
	if !m.upsert || m.versionAt < 0 {
		return nil
	}
	return tupleField(r.tuple(), m.versionAt)
}

// order compares versions as fields of tuples. NULL is before all others.
func (m *mergeRule) order(a, b []byte) int {
	if isNull(a) || isNull(b) {
		return cmp.Compare(len(a), len(b)) // a NULL has its length only
	}
	return m.compare(a[4:], b[4:])
}

// ordered tells that rows have to be written in the order they come in.
func (m *mergeRule) ordered() bool { return m.upsert && m.versionAt < 0 }

// newer is the condition that the row k is newer than the row t, as it would be
// stored.
func (m *mergeRule) newer(version string) string {
	if m.versionAt < 0 {
		return "true"
	}
	if m.versionColumn.modifier >= 0 {
		version += "::" + m.versionColumn.declared
	}
	collation := ""
	if isText(m.versionColumn) {
		collation = ` collate "C"`
	}
	name := "t." + pgx.Identifier{m.versionColumn.name}.Sanitize()
	return fmt.Sprintf("(%s < %s%s or %s is null and %s is not null)", name, version, collation, name, version)
}

// setRule matches what is asked for with the table.
func (t *table) setRule(u *Upsert, fields []field) error {
	t.rule = mergeRule{versionAt: -1}
	if u == nil {
		return nil
	}
	t.rule.upsert = true
	columns := u.Columns
	if len(columns) == 0 {
		for _, f := range fields {
			if !t.key.has(f.column) {
				columns = append(columns, f.column)
			}
		}
	}
	for _, name := range columns {
		if err := t.updatable(name, fields); err != nil {
			return err
		}
		c, _ := t.column(name)
		t.rule.columns = append(t.rule.columns, c)
		t.rule.places = append(t.rule.places, placeOf(fields, name))
	}
	if len(columns) == 0 {
		return fmt.Errorf("all columns that are written to %s are of its key, so there is nothing to update; use insert", t.name)
	}
	if u.Version != "" {
		return t.setVersion(u, columns, fields)
	}
	return t.checkOrder()
}

// updatable refuses columns that can't be overwritten.
func (t *table) updatable(name string, fields []field) error {
	switch {
	case placeOf(fields, name) < 0:
		return fmt.Errorf("the column %q is to be updated, and no field writes it; those that are written are %s", name, quoteList(columnsOf(fields)))
	case t.key.has(name):
		return fmt.Errorf("the column %q is to be updated, and is of the key of %s, by which its row is found; leave it out", name, t.name)
	}
	return nil
}

func (t *table) setVersion(u *Upsert, columns []string, fields []field) error {
	c, _ := t.column(u.Version)
	at := placeOf(fields, u.Version)
	switch {
	case at < 0:
		return fmt.Errorf("the version column is %q, and no field writes it; those that are written are %s", u.Version, quoteList(columnsOf(fields)))
	case !slices.Contains(columns, u.Version):
		return fmt.Errorf("the version column %q is not among the columns to update, so a row would stay old for ever; add it to them", u.Version)
	case versionOrders[c.typeOID] == nil || isText(c) && c.oid != c.typeOID:
		return fmt.Errorf("the version column %q is of the type %s; allowed are %s", c.name, c.typeName, allowedVersions)
	}
	t.rule.versionAt, t.rule.versionColumn, t.rule.compare = at, c, versionOrder(c)
	return nil
}

// checkOrder refuses keys that PostgreSQL finds equal where their bytes
// differ: which of two comes last could not be told.
func (t *table) checkOrder() error {
	for _, c := range t.key.columns {
		if c.loose {
			return fmt.Errorf("the column %q of the key of %s finds values equal that are spelled otherwise (%s), so rows can't be kept in order; "+
				"name a version column", c.name, t.name, c.typeName)
		}
	}
	return nil
}

func (k *tableKey) has(name string) bool {
	return slices.ContainsFunc(k.columns, func(c column) bool { return c.name == name })
}

func placeOf(fields []field, name string) int {
	return slices.IndexFunc(fields, func(f field) bool { return f.column == name })
}

// updateList is the SET list that takes the columns from k, from c<first> on.
func (m *mergeRule) updateList(first int) string {
	parts := make([]string, len(m.columns))
	for i, c := range m.columns {
		parts[i] = fmt.Sprintf("%s = k.c%d", pgx.Identifier{c.name}.Sanitize(), first+i)
	}
	return strings.Join(parts, ", ")
}
