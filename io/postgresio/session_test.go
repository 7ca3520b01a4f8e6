package postgresio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
)

func init() { Register[variety]() }

// variety is a row of types whose text depends on settings.
type variety struct {
	ID    int64           `db:"id"`
	Name  string          `db:"name"`
	At    time.Time       `db:"at"`
	Local time.Time       `db:"local"`
	Day   time.Time       `db:"day"`
	Took  time.Duration   `db:"took"`
	Bytes []byte          `db:"bytes"`
	Ratio float64         `db:"ratio"`
	Tags  []string        `db:"tags"`
	Doc   json.RawMessage `db:"doc"`
	Part  string          `db:"part"`
}

// varietyDDL has a trigger that sees the row, and texts that it parses, as the settings
// of its transaction have it.
var varietyDDL = []string{
	`create table varieties (id bigint primary key, name text, at timestamptz, local timestamp, day date, took interval, bytes bytea,
		ratio float8, tags text[], doc jsonb, part xml, seen text)`,
	`create function see() returns trigger language plpgsql as $$ begin
		new.seen := concat_ws('|', new.at, new.local, new.day, new.took, new.bytes, new.ratio, new.tags,
			'02/03/2026'::date - '2026-01-01'::date, '{NULL}'::text[] = array[null], 'a\b', (null = null) is null);
		return new; end $$`,
	`create trigger t before insert on varieties for each row execute function see()`,
}

func varietyOf(n int64) variety {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_012_000, time.UTC)
	return variety{
		ID: n, Name: "Müller – 東京", At: at, Local: at, Day: at.Truncate(24 * time.Hour), Took: 26*time.Hour + 1500*time.Millisecond, Bytes: []byte{0, 1, '\\', 0xff},
		Ratio: 1.0 / 3, Tags: []string{"NULL", "ü", `a\b`}, Doc: json.RawMessage(`{"ü": 1}`), Part: "text <b>ü</b>",
	}
}

// hostileSettings are values under which text would be read or written in another way,
// rows would be hidden, triggers left out, or transactions cut short.
var hostileSettings = []struct{ name, value string }{
	{"client_encoding", "LATIN1"},
	{"client_encoding", "SQL_ASCII"},
	{"DateStyle", "German, DMY"},
	{"IntervalStyle", "iso_8601"},
	{"TimeZone", "Asia/Kathmandu"},
	{"bytea_output", "escape"},
	{"extra_float_digits", "-15"},
	{"standard_conforming_strings", "off"},
	{"array_nulls", "off"},
	{"xmloption", "document"},
	{"transform_null_equals", "on"},
	{"row_security", "off"},
	{"lc_monetary", "C"},
	{"lc_numeric", "C"},
	{"lc_time", "C"},
	{"search_path", "cartstream, public"},
	{"search_path", "public, pg_catalog"},
	{"search_path", `pg_temp, "$user", public`},
	{"default_transaction_isolation", "serializable"},
	{"default_transaction_deferrable", "on"},
	{"statement_timeout", "900ms"},
	{"lock_timeout", "1ms"},
	{"idle_in_transaction_session_timeout", "900ms"},
	{"transaction_timeout", "900ms"},
	{"idle_session_timeout", "900ms"},
	{"synchronous_commit", "off"},
	{"exit_on_error", "on"},
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "on"},
	{"jit", "on"},
	{"application_name", "another"},
}

func TestHostileSettingsChangeNothing(t *testing.T) {
	owner, superuser := pgtest.Owned(t)
	admin := worldAt(t, superuser, varietyDDL...)
	role := quoteOne(one[string](admin, "select pg_get_userbyid(datdba) from pg_database where datname = current_database()"))
	database := quoteOne(one[string](admin, "select current_database()"))
	admin.exec("grant usage on schema cartstream to " + role + "; grant all on all tables in schema cartstream to " + role + "; alter table varieties owner to " + role)
	newSink[variety](admin, "varieties").load(wholeRange[variety](testFile("plain"), varietyOf(0))...)
	plain := contentOf(admin, 0)
	if !strings.Contains(plain, `2026-02-03 04:05:06.789012+00|2026-02-03 04:05:06.789012|2026-02-03|26:00:01.5|\x00015cff|0.3333333333333333|{"NULL",ü,"a\\b"}|33|t|a\b|t`) {
		t.Fatalf("got %s", plain)
	}
	n := int64(0)
	check := func(name, url string, set, reset []string) {
		t.Run(name, func(t *testing.T) {
			for _, sql := range set {
				admin.exec(sql)
			}
			defer func() {
				for _, sql := range reset {
					admin.exec(sql)
				}
			}()
			n++
			w := worldAt(t, url)
			defer w.pool.Close()
			wantPins(w)
			if err := Check[variety](t.Context(), w.db, "varieties"); err != nil {
				t.Fatal(err)
			}
			bad := varietyOf(-n)
			bad.Name = "\x00"
			newSink[variety](w, "varieties").load(wholeRange[variety](testFile(fmt.Sprint("f", n)), bad, varietyOf(n))...)
			if got := contentOf(admin, n); got != plain {
				t.Errorf("stored %s\nwant   %s", got, plain)
			}
			if v, err := Verify(t.Context(), w.pool, "varieties", nil); err != nil || v.Off > 0 {
				t.Errorf("verify: %+v, %v", v, err)
			}
		})
	}
	reset := []string{"alter role " + role + " reset all", "alter database " + database + " reset all"}
	var byRole, byDatabase, options []string
	query := url.Values{}
	for _, s := range hostileSettings {
		set := " set " + s.name + " = '" + s.value + "'"
		if s.name == "search_path" {
			set = " set " + s.name + " = " + s.value
		}
		check(s.name+" "+s.value+" of the role", owner, []string{"alter role " + role + set}, reset)
		check(s.name+" "+s.value+" of the database", owner, []string{"alter database " + database + set}, reset)
		check(s.name+" "+s.value+" of the URL", withQuery(t, owner, url.Values{s.name: {s.value}}), nil, nil)
		byRole, byDatabase = append(byRole, "alter role "+role+set), append(byDatabase, "alter database "+database+set)
		query.Set(s.name, s.value)
		options = append(options, "-c "+s.name+"="+strings.ReplaceAll(s.value, " ", `\ `))
	}
	check("all of the role", owner, byRole, reset)
	check("all of the database", owner, byDatabase, reset)
	check("all of the URL", withQuery(t, owner, query), nil, nil)
	check("all of the URL's options", withQuery(t, owner, url.Values{"options": {strings.Join(options, " ")}}), nil, nil)
	check("other case in the URL", withQuery(t, owner, url.Values{"Client_Encoding": {"LATIN1"}, "TIMEZONE": {"Asia/Kathmandu"}}), nil, nil)
}

// withQuery adds parameters to a connection string.
func withQuery(t *testing.T, server string, query url.Values) string {
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range u.Query() {
		query[name] = values
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String()
}

func quoteOne(name string) string { return pgx.Identifier{name}.Sanitize() }

// contentOf is a row but for its key.
func contentOf(w *world, id int64) string {
	return one[string](w, `select jsonb_pretty(to_jsonb(v) - 'id') || seen from varieties v where id = $1`, id)
}

// wantPins asks in each kind of transaction for each setting.
func wantPins(w *world) {
	w.t.Helper()
	reading := map[string]string{"enable_seqscan": "on", "row_security": "off"}
	for begin, others := range map[string]map[string]string{beginWriting: nil, beginLoading: nil, beginReading: reading} {
		err := inTransaction(context.Background(), w.pool, "asking", begin, func(tx pgx.Tx) error {
			for _, p := range append(slices.Clone(pins), struct{ name, value string }{"synchronous_commit", one[string](w, "select reset_val from pg_settings where name = 'synchronous_commit'")}) {
				var got *string
				if err := tx.QueryRow(context.Background(), "select current_setting($1, true)", p.name).Scan(&got); err != nil {
					return err
				}
				want := p.value
				if other := others[p.name]; other != "" {
					want = other
				}
				if got != nil && *got != want && p.name != "synchronous_commit" || p.name == "synchronous_commit" && *got == "off" {
					w.t.Errorf("%s is %s, want %s", p.name, *got, want)
				}
			}
			var schemas string
			err := tx.QueryRow(context.Background(), "select current_schemas(true)::text").Scan(&schemas)
			if first, _, _ := strings.Cut(schemas, ",pg_temp"); strings.Trim(first, "{}") != "pg_catalog,public" {
				w.t.Errorf("the schemas are %s", schemas)
			}
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
	}
}

// Triggers and foreign keys would be left out. A superuser's transactions set it back;
// another role can't, and is told at the start.
func TestReplicationRoleIsRefusedOrSetBack(t *testing.T) {
	dontWait(t)
	owner, superuser := pgtest.Owned(t)
	worldAt(t, owner, varietyDDL...)
	admin := worldAt(t, superuser)
	database := quoteOne(one[string](admin, "select current_database()"))
	admin.exec("alter database " + database + " set session_replication_role = replica")
	for what, err := range map[string]error{
		"Wait": SetURL(t.Name(), owner).Wait(t.Context()), "Migrate": Migrate(t.Context(), SetURL(t.Name(), owner)),
		"Check": Check[variety](t.Context(), SetURL(t.Name(), owner), "varieties"),
	} {
		if !errors.Is(err, errReplica) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	w := worldAt(t, superuser)
	newSink[variety](w, "varieties").load(wholeRange[variety](testFile("a"), varietyOf(1))...)
	if got := one[*string](w, "select seen from varieties"); got == nil {
		t.Error("the trigger was left out")
	}
}

// A role, database or connection string that can never write is told so at the start.
func TestReadOnlyByDefaultIsRefusedAtTheStart(t *testing.T) {
	owner, superuser := pgtest.Owned(t)
	worldAt(t, owner, varietyDDL...)
	admin := worldAt(t, superuser)
	role := quoteOne(one[string](admin, "select pg_get_userbyid(datdba) from pg_database where datname = current_database()"))
	database := quoteOne(one[string](admin, "select current_database()"))
	for _, c := range []struct{ name, url, of string }{
		{"role", owner, "role " + role},
		{"database", owner, "database " + database},
		{"URL", withQuery(t, owner, url.Values{"default_transaction_read_only": {"on"}}), ""},
	} {
		if c.of != "" {
			admin.exec("alter " + c.of + " set default_transaction_read_only = on")
		}
		if err := Check[variety](t.Context(), SetURL(t.Name()+c.name, c.url), "varieties"); !errors.Is(err, errReadOnly) {
			t.Errorf("%s: got %v", c.name, err)
		}
		if c.of != "" {
			admin.exec("set default_transaction_read_only = off; alter " + c.of + " reset default_transaction_read_only")
		}
	}
}

// A temporary table of another client of the pooler, in the same session, is not taken
// for the table.
func TestAnotherClientsTemporaryTableIsNotTheTarget(t *testing.T) {
	database := pgtest.Database(t)
	direct := worldAt(t, database, itemTable)
	pooled := pgtest.Pooler(t, database, "transaction", "default_pool_size = 1")
	other, err := pgx.Connect(t.Context(), pooled)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	if _, err := other.Exec(t.Context(), "create temporary table items (like public.items including all); set datestyle = 'German'; set client_encoding = 'LATIN1'",
		pgx.QueryExecModeExec); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: SetURL(t.Name(), pooled), pool: direct.pool, run: direct.run}
	if err := Check[item](t.Context(), w.db, "items"); err != nil {
		t.Fatal(err)
	}
	newSink[item](w, "items").load(wholeRange[item](testFile("a"), item{ID: id(1), Name: "Müller"})...)
	if got := w.list("select name from public.items"); !slices.Equal(got, []string{"Müller"}) {
		t.Errorf("got %q", got)
	}
}
