package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
)

const bound = time.Minute

// place is a folder to load from and a database to load into.
type place struct {
	*testing.T
	dir, url string
	options  Options
	asks     session // made when it is needed
}

// newPlace has an empty folder and a database with the schema.
func newPlace(t *testing.T, runner string) *place {
	t.Helper()
	return newPlaceAt(t, runner, pgtest.Database(t))
}

func newPlaceAt(t *testing.T, runner, url string) *place {
	t.Helper()
	p := &place{T: t, dir: t.TempDir(), url: url}
	p.options = Options{Settings: DefaultSettings(), Database: DatabaseAt(p.url), AvailableNow: true, Runner: runner}
	p.options.Settings.Streaming.Input = []string{filepath.Join(p.dir, "*.csv")}
	p.options.Settings.Streaming.TriggerInterval = Duration(20 * time.Millisecond)
	if err := Events(p.options).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// add copies the file of events into the folder.
func (p *place) add(name string) {
	p.Helper()
	text, err := os.ReadFile(eventsFile)
	if err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o644); err != nil {
		p.Fatal(err)
	}
}

func (p *place) run(drain <-chan struct{}) Totals {
	p.Helper()
	totals, err := Events(p.options).Run(p.Context(), drain)
	if err != nil {
		p.Fatal(err)
	}
	totals.Batches = 0 // depends on time
	return totals
}

// testedRunners are direct and, where the race detector is off (the e2e tests),
// prism: a bundle that fails on prism races within the SDK's own harness.
var testedRunners = []string{RunnerDirect}

// onEachRunner runs a test on each runner.
func onEachRunner(t *testing.T, test func(t *testing.T, runner string)) {
	for _, runner := range testedRunners {
		t.Run(runner, func(t *testing.T) { test(t, runner) })
	}
}

// session is a connection to the place's database.
type session struct {
	*place
	conn *pgx.Conn
}

// connect returns a session that lasts as long as the test.
func (p *place) connect() session {
	p.Helper()
	conn, err := pgx.Connect(p.Context(), p.url)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { conn.Close(context.Background()) })
	return session{p, conn}
}

func (s session) exec(sql string) {
	s.Helper()
	if _, err := s.conn.Exec(s.Context(), sql); err != nil {
		s.Fatal(err)
	}
}

// count asks for a number.
func (p *place) count(sql string) (n int) {
	p.Helper()
	if p.asks.conn == nil {
		p.asks = p.connect()
	}
	if err := p.asks.conn.QueryRow(p.Context(), sql).Scan(&n); err != nil {
		p.Fatal(err)
	}
	return n
}

func (p *place) eventually(what string, isSo func() bool) {
	p.Helper()
	for end := time.Now().Add(bound); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("never came: %s", what)
		}
	}
}

const countRows = `select count(*) from user_events`

func TestRunLoadsWhatIsThere(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.add("a.csv")
		if got, want := p.run(nil), (Totals{Records: 9, Inserted: 4, Duplicates: 1, DeadLetters: 4, Files: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		p.add("b.csv")
		if got, want := p.run(nil), (Totals{Records: 9, Duplicates: 5, DeadLetters: 4, Files: 1}); got != want {
			t.Errorf("the second run: got %+v, want %+v", got, want)
		}
		if got := p.run(nil); got != (Totals{}) {
			t.Errorf("the third run has nothing to do and does %+v", got)
		}
		if got := p.count(countRows); got != 4 {
			t.Errorf("%d rows, want 4", got)
		}
		v, err := Events(p.options).Verify(t.Context(), &VerifyOptions{Files: true})
		if err != nil || len(v.Findings) > 0 || v.Records != 18 {
			t.Errorf("%+v %v", v, err)
		}
		files, err := History(t.Context(), p.options.Database, HistoryFilter{})
		if err != nil || len(files) != 2 || files[1].Status != "loaded" || files[1].Errors != 4 || *files[1].ErrorLine != 7 {
			t.Errorf("%+v %v", files, err)
		}
	})
}

func TestRunWatchesUntilItIsDrained(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.AvailableNow = false
		drain, ended := make(chan struct{}), make(chan Totals)
		go func() {
			totals, err := Events(p.options).Run(context.Background(), drain)
			if err != nil {
				t.Error(err)
			}
			ended <- totals
		}()
		for n := range 3 { // each waits for the one before
			p.add(fmt.Sprint(n, ".csv"))
			p.eventually("the file's records", func() bool {
				return p.count(`select coalesce(sum(records), 0)::bigint from cartstream.ranges`) == 9*(n+1)
			})
		}
		close(drain)
		if got := <-ended; got.Files != 3 || got.Inserted != 4 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestRunWithTheTolerance(t *testing.T) {
	p := newPlace(t, RunnerDirect)
	p.options.Settings.Validation.FutureTolerance = Duration(100 * 365 * 24 * time.Hour)
	p.add("a.csv")
	if got := p.run(nil); got.Inserted != 5 || got.DeadLetters != 3 {
		t.Errorf("got %+v; the event of 2099 is to be a row", got)
	}
}

// The table user_events is made where it is the target, and nowhere else.
func TestTableOfEventsIsMadeWhereItIsTheTarget(t *testing.T) {
	for table, made := range map[string]bool{"user_events": true, "public.user_events": true, "events": false} {
		p := &place{T: t, url: pgtest.Database(t)}
		o := Options{Settings: DefaultSettings(), Database: DatabaseAt(p.url)}
		o.Settings.Postgres.Table = table
		if err := Events(o).Prepare(t.Context()); (err == nil) != made {
			t.Errorf("%s: %v", table, err)
		}
		if got := p.count(`select count(*) from pg_class where relname = 'user_events'`) == 1; got != made {
			t.Errorf("%s: the table user_events is there: %t", table, got)
		}
	}
}

func TestRunIntoAnotherTable(t *testing.T) {
	p := newPlace(t, RunnerDirect)
	p.connect().exec(`create schema "My Shop"; create table "My Shop"."Events" (like user_events including all)`)
	p.options.Settings.Postgres.Table = `"My Shop"."Events"`
	p.add("a.csv")
	if got := p.run(nil); got.Inserted != 4 {
		t.Errorf("got %+v", got)
	}
	if got := p.count(`select count(*) from "My Shop"."Events"`); got != 4 {
		t.Errorf("%d rows, want 4", got)
	}
}

// A table that is taken away while the run goes on ends it, with its name.
func TestRunEndsWithWhatNoRetryMends(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.connect().exec(`drop table user_events`)
		p.add("a.csv")
		_, err := Events(p.options).Run(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "user_events") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.AvailableNow = false
		p.add("a.csv")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() {
			_, err := Events(p.options).Run(ctx, nil)
			ended <- err
		}()
		p.eventually("rows", func() bool { return p.count(countRows) == 4 })
		why := errors.New("the reason")
		cancel(why)
		if err := <-ended; !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	})
}

// While the watcher waits, what it has handed on goes through the other stages,
// and draining does not wait for it.
func TestRunLoadsWhileTheWatcherWaits(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.AvailableNow = false
		p.options.Settings.Streaming.TriggerInterval = Duration(24 * time.Hour)
		for n := range 5 {
			p.add(fmt.Sprint(n, ".csv"))
		}
		drain, ended := make(chan struct{}), make(chan Totals)
		go func() {
			totals, err := Events(p.options).Run(context.Background(), drain)
			if err != nil {
				t.Error(err)
			}
			ended <- totals
		}()
		p.eventually("the records of all files", func() bool {
			return p.count(`select coalesce(sum(records), 0)::bigint from cartstream.ranges`) == 5*9
		})
		close(drain)
		select {
		case got := <-ended:
			if got.Files != 5 || got.Inserted != 4 {
				t.Errorf("got %+v", got)
			}
		case <-time.After(bound):
			t.Fatal("the drain waits for the watcher")
		}
	})
}

// addMany writes a file of n events, about 100 bytes each.
func (p *place) addMany(name string, n int) {
	p.Helper()
	text := bytes.NewBufferString("event_id,user_id,product_id,product_name,product_category,event_type,price,event_timestamp\n")
	for i := range n {
		fmt.Fprintf(text, "00000000-0000-4000-8000-%012d,USER_000001,PROD_000001,Lamp,Home & Garden,view,1.00,2024-01-29 10:00:00\n", i)
	}
	if err := os.WriteFile(filepath.Join(p.dir, name), text.Bytes(), 0o600); err != nil {
		p.Fatal(err)
	}
}

// The drain of a run whose database is away ends by its bound, and says so.
func TestDrainTimeout(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		t.Run("in a continuous run", func(t *testing.T) {
			drainWithoutDatabase(t, runner, 1, func(p *place) {
				p.options.AvailableNow = false
				p.add("a.csv")
			})
		})
		// Six ranges: with two in transactions and one in the next batch, the
		// fourth waits for that, and on prism the others for memory.
		t.Run("with more in hand than there is room for", func(t *testing.T) {
			drainWithoutDatabase(t, runner, 2, func(p *place) { p.addMany("a.csv", 300_000) })
		})
	})
}

// drainWithoutDatabase drains a run whose server goes away under a number of loads.
func drainWithoutDatabase(t *testing.T, runner string, loads int, prepare func(p *place)) {
	server := pgtest.Server(t)
	p := &place{T: t, dir: t.TempDir(), url: server.URL()}
	p.options = Options{Settings: DefaultSettings(), Database: DatabaseAt(p.url), AvailableNow: true, DrainTimeout: 100 * time.Millisecond, Runner: runner}
	p.options.Settings.Streaming.Input = []string{filepath.Join(p.dir, "*.csv")}
	if err := Events(p.options).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A lock on the table holds the loads; then the server goes away under them.
	p.connect().exec(`begin; lock table user_events in access exclusive mode`)
	prepare(p)
	drain, ended := make(chan struct{}), make(chan error)
	go func() {
		_, err := Events(p.options).Run(context.Background(), drain)
		ended <- err
	}()
	p.eventually("loads that wait for the lock", func() bool {
		return p.count(`select count(*) from pg_locks where not granted and mode = 'RowExclusiveLock'`) >= loads
	})
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	close(drain)
	select {
	case err := <-ended:
		if !errors.Is(err, runctl.ErrDrainBound) || !strings.Contains(err.Error(), "(100ms)") {
			t.Errorf("got %v", err)
		}
	case <-time.After(bound):
		t.Fatal("the run does not end")
	}
}
