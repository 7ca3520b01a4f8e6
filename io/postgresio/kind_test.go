package postgresio

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/embeddedpg"
	"github.com/cartstream/cartstream/internal/pgtest"
)

// TestTablesThatCannotBeExactAreRefused has both the check at the start and the
// sink of a worker refuse them, before anything is written.
func TestTablesThatCannotBeExactAreRefused(t *testing.T) {
	const parted = `create table items (id uuid primary key, name text not null, price numeric(6,2)) partition by hash (id)`
	const elsewhere = `create foreign data wrapper w; create server s foreign data wrapper w; `
	for _, c := range []struct {
		name string
		ddl  string
		opts []Option
		says []string // none: it is loaded
	}{
		{"an unlogged table", strings.Replace(itemTable, "create", "create unlogged", 1), nil, []string{"items is unlogged", "empties it", "postgres.allow_unlogged: true"}},
		{"an unlogged table that is allowed", strings.Replace(itemTable, "create", "create unlogged", 1), []Option{WithUnlogged()}, nil},
		{"an unlogged partition", parted + `; create table p0 partition of items for values with (modulus 2, remainder 0); create unlogged table p1 partition of items for values with (modulus 2, remainder 1)`, nil, []string{"p1 is unlogged"}},
		{"an unlogged partition of a partition", parted + `; create table p0 partition of items for values with (modulus 1, remainder 0) partition by hash (id); create unlogged table p1 partition of p0 for values with (modulus 1, remainder 0)`, nil, []string{"p1 is unlogged"}},
		{"a partitioned table", parted + `; create table p0 partition of items for values with (modulus 1, remainder 0)`, nil, nil},
		{"a foreign table", elsewhere + `create foreign table items (id uuid, name text, price numeric) server s`, nil, []string{`"items" is a foreign table`, "lost or stored twice"}},
		{"a foreign partition", elsewhere + `create table items (id uuid, name text not null, price numeric(6,2)) partition by hash (id); create table p0 partition of items for values with (modulus 2, remainder 0);
			create foreign table p1 partition of items for values with (modulus 2, remainder 1) server s; create unique index on only items (id)`, nil, []string{"foreign table (p1)"}},
		{"a view", `create table t (id uuid primary key, name text, price numeric); create view items as select * from t`, nil, []string{`"items" is a view`}},
		{"a view with an INSTEAD OF trigger", `create table t (id uuid primary key, name text, price numeric); create view items as select * from t;
			create function f() returns trigger language plpgsql as $$ begin insert into t values (new.*); return new; end $$; create trigger i instead of insert on items for each row execute function f()`, nil, []string{`"items" is a view`}},
		{"a materialized view", `create materialized view items as select 1`, nil, []string{`"items" is a materialized view`}},
		{"a rule on INSERT", itemTable + `; create rule r as on insert to items do instead nothing`, nil, []string{"rules ON INSERT", "(r)"}},
		{"a rule on UPDATE", itemTable + `; create rule r as on update to items do also select 1`, nil, []string{"(r)"}},
		{"a rule on DELETE", itemTable + `; create rule r as on delete to items do instead nothing`, nil, nil},
		{"a rule that is disabled", itemTable + `; create rule r as on insert to items do instead nothing; alter table items disable rule r`, nil, nil},
		{"row-level security of others", itemTable + `; alter table items enable row level security, force row level security`, nil, nil}, // a superuser loads
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.ddl)
			refusals := map[string]error{
				"Check": Check[item](t.Context(), w.db, "items", c.opts...),
				"Setup": setupOnce[item](w, "items", c.opts...),
			}
			for where, err := range refusals {
				if len(c.says) == 0 && err != nil {
					t.Errorf("%s: %v", where, err)
				}
				for _, part := range c.says {
					if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%s: got %v, want an error of one line that says %q", where, err, part)
					}
				}
			}
		})
	}
}

// setupOnce starts a sink and ends it.
func setupOnce[T any](w *world, table string, opts ...Option) error {
	fn := &loadFn[T]{Options: newLoadOptions(table, append([]Option{WithRun(w.run), WithDatabase(w.db)}, opts...))}
	if err := fn.Setup(context.Background()); err != nil {
		return err
	}
	return fn.Teardown()
}

func TestRowLevelSecurityThatAppliesIsRefused(t *testing.T) {
	url := pgtest.Database(t)
	w := worldAt(t, url, itemTable)
	role := roleOf(w, "loader")
	w.exec(`grant usage on schema cartstream to "` + role + `"`)
	w.exec(`grant select, insert on all tables in schema cartstream, public to "` + role + `"`)
	db := SetURL(t.Name()+" as loader", asRole(t, url, role, "p"))
	if err := Check[item](t.Context(), db, "items"); err != nil {
		t.Fatal(err)
	}
	s := newSink[item](w, "items", WithDatabase(db))
	s.load(wholeRange[item](testFile("a.csv"), items(0, 5)...)...)
	w.exec(`alter table items enable row level security`)
	w.exec(`create policy all_rows on items using (true) with check (true)`)
	says := "row-level security of the table public.items applies to the role " + role
	if err := Check[item](t.Context(), db, "items"); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("Check: got %v, want %q", err, says)
	}
	if err := s.bundle(wholeRange[item](testFile("b.csv"), items(5, 10)...)...); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("while it loads: got %v, want %q", err, says)
	}
	wantSound(w, "items", 5)
}

// TestPublicationForAllTables migrates, loads, upserts and retries in a
// database whose every table is published, on a server that replicates.
func TestPublicationForAllTables(t *testing.T) {
	server := logicalServer(t)
	for _, c := range []struct {
		name, ddl string
		before    bool // the publication comes before the ledger
		opts      []Option
		says      string // Check's refusal
	}{
		{"before the ledger", itemTable, true, []Option{WithUpsert(Upsert{})}, ""},
		{"after the ledger", itemTable, false, []Option{WithUpsert(Upsert{})}, ""},
		{"a table without a primary key, inserts", "create table items (id uuid unique, name text, price numeric)", true, nil, ""},
		{"a table without a primary key, upserts", "create table items (id uuid unique, name text, price numeric)", true, []Option{WithUpsert(Upsert{})}, "does not have a replica identity"},
		{"a partition whose identity is nothing, upserts", "create table items (id uuid primary key, name text, price numeric) partition by hash (id); " +
			"create table p0 partition of items for values with (modulus 1, remainder 0); alter table p0 replica identity nothing", true, []Option{WithUpsert(Upsert{})}, `"p0"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := databaseOn(t, server)
			if c.before {
				execAt(t, at, "create publication everything for all tables")
			}
			w := worldAt(t, at, c.ddl)
			if !c.before {
				w.exec("create publication everything for all tables")
			}
			err := Check[item](t.Context(), w.db, "items", c.opts...)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "insert_mode: insert") {
					t.Errorf("got %v, want an error that says %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := newSink[item](w, "items", c.opts...)
			s.load(wholeRange[item](testFile("a.csv"), append(items(0, 20), item{ID: id(99), Name: "n", Price: price("99999999")})...)...)
			s.load(wholeRange[item](testFile("b.csv"), items(10, 30)...)...)
			wantSound(w, "items", one[int64](w, "select count(*) from items"))
			// What the ledger updates and deletes besides, and what people delete.
			w.exec("insert into cartstream.watches (table_name, patterns, since) values ('t', 'p', now())")
			for _, table := range w.list("select tablename from pg_tables where schemaname = 'cartstream' order by tablename") {
				column := one[string](w, "select attname from pg_attribute where attrelid = ('cartstream.' || $1)::regclass and attnum = 1", table)
				if one[bool](w, "select attidentity = 'a' from pg_attribute where attrelid = ('cartstream.' || $1)::regclass and attnum = 1", table) {
					column = one[string](w, "select attname from pg_attribute where attrelid = ('cartstream.' || $1)::regclass and attnum = 2", table)
				}
				w.exec(fmt.Sprintf("update cartstream.%s set %s = %[2]s", table, column))
				if table != "schema_version" {
					w.exec("delete from cartstream." + table)
				}
			}
			if err := Migrate(t.Context(), w.db); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTemporaryTableIsRefused(t *testing.T) {
	w := newWorld(t)
	tx := begin(w)
	execIn(w, tx, strings.Replace(itemTable, "create", "create temporary", 1))
	fields, err := fieldsOf(reflect.TypeFor[item]())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspect(t.Context(), tx, loadOptions{Table: "items"}, fields); err == nil || !strings.Contains(err.Error(), "is temporary") {
		t.Errorf("got %v, want that it is temporary", err)
	}
}

// TestLedgerOfAnOlderProgramGetsItsKeyBeforeItIsUpdated has the migrator's own
// table as it makes it.
func TestLedgerOfAnOlderProgramGetsItsKeyBeforeItIsUpdated(t *testing.T) {
	at := databaseOn(t, logicalServer(t))
	w := worldAt(t, at)
	w.exec("alter table cartstream.schema_version drop constraint schema_version_pkey")
	w.exec("create publication everything for all tables")
	if err := Migrate(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	w.exec("update cartstream.schema_version set version = version")
}

func TestEveryTableOfTheLedgerHasAPrimaryKey(t *testing.T) {
	w := newWorld(t)
	if without := w.list(`select c.oid::regclass from pg_class c where c.relnamespace = 'cartstream'::regnamespace and c.relkind = 'r'
		and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)`); len(without) > 0 {
		t.Errorf("%q have none", without)
	}
}

// logicalServer is a server whose publications count.
func logicalServer(t *testing.T) string {
	t.Helper()
	s, err := embeddedpg.Start(t.Context(), embeddedpg.Options{Parameters: map[string]string{"wal_level": "logical", "fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func databaseOn(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	execAt(t, server, "create database "+name)
	u.Path = "/" + name
	return u.String()
}

func execAt(t *testing.T, at, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
