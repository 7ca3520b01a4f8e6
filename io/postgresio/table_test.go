package postgresio

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
)

func TestParseTable(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
	}{
		{"events", []string{"events"}},
		{"Events", []string{"Events"}},
		{"shop.events", []string{"shop", "events"}},
		{`"my.shop"."the ""events"""`, []string{"my.shop", `the "events"`}},
		{`shop."a b"`, []string{"shop", "a b"}},
		{"a b", []string{"a b"}},
		{"", nil},
		{".", nil},
		{"a.", nil},
		{".a", nil},
		{"a.b.c", nil},
		{`"a`, nil},
		{`""`, nil},
		{`"a"b`, nil},
		{`a"b`, nil},
		{`"a".`, nil},
	} {
		got, err := ParseTable(c.name)
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), "schema.table") {
				t.Errorf("%q: got %q, %v; want an error that says what a name is like", c.name, got, err)
			}
		} else if err != nil || !slices.Equal([]string(got), c.want) {
			t.Errorf("%q: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestTagsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  reflect.Type
		says string
	}{
		{"no struct", reflect.TypeFor[int](), "no struct"},
		{"no tag", reflect.TypeFor[struct{ A int }](), "no field"},
		{"no tag but -", reflect.TypeFor[struct {
			A int `db:"-"`
		}](), "no field"},
		{"an empty name", reflect.TypeFor[struct {
			A int `db:""`
		}](), "name of a column"},
		{"an option", reflect.TypeFor[struct {
			A int `db:"a,omitempty"`
		}](), "name of a column"},
		{"one column twice", reflect.TypeFor[struct {
			A int `db:"a"`
			B int `db:"a"`
		}](), "same column"},
		{"a type for no column", reflect.TypeFor[struct {
			A chan int `db:"a"`
		}](), "no column can hold"},
		{"a type without fields or methods to write", reflect.TypeFor[struct {
			A hidden `db:"a"`
		}](), "no column can hold"},
		{"an interface", reflect.TypeFor[struct {
			A any `db:"a"`
		}](), "no column can hold"},
		{"a field that is not exported", reflect.TypeFor[struct {
			a int `db:"a"`
		}](), "not exported"},
	} {
		if _, err := fieldsOf(c.typ); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error that says %q", c.name, err, c.says)
		}
	}
}

// wide has a field of every kind that DDL is proposed for.
type wide struct {
	ID       uuid.UUID         `db:"id"`
	Text     string            `db:"Some Text"`
	Maybe    *string           `db:"maybe"`
	Yes      bool              `db:"yes"`
	Small    int16             `db:"small"`
	Int      int32             `db:"int"`
	Big      int64             `db:"big"`
	Unsigned uint64            `db:"unsigned"`
	Real     float32           `db:"real"`
	Double   float64           `db:"double"`
	Price    *decimal.Decimal  `db:"price"`
	At       time.Time         `db:"at"`
	Took     time.Duration     `db:"took"`
	Raw      []byte            `db:"raw"`
	Doc      map[string]string `db:"doc"`
	Tags     []string          `db:"tags"`
}

// measure is a struct without a field that can be a key.
type measure struct {
	Value float64 `db:"value"`
}

// harmful is advice to change a table that somebody has made.
var harmful = regexp.MustCompile(`(?i)alter table|add column|add unique|create unique|drop not null|set default`)

func TestCheckSaysWhatIsExpectedAndWhatExists(t *testing.T) {
	w := newWorld(t)
	items := func(opts ...Option) func(w *world) error {
		return func(w *world) error { return Check[item](w.t.Context(), w.db, "items", opts...) }
	}
	for _, c := range []struct {
		name  string
		ddl   string
		check func(w *world) error
		says  []string // nothing: it is fine
		// mends tells that there is no table, and that the error ends with DDL that makes it.
		mends bool
	}{
		{"all is well", itemTable, items(), nil, false},
		{"further columns that need no value", itemTable + `; alter table items add note text, add n int not null default 1, add serial bigint generated always as identity`, items(), nil, false},
		{"no table", "", items(), []string{"no table", `"items"`}, true},
		{"no table, every type", "", func(w *world) error { return Check[wide](w.t.Context(), w.db, "wide") }, []string{"no table"}, true},
		{"no table, odd names", "", func(w *world) error { return Check[item](w.t.Context(), w.db, `"a ""b"`) }, []string{"no table"}, true},
		{"no schema", "", func(w *world) error { return Check[item](w.t.Context(), w.db, "shop.items") }, []string{"no table", "CREATE SCHEMA"}, true},
		{"a missing column", "create table items (id uuid primary key, price numeric)", items(), []string{`no column "name"`, "postgresio.item.Name", `(text), for`, `"id" (uuid), "price" (numeric)`}, false},
		{"no key", "create table items (id uuid, name text, price numeric)", items(), []string{"no primary key", "there is none"}, false},
		{"a key of two columns", "create table items (id uuid, name text, price numeric, primary key (id, name))", items(), nil, false},
		{"a key of two columns, one of which no field writes", "create table items (id uuid, shop text default 'here', name text, price numeric, primary key (id, shop))", items(), []string{`("id", "shop")`, `no field writes "shop"`, `db:"shop"`, "postgresio.item"}, false},
		{"a unique key of two columns beside an identity", "create table items (n bigint generated always as identity primary key, id uuid not null, name text not null, price numeric, unique (name, id))", items(), nil, false},
		{"two columns asked for, in another order", itemTable + "; alter table items add unique (name, id)", items(WithKey("id", "name")), nil, false},
		{"two columns asked for that are no key", itemTable, items(WithKey("id", "name")), []string{`constraint on ("id", "name")`, `there is ("id")`}, false},
		{"one of two columns asked for is no column", itemTable, items(WithKey("id", "nom")), []string{`no column "nom"`, `"id" (uuid), "name" (text), "price" (numeric(6,2))`}, false},
		{"no table, two columns asked for", "", items(WithKey("id", "name")), []string{"no table", `PRIMARY KEY ("id", "name")`}, true},
		{"a column of a type that no key has", "create table items (id uuid, name text, price numeric, primary key (id, price))", items(), []string{`"price"`, "numeric", "timestamptz"}, false},
		{"a deferrable key", "create table items (id uuid unique deferrable, name text, price numeric)", items(), []string{"no primary key"}, false},
		{"a partial unique index", "create table items (id uuid, name text, price numeric); create unique index on items (id) where name <> ''", items(), []string{"no primary key"}, false},
		{"a unique index on an expression", "create table items (id uuid, name text, price numeric); create unique index on items (lower(name))", items(), []string{"no primary key"}, false},
		{"a unique index", "create table items (id uuid, name text, price numeric); create unique index on items (id) include (name)", items(), nil, false},
		{"the key asked for", itemTable + "; alter table items add unique (name)", items(WithKey("name")), nil, false},
		{"the key asked for is none", itemTable, items(WithKey("name")), []string{`constraint on ("name")`, `there is ("id")`}, false},
		{"the key asked for is no column", itemTable, items(WithKey("nom")), []string{`no column "nom"`}, false},
		{"the key is a column that no field writes", "create table items (n int generated always as identity primary key, id uuid, name text, price numeric)", items(), []string{"no primary key", `("n") can't be used: no field writes "n"`}, false},
		{"a key of another type is passed over", "create table items (price numeric unique, id uuid unique, name text)", items(), nil, false},
		{"a column that must be written", itemTable + "; alter table items add shop text not null", items(), []string{`"shop"`, "NOT NULL", "type text", `db:"shop"`}, false},
		{"a primary key that must be written", "create table items (n int primary key, id uuid unique, name text, price numeric)", items(), []string{`"n"`, "NOT NULL"}, false},
		{"a generated column", "create table items (id uuid primary key, name text generated always as ('x') stored, price numeric)", items(), []string{`"name"`, "generated", "item.Name"}, false},
		{"an identity column", "create table numbers (n bigint generated always as identity primary key, name text)", func(w *world) error { return Check[named](w.t.Context(), w.db, "numbers") }, []string{`"n"`, "generated"}, false},
		{"an identity column with a default", "create table numbers (n bigint generated by default as identity primary key, name text)", func(w *world) error { return Check[named](w.t.Context(), w.db, "numbers") }, nil, false},
		{"several columns are missing", "create table items (id uuid primary key)", items(), []string{`no column "name" (text), "price" (numeric), for postgresio.item.Name, postgresio.item.Price`}, false},
		{"all that is wrong at once", "create table items (id bigint, shop text not null, price double precision, area text not null)", items(), []string{
			`no column "name"`, "no primary key", `"price"`, "double precision", `"id"`, "bigint", `"shop"`, `"area"`,
		}, false},
		{"a view", "create view items as select 1", items(), []string{`checking the table: "items" is a view, no table`}, false},
		{"a wrong type", "create table items (id uuid primary key, name text, price double precision)", items(), []string{`"price"`, "item.Price", "decimal.Decimal", "double precision", "numeric"}, false},
		{"a wrong type of the key", "create table items (id bigint primary key, name text, price numeric)", items(WithKey("id")), []string{`"id"`, "bigint", "uuid.UUID", "uuid"}, false},
		{"a uuid in a key of text", "create table items (id text primary key, name text, price numeric)", items(WithKey("id")), nil, false},
		{"a struct without a key", "create table measures (value double precision primary key)", func(w *world) error { return Check[measure](w.t.Context(), w.db, "measures") }, []string{"no primary key"}, false},
		{"a partitioned table", "create table items (id uuid primary key, name text, price numeric) partition by hash (id)", items(), nil, false},
		{"no table name", "", func(w *world) error { return Check[item](w.t.Context(), w.db, "a.b.c") }, []string{"schema.table"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{t: t, db: w.db, pool: w.pool}
			w.exec("drop schema if exists public, shop cascade; create schema public;" + c.ddl)
			err := c.check(w)
			if len(c.says) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error %q does not say %q", err, s)
				}
			}
			if !c.mends {
				if harmful.MatchString(err.Error()) {
					t.Errorf("the error proposes to change a table: %q", err)
				}
				return
			}
			_, ddl, _ := strings.Cut(err.Error(), "\n")
			w.exec(ddl)
			if err := c.check(w); err != nil {
				t.Errorf("after\n%s\nit still says: %v", ddl, err)
			}
		})
	}
}

func TestPartitionedTable(t *testing.T) {
	w := newWorld(t,
		"create table items (id uuid primary key, name text, price numeric) partition by range (id)",
		"create table low partition of items for values from (minvalue) to ('80000000-0000-0000-0000-000000000000')",
		"create table middle partition of items for values from ('80000000-0000-0000-0000-000000000000') to ('f0000000-0000-0000-0000-000000000000')",
	)
	var values []any
	for i := range 160 {
		values = append(values, item{ID: uuid.UUID{byte(i % 128 * 2), byte(i)}, Name: "n"})
	}
	values = append(values, item{ID: uuid.UUID{0xff}, Name: "n"}, values[0])
	newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), values...)...)
	// 8 first bytes from f0 on, and ff.
	wantHistory(w, "a.csv", "loaded 162 152 1 9")
	wantSound(w, "items", 152)
}

func TestKeysOfEveryType(t *testing.T) {
	for _, c := range []struct{ typ, ddl string }{
		{"text", ""},
		{"varchar(8)", ""},
		{"char(8)", ""},
		{"citext", "create extension citext"},
		{"word", "create domain word as text check (value <> '')"},
		{"letters", "create type letters as enum ('aa', 'ab', 'ac', 'ad', 'zz')"},
	} {
		t.Run(c.typ, func(t *testing.T) {
			w := newWorld(t, c.ddl, "create table words (name "+c.typ+" primary key, n bigint, tags text[] default '{x}')")
			s := newSink[named](w, "words")
			s.load(wholeRange[named](testFile("a.csv"), named{"aa", 1}, named{"ab", 2}, named{"aa", 3})...)
			wantHistory(w, "a.csv", "loaded 3 2 1 0")
			// A row that a trigger leaves out has the others written by INSERT.
			w.exec("create function f() returns trigger language plpgsql as $$ begin if new.n = 9 then return null; end if; return new; end $$")
			w.exec("create trigger t before insert on words for each row execute function f()")
			s.load(wholeRange[named](testFile("b.csv"), named{"ab", 4}, named{"ac", 5}, named{"zz", 9}, named{"ad", 6})...)
			wantHistory(w, "b.csv", "loaded 4 2 1 1")
			if got, want := w.list("select name::text || n from words order by n"), []string{"aa1", "ab2", "ac5", "ad6"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("a trigger that takes the key away", func(t *testing.T) {
		w := newWorld(t, "create table items (id uuid unique, name text, price numeric)",
			"create function f() returns trigger language plpgsql as $$ begin if new.name = 'none' then new.id = null; end if; if new.name = 'out' then return null; end if; return new; end $$",
			"create trigger t before insert on items for each row execute function f()")
		newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), item{ID: id(1), Name: "none"}, item{ID: id(2), Name: "out"}, item{ID: id(3), Name: "n"})...)
		wantHistory(w, "a.csv", "loaded 3 2 0 1")
	})
}
