package postgresio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A table may be altered while it is loaded. Rows are encoded for its columns
// as they were, and their bytes may mean something else in other columns: a
// timestamp is a bigint, too. So each transaction compares the table's shape,
// under a lock that keeps ALTER TABLE out until it ends, with the shape that
// the engine knows, before it writes anything.

// shape is a fingerprint of all that inspect reads of a table.
type shape struct {
	oid  uint32
	hash int64
}

// shapeHash is the hash of the relation c. Triggers, check constraints and
// defaults are not in it, because PostgreSQL applies them to each row whatever
// the engine knows of them.
const shapeHash = `hashtextextended(concat_ws('|', c.relnamespace, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
	(select string_agg(concat_ws(',', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated), ';' order by a.attnum)
		from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
	(select string_agg(i::text, ';' order by i.indexrelid) from pg_index i where i.indrelid = c.oid and i.indisunique),
	case when c.relhasrules then (select string_agg(concat_ws(',', r.oid, r.ev_type, r.ev_enabled), ';' order by r.oid) from pg_rewrite r where r.ev_class = c.oid) end
), 0)`

// lockSQL takes the lock that COPY takes. Without it the transaction would take a
// weaker one first, and a migration that creates an index and then alters the table
// would deadlock with it. A role with rights on columns only may not ask for it.
func (t *table) lockSQL() string { return "lock table only " + t.quoted + " in row exclusive mode" }

// confirmSQL returns the shape of the table. That it names the table takes an
// ACCESS SHARE lock, which keeps out whatever changes the shape until the
// transaction ends; the catalog is read after the lock is there.
func (t *table) confirmSQL() string {
	return `select c.oid, ` + shapeHash + ` from pg_class c
		where c.oid = to_regclass($1) and not exists (select from ` + t.quoted + ` where false)`
}

var errShapeChanged = errors.New("the table was changed while it was loaded")

// confirmShape returns errShapeChanged when the table is not as the engine
// knows it. It comes first in a transaction, before anything is written.
func (a *attempt) confirmShape(ctx context.Context) error {
	t := a.e.table
	batch := &pgconn.Batch{} // one round trip
	if t.kind.lockable {
		batch.ExecParams(t.lockSQL(), nil, nil, nil, nil)
	}
	batch.ExecParams(t.confirmSQL(), [][]byte{[]byte(t.quoted)}, nil, nil, []int16{1, 1})
	results, err := a.conn.PgConn().ExecBatch(ctx, batch).ReadAll()
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && isUndefined(pg.Code):
		return errShapeChanged
	case err != nil:
		return err
	}
	rows := results[len(results)-1].Rows
	if len(rows) != 1 {
		return errShapeChanged
	}
	is := shape{binary.BigEndian.Uint32(rows[0][0]), int64(binary.BigEndian.Uint64(rows[0][1]))}
	if is != t.shape {
		return errShapeChanged
	}
	return nil
}

// isUndefined reports that a statement named a table or schema that does not
// exist.
func isUndefined(code string) bool { return code == "42P01" || code == "3F000" }

// inShape calls try until the table has the shape that the engine knows. Where
// it was changed so that the records still fit, the engine adopts the new shape;
// otherwise the error says what was changed.
func (e *engine) inShape(ctx context.Context, try func() error) error {
	for {
		e.shaping.RLock()
		err := try()
		e.shaping.RUnlock()
		if !errors.Is(err, errShapeChanged) {
			return err
		}
		if err := e.adoptShape(ctx); err != nil {
			return err
		}
	}
}

// target is the table as it is known now.
func (e *engine) target() *table {
	e.shaping.RLock()
	defer e.shaping.RUnlock()
	t := *e.table
	return &t
}

// adoptShape reads the catalog again, while no batch is loaded. The key stays
// the one by which the rows in hand were encoded.
func (e *engine) adoptShape(ctx context.Context) error {
	e.shaping.Lock()
	defer e.shaping.Unlock()
	old := e.table
	var now *table
	err := inTransaction(ctx, e.pool.Pool, "reading the table's columns", beginWriting, func(tx pgx.Tx) (err error) {
		now, err = readTable(ctx, tx, old.quoted)
		return err
	})
	var other *notTableError
	switch {
	case errors.Is(err, errNoTable):
		return fmt.Errorf("relation %q does not exist (SQLSTATE 42P01): the table was dropped or renamed while it was loaded, and nothing was stored since. "+
			"Files that are not loaded yet stay pending: %s", old.name, startAgain)
	case errors.As(err, &other), err == nil && now.shape.oid != old.shape.oid:
		return fmt.Errorf("%s is not the table that was loaded: it was dropped and created again, or another one took its name (oid %d before, %d now). "+
			"Nothing was stored in it. Check that it is the right one and has the rows that the ledger calls loaded, then start the run again",
			old.name, old.shape.oid, now.shape.oid)
	case err != nil:
		return err
	case now.shape == old.shape: // another writer was quicker
		return nil
	}
	if err := e.checkChange(old, now); err != nil {
		return err
	}
	slog.InfoContext(ctx, "The table was changed; the records still fit, and loading goes on", "table", old.name, "changes", strings.Join(old.changes(now), "; "))
	old.adopt(now)
	return nil
}

const startAgain = "start the run again when the table is right, and it loads them"

// checkChange refuses a table that the records no longer fit, or for which
// those in hand would have to be encoded anew.
func (e *engine) checkChange(old, now *table) error {
	key := make([]string, len(old.key.columns))
	for i, c := range old.key.columns {
		key[i] = c.name
	}
	unfit := now.match(e.fields, key, e.opts.Upsert)
	_, mistyped := fieldEncoders(e.fields, now, pgtype.NewMap())
	kind := now.checkKind(e.opts.AllowUnlogged)
	changes := old.changes(now)
	for _, err := range []error{mistyped, kind} {
		if err != nil {
			changes = append(changes, err.Error())
		}
	}
	what := fmt.Sprintf("the table %s was changed while it was loaded: %s", old.name, strings.Join(changes, "; "))
	if errors.Join(unfit, mistyped, kind, now.checkUnwritten(e.fields)) != nil {
		return fmt.Errorf("%s. The records no longer fit it, and nothing was stored since. Files that are not loaded yet stay pending: %s", what, startAgain)
	}
	if !old.sameForm(now, e.fields) {
		return fmt.Errorf("%s. Records in hand were encoded for the table as it was, and nothing was stored since. Start the run again: it reads and loads them as the table is now", what)
	}
	return nil
}

// sameForm reports whether tuples and keys that were encoded for t are those
// that o takes.
func (t *table) sameForm(o *table, fields []field) bool {
	for i, f := range fields {
		if !sameBytes(elemType(f.typ), t.written[i], o.written[i]) {
			return false
		}
	}
	return t.key.nullsEqual == o.key.nullsEqual && slices.Equal(t.key.places, o.key.places)
}

// sameBytes reports whether values of a Go type have the same binary form in
// two columns.
func sameBytes(t reflect.Type, a, b column) bool {
	times := []uint32{pgtype.TimestampOID, pgtype.TimestamptzOID}
	return a.typeOID == b.typeOID || isText(a) && isText(b) ||
		t == reflect.TypeFor[time.Time]() && slices.Contains(times, a.typeOID) && slices.Contains(times, b.typeOID)
}

// adopt takes over what another reading of the catalog found. The names stay
// as they are.
func (t *table) adopt(o *table) {
	t.shape, t.kind, t.columns, t.written, t.arrays = o.shape, o.kind, o.columns, o.written, o.arrays
	t.candidates, t.key, t.rule = o.candidates, o.key, o.rule
}
