//go:build e2e

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/embeddedpg"
	"github.com/cartstream/cartstream/internal/pgtest"
)

// outages are how long PostgreSQL stays away in TestOutages; `make chaos` asks
// for longer ones than 10 s, which is a case of its own.
func outages(t *testing.T) (all []time.Duration) {
	t.Helper()
	for _, text := range strings.Fields(os.Getenv("CHAOS_OUTAGES")) {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("CHAOS_OUTAGES: %v", err)
		}
		all = append(all, d)
	}
	return append(all, 2*time.Second)
}

// After an outage the load goes on as soon as the server is back, and history
// is exact.
func TestOutages(t *testing.T) {
	for _, d := range outages(t) {
		t.Run(d.String(), func(t *testing.T) {
			onEachRunner(t, func(t *testing.T, runner string) {
				server, s, p := loadOnItsOwnServer(t, 400_000, runner)
				if err := server.Kill(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(d) // the case itself
				if err := server.Restart(); err != nil {
					t.Fatal(err)
				}
				p.endsWith(exitDone)
				s.verifyManifest()
			})
		})
	}
}

// loadOnItsOwnServer begins a load and returns when some of it is committed.
func loadOnItsOwnServer(t *testing.T, records int, runner string) (*embeddedpg.Server, *scene, *process) {
	t.Helper()
	server := pgtest.Server(t)
	s := sceneAt(t, server.URL())
	s.generate(records, 5_000)
	s.run(exitDone, "migrate")
	p := s.start("run", "--available-now", "--input", "in/*", "--runner", runner)
	s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
	return server, s, p
}

// Trouble that passes is waited out: nothing is lost, nothing comes twice, and
// the history is exact.
func TestTroubleThatPasses(t *testing.T) {
	for _, c := range []struct {
		name string
		// begin makes trouble, end ends it.
		begin, end []string
		says       string
	}{
		{
			"a failover to a server that is read-only for a while",
			[]string{"alter system set default_transaction_read_only = on", "select pg_reload_conf()"},
			[]string{"set default_transaction_read_only = off", "alter system reset default_transaction_read_only", "select pg_reload_conf()"},
			"read-only transaction",
		},
		{
			"no connection is left",
			[]string{"alter role loader connection limit 0", terminateAll},
			[]string{"alter role loader connection limit -1"},
			"too many connections",
		},
		{
			"the disk is full",
			[]string{
				`create function full_disk() returns trigger language plpgsql as
				$$ begin raise exception using errcode = 'disk_full', message = 'could not extend file: No space left on device'; end $$`,
				`create trigger full_disk before insert on user_events for each statement execute function full_disk()`,
			},
			[]string{"drop trigger full_disk on user_events"},
			"No space left on device",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := pgtest.Server(t)
			s := sceneAt(t, server.URL())
			s.query("create role loader login password 'of-a-test'")
			s.query("grant create on database cartstream to loader")
			s.query("grant all on schema public to loader")
			s.url = strings.Replace(s.url, s.url[strings.Index(s.url, "//")+2:strings.Index(s.url, "@")], "loader:of-a-test", 1)
			s.generate(200_000, 2_000)
			s.run(exitDone, "migrate")
			p := s.start("run", "--available-now", "--input", "in/*")
			s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
			s.all(c.begin)
			p.says(c.says)
			p.says("Retrying in 1 second...")
			s.all(c.end)
			p.endsWith(exitDone)
			s.verifyManifest()
		})
	}
}

// all carries out statements on one connection.
func (s *scene) all(statements []string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			s.Fatalf("%s: %v", sql, err)
		}
	}
}

const (
	terminateAll = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cartstream' and datname = current_database()`
	terminateOne = `select count(pg_terminate_backend(pid)) from (` +
		`select pid from pg_stat_activity where application_name = 'cartstream' and datname = current_database() and state <> 'idle' order by random() limit 1) one`
)

// Connections are ended one by one, whatever they are at.
func TestConnectionsAreTerminatedOneByOne(t *testing.T) {
	s := newScene(t)
	s.generate(400_000, 5_000)
	s.run(exitDone, "migrate")
	p := s.start("run", "--available-now", "--input", "in/*")
	ended := 0
	s.eventually("many connections ended", func() bool {
		time.Sleep(rand.N(600 * time.Millisecond)) // at any moment of a transaction
		ended += s.count(terminateOne)
		return ended >= 8 || p.hasEnded()
	})
	p.endsWith(exitDone)
	if ended < 3 {
		t.Errorf("only %d connections were ended: the load is too small", ended)
	}
	s.verifyManifest()
}

// What an administrator has set for a database, to protect it from other
// people's queries, does not cut loads short.
func TestSettingsOfTheDatabase(t *testing.T) {
	s := newScene(t)
	name := s.query("select current_database()")[0]
	for _, set := range []string{
		"statement_timeout = '20ms'", "idle_session_timeout = '300ms'", "transaction_timeout = '50ms'", "lock_timeout = '1ms'",
		"default_transaction_isolation = 'serializable'", "synchronous_commit = off", "search_path = 'cartstream, public'",
		"datestyle = 'German'", "timezone = 'Asia/Kathmandu'", "bytea_output = 'escape'", "standard_conforming_strings = off", "client_encoding = 'latin1'",
	} {
		s.query("alter database " + name + " set " + set)
	}
	s.generate(200_000, 20_000)
	p := s.loadAll(exitDone)
	if strings.Contains(p.stderr.String(), "Retrying") {
		t.Errorf("%s", p)
	}
	s.verifyManifest()
	s.expect(`select schemaname from pg_tables where tablename = 'user_events'`, "public")
}

// A second writer takes the same keys, in any order, and lets them go again.
func TestASecondWriterOnTheSameKeys(t *testing.T) {
	s := newScene(t)
	s.generate(200_000, 10_000)
	s.run(exitDone, "migrate")
	s.run(exitDone, "run", "--available-now", "--input", "in/*", "--config", s.intoTable("wanted"))
	ctx, cancel := context.WithCancel(context.Background())
	writers := make(chan int)
	for range 2 {
		go func() { writers <- s.disturb(ctx) }()
	}
	p := s.loadAll(exitDone)
	cancel()
	t.Logf("%d deadlocks", strings.Count(p.stderr.String(), "deadlock detected"))
	if n := <-writers + <-writers; n == 0 {
		t.Error("the second writer did nothing")
	} else {
		t.Logf("%d transactions of the second writer", n)
	}
	if strings.Contains(p.stderr.String(), "panic") {
		t.Errorf("%s", p)
	}
	s.verifyManifest()
}

// intoTable makes a table like user_events, and settings that load into it.
func (s *scene) intoTable(name string) string {
	s.Helper()
	s.query("create table " + name + " (like user_events including all)")
	s.query("alter table " + name + " owner to " + strings.Split(strings.Split(s.url, "//")[1], ":")[0])
	s.write(name+".yaml", fmt.Sprintf("postgres: {table: %s}\n", name))
	return name + ".yaml"
}

// disturb inserts keys of the load in any order, holds them for a moment and
// rolls back, until ctx ends. It returns how often.
func (s *scene) disturb(ctx context.Context) (n int) {
	conn, err := pgx.Connect(context.Background(), s.admin)
	if err != nil {
		return 0
	}
	defer conn.Close(context.Background())
	for ctx.Err() == nil {
		// Deadlocks are what this is about: an error is none.
		_, _ = conn.Exec(context.Background(), `begin; insert into user_events
			select * from wanted where left(event_id::text, 3) = lpad(to_hex((random() * 4095)::int), 3, '0') order by random() on conflict do nothing`)
		time.Sleep(rand.N(20 * time.Millisecond)) // it holds them
		_, _ = conn.Exec(context.Background(), "rollback")
		n++
	}
	return n
}
