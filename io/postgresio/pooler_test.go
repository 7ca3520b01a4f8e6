package postgresio

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Behind a pooler in transaction mode each transaction has another session, and
// sessions are used by other clients too. All that a run does works, retries nothing
// and leaves nothing in them.
func TestPoolerInTransactionMode(t *testing.T) {
	for _, sessions := range []int{2, 20} {
		t.Run(fmt.Sprint(sessions, " sessions"), func(t *testing.T) {
			database := pgtest.Database(t)
			pooled := pgtest.Pooler(t, database, "transaction", fmt.Sprint("default_pool_size = ", sessions))
			log := captureLog(t)
			through := SetURL(t.Name()+" pooled", pooled)
			for range 2 {
				if err := Migrate(t.Context(), through, itemTable[:len("create table ")]+"if not exists "+itemTable[len("create table "):]); err != nil {
					t.Fatal(err)
				}
			}
			direct := worldAt(t, database, stockTable)
			w := &world{t: t, db: through, pool: direct.pool, run: t.Name()}
			t.Cleanup(func() { runctl.Forget(w.run) })
			if err := Check[item](t.Context(), through, "items"); err != nil {
				t.Fatal(err)
			}
			s := newSink[item](w, "items", WithFlush(50, time.Millisecond), WithConnections(4))
			var all []*record.Record[item]
			for f := range 20 {
				values := append(items(30*f, 30*f+40), record.Fault{Code: "c", Message: "m"}, item{ID: id(5000 + f), Name: "n", Price: price("99999.99")})
				all = append(all, wholeRange[item](testFile(fmt.Sprint(f)), values...)...)
			}
			s.load(all...)
			wantSound(direct, "items", 20*30+10)
			l := Ledger{Run: w.run, Database: through, Table: "items"}
			states, err := l.Lookup(t.Context(), []record.File{testFile("0"), testFile("none")})
			if err != nil || states[0].Status != record.StatusLoaded || states[1].Status != "" {
				t.Errorf("got %v, %v", states, err)
			}
			ordered := newSink[stock](w, "stock", WithUpsert(Upsert{}))
			for f := range 10 {
				ordered.load(wholeRange[stock](testFile(fmt.Sprint("s", f)), stock{"a", 1, nil, fmt.Sprint(f)})...)
			}
			wantStock(direct, "stock", "a1 -1 9")
			if strings.Contains(log.String(), "Retrying") {
				t.Errorf("something was tried again:\n%s", log)
			}
			wantClean(t, pooled)
		})
	}
}

// wantClean looks at sessions of the pool as another client finds them: no settings
// of ours, no locks, no statements.
func wantClean(t *testing.T, pooled string) {
	t.Helper()
	for range 20 {
		config, err := pgx.ParseConfig(pooled)
		if err != nil {
			t.Fatal(err)
		}
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
		config.RuntimeParams["application_name"] = "another client"
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		var settings []string
		var locks, statements int
		err = conn.QueryRow(t.Context(), `select
			(select array_agg(name || '=' || setting) from pg_settings where source = 'session' and name not in ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')),
			(select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())),
			(select count(*) from pg_prepared_statements)`).Scan(&settings, &locks, &statements)
		if err != nil {
			t.Fatal(err)
		}
		if len(settings) > 0 || locks > 0 || statements > 0 {
			t.Errorf("left behind: settings %v, %d locks, %d statements", settings, locks, statements)
		}
		var zone, name string
		if err := conn.QueryRow(t.Context(), "select current_setting('timezone'), current_setting('application_name')").Scan(&zone, &name); err != nil || name != "another client" {
			t.Errorf("another client is called %q, %v", name, err)
		}
		_ = conn.Close(t.Context())
	}
}

// In session mode all works too; in statement mode nothing can, and one sentence says
// what to do.
func TestPoolerInOtherModes(t *testing.T) {
	dontWait(t)
	database := pgtest.Database(t)
	session := SetURL(t.Name()+" session", pgtest.Pooler(t, database, "session"))
	if err := Migrate(t.Context(), session, itemTable); err != nil {
		t.Error(err)
	}
	statement := SetURL(t.Name()+" statement", pgtest.Pooler(t, database, "statement"))
	for what, err := range map[string]error{
		"Wait": statement.Wait(t.Context()), "Migrate": Migrate(t.Context(), statement), "Check": Check[item](t.Context(), statement, "items"),
	} {
		if err == nil || !strings.Contains(err.Error(), "statement mode") || !strings.Contains(err.Error(), "pool_mode") {
			t.Errorf("%s: got %v, want advice on statement mode", what, err)
		}
	}
	// What a pooler refuses for good is not tried again.
	wrong := SetURL(t.Name()+" parameter", pgtest.Pooler(t, database, "transaction")+"&options=-cgeqo%3Doff")
	if err := wrong.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "startup parameter") || strings.Contains(err.Error(), "gave up") {
		t.Errorf("got %v", err)
	}
}

// A migration that fails behind a pooler leaves no lock that the next one waits for.
func TestFailedMigrationLeavesNoLockInThePool(t *testing.T) {
	database := pgtest.Database(t)
	through := SetURL(t.Name(), pgtest.Pooler(t, database, "transaction"))
	for range 3 {
		if err := Migrate(t.Context(), through, "create table broken (id nonsense)"); err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Fatalf("got %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := Migrate(ctx, SetURL(t.Name()+" direct", database)); err != nil {
		t.Error(err)
	}
}

// What was set for the role does not change what a load does, behind a pooler or not.
func TestSettingsHoldInEveryTransaction(t *testing.T) {
	owner, superuser := pgtest.Owned(t)
	direct := worldAt(t, superuser)
	role := one[string](direct, "select pg_get_userbyid(datdba) from pg_database where datname = current_database()")
	for _, set := range []string{
		"statement_timeout = '1s'", "lock_timeout = '1ms'", "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on",
		"synchronous_commit = off", "timezone = 'Asia/Kathmandu'", "jit = on", "client_encoding = 'latin1'", "search_path = cartstream",
		"idle_in_transaction_session_timeout = '5ms'", "transaction_timeout = '1s'", "idle_session_timeout = '300ms'", "application_name = 'of the role'",
	} {
		direct.exec(`alter role "` + role + `" set ` + set)
	}
	want := "0 0 off read committed on UTC off off UTF8 public, pg_temp 1min 0 cartstream"
	for name, url := range map[string]string{"direct": owner, "pooled": pgtest.Pooler(t, owner, "transaction")} {
		pool, err := SetURL(t.Name()+name, url).Open(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		for range 3 {
			var got []string
			err = inTransaction(t.Context(), pool, "asking", beginWriting, func(tx pgx.Tx) error {
				return tx.QueryRow(t.Context(), `select array_agg(current_setting(name) order by place) from unnest(string_to_array(
					'statement_timeout lock_timeout enable_seqscan transaction_isolation synchronous_commit timezone jit transaction_deferrable client_encoding search_path idle_in_transaction_session_timeout transaction_timeout application_name', ' ')) with ordinality n(name, place)`).Scan(&got)
			})
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s: got %q, %v, want %q", name, strings.Join(got, " "), err, want)
			}
			time.Sleep(400 * time.Millisecond) // longer than idle_session_timeout
		}
	}
}
