package postgresio

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cartstream/cartstream/internal/pgtest"
)

const shopTable = `create table if not exists shop (id bigint primary key)`

func TestManyMigrateAtOnce(t *testing.T) {
	db := SetURL(t.Name(), pgtest.Database(t))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := Migrate(context.Background(), db, shopTable); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w := worldAt(t, urlOf(db)) // once more
	steps, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.list("select version from cartstream.schema_version"); !slices.Equal(got, []string{fmt.Sprint(len(steps))}) {
		t.Errorf("versions: got %q, want that of the last of %d steps", got, len(steps))
	}
	if n := one[int64](w, "select count(*) from shop"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func urlOf(d Database) string {
	u, _ := urls.Load(d.Name)
	return u.(string)
}

// roleOf makes a role that ends with the test.
func roleOf(w *world, name string) string {
	w.t.Helper()
	role := name + "_" + w.run[:8]
	w.exec(`create role "` + role + `" login password 'p'`)
	w.t.Cleanup(func() {
		w.exec(`drop owned by "` + role + `"`)
		w.exec(`drop role "` + role + `"`)
	})
	return role
}

func TestRoleThatMayNotCreateSchemasUsesTheOneThatIsThere(t *testing.T) {
	w := newWorld(t, itemTable)
	role := roleOf(w, "loader")
	w.exec(`grant usage on schema cartstream to "` + role + `"`)
	w.exec(`grant select, insert, update on all tables in schema cartstream to "` + role + `"`)
	w.exec(`grant select, insert on items to "` + role + `"`)
	db := SetURL(t.Name()+role, asRole(t, urlOf(w.db), role, "p"))
	if err := Migrate(t.Context(), db); err != nil {
		t.Error(err)
	}
	newSink[item](w, "items", WithDatabase(db)).load(wholeRange[item](testFile("a.csv"), items(0, 3)...)...)
	wantHistory(w, "a.csv", "loaded 3 3 0 0")
}

func TestRoleThatMayNotCreateSchemasIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.exec("drop schema cartstream cascade")
	role := roleOf(w, "loader")
	err := Migrate(t.Context(), SetURL(t.Name()+role, asRole(t, urlOf(w.db), role, "p")))
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

// TestRoleCalledCartstream is about "$user" in the search path: the role's
// tables must not land among the ledger's.
func TestRoleCalledCartstream(t *testing.T) {
	server := pgtest.Server(t)
	w := worldAt(t, server.URL())
	w.exec("drop schema cartstream cascade")
	w.exec("create role cartstream login superuser password 'p'")
	db := SetURL(t.Name()+" as cartstream", asRole(t, server.URL(), "cartstream", "p"))
	for range 2 {
		if err := Migrate(t.Context(), db, shopTable); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.list("select schemaname from pg_tables where tablename = 'shop'"); !slices.Equal(got, []string{"public"}) {
		t.Errorf("the table is in the schema %q", got)
	}
}

func TestLedgerThatIsNewerThanTheProgram(t *testing.T) {
	w := newWorld(t)
	w.exec("update cartstream.schema_version set version = 99")
	err := Migrate(t.Context(), w.db)
	if err == nil || !strings.Contains(err.Error(), "newer") || !strings.Contains(err.Error(), "99") {
		t.Errorf("got %v, want an error that says that the ledger is newer", err)
	}
	if n := one[int64](w, "select count(*) from pg_tables where schemaname = 'cartstream'"); n < 6 {
		t.Errorf("only %d of the ledger's tables are left", n)
	}
}

func TestStatementThatFails(t *testing.T) {
	w := newWorld(t)
	if err := Migrate(t.Context(), w.db, "create table broken (id nonsense)"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
}
