package postgresio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/decimal"
)

func init() { Register[shaped]() }

// shaped has a field for each kind of column whose type is changed.
type shaped struct {
	ID    uuid.UUID        `db:"id"`
	Name  string           `db:"name"`
	N     int64            `db:"n"`
	Price *decimal.Decimal `db:"price"`
	At    time.Time        `db:"at"`
}

const shapedTable = `create table %s (id uuid primary key, name text, n int, price numeric(6,2), at timestamptz, note text)`

func shapedOf(i int) shaped {
	v := shaped{ID: id(i), Name: strings.Repeat("x", i%6), N: int64(i), At: time.UnixMicro(1_770_000_000_000_000 + int64(i)*1_000_001).UTC()}
	if i%7 != 0 {
		v.Price = price(fmt.Sprintf("%d.%02d", i%2000, i%100))
	}
	return v
}

// insertText stores a value as \copy does, from the texts of its fields.
func (v shaped) insertText(w *world, table string) error {
	var price any
	if v.Price != nil {
		price = v.Price.String()
	}
	_, err := w.pool.Exec(context.Background(), "insert into "+table+" (id, name, n, price, at) values ($1, $2, $3, $4, $5)",
		pgx.QueryExecModeSimpleProtocol, v.ID.String(), v.Name, fmt.Sprint(v.N), price, v.At.Format(time.RFC3339Nano))
	return err
}

// tableChanges are statements that may come while a table is loaded. T stands
// for the table.
var tableChanges = []struct {
	name string
	ddl  string
	// stops are parts of the error; none: the run goes on.
	stops []string
}{
	{
		"timestamp to bigint", "alter table T alter at type bigint using (extract(epoch from at) * 1000000)::bigint",
		[]string{`the column "at" was timestamp with time zone and is bigint`, "shaped.At", "no longer fit"},
	},
	{"timestamp with to without time zone", "alter table T alter at type timestamp using at at time zone 'UTC'", nil},
	{
		"timestamp to date", "alter table T alter at type date using (at at time zone 'UTC')::date",
		[]string{`the column "at" was timestamp with time zone and is date`, "encoded for the table as it was"},
	},
	{"text to varchar(3)", "alter table T alter name type varchar(3) using left(name, 3)", nil},
	{"text to json", "alter table T alter name type json using to_json(name)", []string{`the column "name" was text and is json`}},
	{"int to bigint", "alter table T alter n type bigint", []string{`the column "n" was integer and is bigint`, "encoded for the table as it was"}},
	{"int to text", "alter table T alter n type text", []string{`the column "n" was integer and is text`, "no longer fit"}},
	{"less precision", "alter table T alter price type numeric(4,1) using least(price, 999)", nil},
	{"numeric to double precision", "alter table T alter price type double precision", []string{`the column "price" was numeric(6,2) and is double precision`}},
	{
		"new column without NULL and default", "alter table T add shop text not null default 's'; alter table T alter shop drop default",
		[]string{`the column "shop" (text NOT NULL without a default) is new`, "no longer fit"},
	},
	{"new column without NULL, with a default", "alter table T add shop text not null default 's'", nil},
	{"new column", "alter table T add shop text", nil},
	{"default of a column that no field writes", "alter table T alter note set default 'd'", nil},
	{"dropped column", "alter table T drop name", []string{`the column "name" (text) is gone`}},
	{"dropped column that no field writes", "alter table T drop note", nil},
	{"renamed column", "alter table T rename name to label", []string{`the column "name" (text) is gone`, `the column "label" (text) is new`}},
	{"renamed column that no field writes", "alter table T rename note to remark", nil},
	{"swapped columns", "alter table T rename name to x; alter table T rename note to name; alter table T rename x to note", nil},
	{"SET NOT NULL", "lock T; update T set price = 0 where price is null; alter table T alter price set not null", nil},
	{"new check", "alter table T add check (n % 3 <> 0) not valid", nil},
	{"new unique constraint", "alter table T add unique (n)", nil},
	{"new index", "create index on T (n)", nil},
	{"dropped key", "alter table T drop constraint T_pkey", []string{`the unique key ("id") is gone`, "no longer fit"}},
	{"key replaced by a unique index", "alter table T drop constraint T_pkey; create unique index on T (id)", nil},
	{"key whose NULLs are equal", "alter table T drop constraint T_pkey; alter table T alter id drop not null; create unique index on T (id) nulls not distinct", []string{"encoded for the table as it was"}},
	{"rule", "create rule r as on insert to T do also select 1", []string{"rules ON INSERT", "(r)"}},
	{"unlogged", "alter table T set unlogged", []string{"items is unlogged", "allow_unlogged"}},
	{"dropped", "drop table T", []string{"dropped or renamed"}},
	{"renamed", "alter table T rename to T_old", []string{"dropped or renamed"}},
	{"created again", "drop table T; " + fmt.Sprintf(shapedTable, "T"), []string{"not the table that was loaded", "oid"}},
	{"swapped", "alter table T rename to T_old; " + fmt.Sprintf(shapedTable, "T"), []string{"not the table that was loaded"}},
	{"view in its place", "alter table T rename to T_old; create view T as select * from T_old", []string{"not the table that was loaded"}},
}

var tableInDDL = regexp.MustCompile(`\bT(_[a-z]+)?\b`)

// TestChangeOfTableIsNoticed changes a table at a random moment while files are
// loaded into it. What becomes of each record is what the table as it was or as
// it is makes of the record's text; or the run stops and says what was changed.
func TestChangeOfTableIsNoticed(t *testing.T) {
	for _, c := range tableChanges {
		t.Run(c.name, func(t *testing.T) {
			const files, each = 40, 20
			w := newWorld(t, fmt.Sprintf(shapedTable, "items"), fmt.Sprintf(shapedTable, "before"), fmt.Sprintf(shapedTable, "after"))
			ddl := func(table string) string { return tableInDDL.ReplaceAllString(c.ddl, table+"$1") }
			s := newSink[shaped](w, "items", WithFlush(2*each, time.Millisecond))
			changed := make(chan struct{})
			done := inBackground(func() error {
				ctx := context.Background()
				for f := range files {
					if f == files/2 {
						<-changed
					}
					var values []any
					for i := range each {
						values = append(values, shapedOf(f*each+i))
					}
					for _, r := range wholeRange[shaped](testFile(fmt.Sprintf("%03d.csv", f)), values...) {
						if err := s.fn.ProcessElement(ctx, r, ignoreRange); err != nil {
							return err
						}
					}
				}
				return s.fn.FinishBundle(ctx, ignoreRange)
			})
			moment := int64(rand.IntN(files / 2 / 2))
			waitUntil(t, "some files", func() bool { return one[int64](w, "select count(*) from cartstream.loads") >= moment/2 })
			w.exec(ddl("items"))
			close(changed)
			err := result(t, done)
			if stopped := runctl.Of(w.run).Err(); stopped != nil {
				err = stopped
			}
			wantStop(t, err, c.stops)
			wantEachRecordOnce(w, ddl, files, each, err != nil)
		})
	}
}

// TestBatchThatWaitsForChangeSeesIt has a batch meet a change that is under way.
func TestBatchThatWaitsForChangeSeesIt(t *testing.T) {
	for _, c := range []struct {
		name, ddl string
		commit    bool
		stops     []string
	}{
		{"and it is committed", "alter table items alter at type bigint using 0", true, []string{`the column "at" was timestamp with time zone and is bigint`}},
		{"and it is rolled back", "alter table items alter at type bigint using 0", false, nil},
		{"and the records still fit", "alter table items add shop text not null default 's'", true, nil},
		{"and the table is dropped", "drop table items", true, []string{"dropped or renamed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(shapedTable, "items"))
			s := newSink[shaped](w, "items")
			s.load(wholeRange[shaped](testFile("a.csv"), shapedOf(0))...)
			ddl := begin(w)
			execIn(w, ddl, c.ddl)
			done := inBackground(func() error { return s.bundle(wholeRange[shaped](testFile("b.csv"), shapedOf(1))...) })
			waitForLock(w)
			end := ddl.Rollback
			if c.commit {
				end = ddl.Commit
			}
			if err := end(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := result(t, done)
			if stopped := runctl.Of(w.run).Err(); stopped != nil {
				err = stopped
			}
			wantStop(t, err, c.stops)
			if n, want := one[int64](w, "select count(*) from cartstream.ranges"), map[bool]int64{true: 1, false: 2}[err != nil]; n != want {
				t.Errorf("%d ranges are committed, want %d", n, want)
			}
		})
	}
}

// TestMigrationIsNotDisturbed has a migration create an index and then alter
// the table, while a batch is loaded.
func TestMigrationIsNotDisturbed(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(shapedTable, "items"))
	s := newSink[shaped](w, "items")
	migration := begin(w)
	execIn(w, migration, "create index on items (n)")
	done := inBackground(func() error { return s.bundle(wholeRange[shaped](testFile("a.csv"), shapedOf(0))...) })
	waitForLock(w)
	execIn(w, migration, "alter table items add shop text")
	if err := migration.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantSound(w, "items", 1)
}

// TestRoleWithRightsOnColumnsLoads has rights on the columns that are written,
// and none on the table.
func TestRoleWithRightsOnColumnsLoads(t *testing.T) {
	url := pgtest.Database(t)
	w := worldAt(t, url, fmt.Sprintf(shapedTable, "items"))
	role := roleOf(w, "loader")
	w.exec(`grant usage on schema cartstream to "` + role + `"`)
	w.exec(`grant select, insert on all tables in schema cartstream to "` + role + `"`)
	w.exec(`grant select (id, n, name, price, at), insert (id, n, name, price, at), update (n, name, price, at) on items to "` + role + `"`)
	db := SetURL(t.Name()+" as loader", asRole(t, url, role, "p"))
	upsert := WithUpsert(Upsert{})
	if err := Check[shaped](t.Context(), db, "items", upsert); err != nil {
		t.Fatal(err)
	}
	s := newSink[shaped](w, "items", WithDatabase(db), upsert)
	s.load(wholeRange[shaped](testFile("a.csv"), shapedOf(0), shapedOf(1))...)
	w.exec("alter table items add shop text")
	s.load(wholeRange[shaped](testFile("b.csv"), shapedOf(1), shapedOf(2))...)
	wantSound(w, "items", 3)
}

func wantStop(t *testing.T, err error, says []string) {
	t.Helper()
	if len(says) == 0 && err != nil {
		t.Errorf("got %v, want that the run goes on", err)
	}
	for _, part := range says {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want an error that says %q", err, part)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(strings.ToUpper(err.Error()), "ALTER TABLE")) {
		t.Errorf("the error has several lines or proposes DDL: %v", err)
	}
}

// wantEachRecordOnce compares the table and the dead letters with two tables
// that got all records as texts, one before the change and one after it.
func wantEachRecordOnce(w *world, ddl func(string) string, files, each int, stopped bool) {
	w.t.Helper()
	for i := range files * each {
		if err := shapedOf(i).insertText(w, "before"); err != nil {
			w.t.Fatal(err)
		}
	}
	w.exec(ddl("before"))
	w.exec(ddl("after"))
	rowsOf := func(table string) map[string]string {
		rows := map[string]string{}
		if !one[bool](w, "select coalesce((select relkind = 'r' from pg_class where oid = to_regclass($1)), false)", table) {
			return rows
		}
		for _, line := range w.list("select t.id::text, to_jsonb(t)::text from " + table + " t") {
			id, row, _ := strings.Cut(line, " ")
			rows[id] = row
		}
		return rows
	}
	stored, before := rowsOf("items"), rowsOf("before")
	dead := map[string]bool{}
	for _, d := range w.list("select file_name, convert_from(raw, 'UTF8') from cartstream.dead_letters") {
		dead[d] = true
	}
	loaded := map[string]bool{}
	for _, f := range w.list("select file_name from cartstream.load_history where status = 'loaded'") {
		loaded[f] = true
	}
	if n := one[int64](w, "select count(*) from cartstream.load_history where status <> 'loaded' and row_parsed > 0"); n > 0 {
		w.t.Errorf("%d files are half loaded", n)
	}
	gone := len(before) == 0 // the rows went with the table
	for f := range files {
		for i := range each {
			v, name := shapedOf(f*each+i), fmt.Sprintf("%03d.csv", f)
			row, there := stored[v.ID.String()]
			isDead := dead[fmt.Sprintf("%s raw %d", name, i)]
			switch {
			case !loaded[name]:
				if !stopped || there || isDead {
					w.t.Fatalf("%s is not loaded (run stopped: %v), and record %d is a row: %v, a dead letter: %v", name, stopped, i, there, isDead)
				}
			case gone:
				if there {
					w.t.Fatalf("record %d of %s was stored in another table", i, name)
				}
			case there == isDead:
				w.t.Fatalf("record %d of %s is a row: %v, a dead letter: %v", i, name, there, isDead)
			case there && row == before[v.ID.String()]:
			default:
				want := ""
				if err := v.insertText(w, "after"); err == nil {
					want = one[string](w, "select to_jsonb(t)::text from after t where id::text = $1", v.ID.String())
				}
				if isDead && want != "" {
					w.t.Fatalf("record %d of %s is a dead letter, and the table takes it", i, name)
				}
				if there && row != want {
					w.t.Fatalf("record %d of %s is stored as %s, want %s or %s", i, name, row, before[v.ID.String()], want)
				}
			}
		}
	}
	if !stopped && len(loaded) != files {
		w.t.Errorf("%d of %d files are loaded", len(loaded), files)
	}
}

// BenchmarkConfirmShape is what each transaction pays for that.
func BenchmarkConfirmShape(b *testing.B) {
	fn := benchSink(b)
	conn, err := fn.engine.pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(b.Context(), "begin"); err != nil {
		b.Fatal(err)
	}
	a := &attempt{e: fn.engine, conn: conn.Conn()}
	for b.Loop() {
		if err := a.confirmShape(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
