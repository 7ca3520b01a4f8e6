package postgresio

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

var retryLine = regexp.MustCompile(`Retrying in [0-9.]+(ms| seconds?)\.\.\.`)

func TestReplyToCommitIsLost(t *testing.T) {
	retryFast(t)
	for _, c := range []struct {
		name string
		at   verdict
	}{
		{"the commit took place", cutAfterReply},
		{"the commit was under way", cutAtOnce},
		{"the commit did not take place", cutBefore},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := pgtest.Database(t)
			w := worldAt(t, url, itemTable)
			_, through := newProxy(t, url, once(c.at, isCommit))
			values := append(items(0, 100), items(0, 10)...)
			values = append(values, record.Fault{Code: "c", Message: "m"})
			s := newSink[item](w, "items", WithDatabase(SetURL(t.Name()+" by proxy", through)))
			s.load(wholeRange[item](testFile("a.csv"), values...)...)
			wantHistory(w, "a.csv", "loaded 111 100 10 1")
			wantSound(w, "items", 100)
			if n := one[int64](w, "select count(*) from cartstream.loads"); n != 1 {
				t.Errorf("the ledger has %d loads, want 1", n)
			}
			want := Totals{Batches: 1, Records: 111, Inserted: 100, Duplicates: 10, DeadLetters: 1, Files: 1}
			if got := RunTotals(w.run); got != want {
				t.Errorf("totals: got %+v, want %+v", got, want)
			}
		})
	}
}

func TestReplyToCommitOfMarkersIsLost(t *testing.T) {
	retryFast(t)
	for _, at := range []verdict{cutAfterReply, cutAtOnce, cutBefore} {
		url := pgtest.Database(t)
		w := worldAt(t, url, itemTable)
		_, through := newProxy(t, url, once(at, isCommit))
		fault := &record.Fault{Code: record.CodeInvalidHeader, Message: "no column id"}
		err := newSink[item](w, "items", WithDatabase(SetURL(t.Name()+" by proxy", through))).bundle(&record.Record[item]{
			Kind: record.KindFileFailed, Fault: fault,
			Source: record.Source{Range: &record.Range{File: testFile("a.csv"), Fingerprint: "f1", Failure: fault}},
		})
		if err != nil {
			t.Error(err)
		}
		if n := one[int64](w, "select count(*) from cartstream.file_outcomes"); n != 1 {
			t.Errorf("the ledger has %d outcomes of the file, want 1", n)
		}
		wantHistory(w, "a.csv", "failed 0 0 0 0")
	}
}

func TestConnectionBreaksAtAnyMessage(t *testing.T) {
	retryFast(t)
	url := pgtest.Database(t)
	w := worldAt(t, url, itemTable)
	more := true
	for n := int64(1); more; n++ {
		t.Run(strconv.FormatInt(n, 10), func(t *testing.T) {
			from := 20 * int(n)
			values := append(items(from, from+20), items(from+5, from+8)...)
			values = append(values, record.Fault{Code: "c", Message: "m"})
			w := &world{t: t, db: w.db, pool: w.pool, run: t.Name()}
			t.Cleanup(func() { runctl.Forget(w.run) })
			var seen atomic.Int64
			_, through := newProxy(t, url, func(byte, string) verdict {
				if seen.Add(1) == n {
					return cutBefore
				}
				return pass
			})
			s := newSink[item](w, "items", WithDatabase(SetURL(t.Name()+" by proxy", through)))
			s.load(wholeRange[item](testFile(t.Name()), values...)...)
			wantHistory(w, t.Name(), "loaded 24 20 3 1")
			wantSound(w, "items", 20*n)
			more = seen.Load() >= n
		})
	}
}

func TestBackendIsKilledDuringCopy(t *testing.T) {
	retryFast(t)
	url := pgtest.Database(t)
	w := worldAt(t, url, itemTable)
	log := captureLog(t)
	var killed atomic.Bool
	_, through := newProxy(t, url, func(kind byte, body string) verdict {
		if isCopyData(kind, body) && killed.CompareAndSwap(false, true) {
			waitUntil(t, "the backend's end", func() bool {
				return one[int64](w, `select count(pg_terminate_backend(pid)) from pg_stat_activity
					where datname = current_database() and query like 'copy "public"."items"%'`) == 1
			})
		}
		return pass
	})
	s := newSink[item](w, "items", WithDatabase(SetURL(t.Name()+" by proxy", through)))
	s.load(wholeRange[item](testFile("a.csv"), items(0, 5000)...)...)
	wantHistory(w, "a.csv", "loaded 5000 5000 0 0")
	wantSound(w, "items", 5000)
	if !killed.Load() || !retryLine.MatchString(log.String()) {
		t.Errorf("killed: %v; the log has no retry:\n%s", killed.Load(), log)
	}
}

// TestServerStopsDuringLoads kills the server in the middle of loads, twice,
// and starts it again.
func TestServerStopsDuringLoads(t *testing.T) {
	retryFast(t)
	server := pgtest.Server(t)
	w := worldAt(t, server.URL(), itemTable)
	log := captureLog(t)
	s := newSink[item](w, "items", WithFlush(500, time.Millisecond))
	const files, each = 60, 100
	done := inBackground(func() error {
		var records []*record.Record[item]
		for f := range files {
			records = append(records, wholeRange[item](testFile(string(rune('A'+f))), items(f*each, (f+1)*each)...)...)
		}
		ctx := context.Background()
		for _, r := range records {
			if err := s.fn.ProcessElement(ctx, r, ignoreRange); err != nil {
				return err
			}
		}
		return s.fn.FinishBundle(ctx, ignoreRange)
	})
	for i := range int64(2) {
		waitUntil(t, "some batches", func() bool { return RunTotals(w.run).Batches > 2*i })
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		retries := len(retryLine.FindAllString(log.String(), -1))
		waitUntil(t, "retries", func() bool { return len(retryLine.FindAllString(log.String(), -1)) > retries || len(done) > 0 })
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if got := RunTotals(w.run); got.Inserted != files*each || got.Duplicates != 0 || got.Files != files {
		t.Errorf("totals: got %+v", got)
	}
	w.pool.Reset()
	wantSound(w, "items", files*each)
}

// awayAfterSetup returns a sink whose database has gone, and what brings it
// back.
func awayAfterSetup(t *testing.T, opts ...Option) (*world, *sink[item], func()) {
	t.Helper()
	server := pgtest.Server(t)
	w := worldAt(t, server.URL(), itemTable)
	s := newSink[item](w, "items", opts...)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	return w, s, func() {
		t.Helper()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		w.pool.Reset()
	}
}

func TestDrainEndsThoughTheDatabaseIsAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		files int
	}{{"one batch", 1}, {"more than the connections take", 12}} {
		t.Run(c.name, func(t *testing.T) {
			w, s, back := awayAfterSetup(t, WithFlush(10, time.Millisecond))
			done := inBackground(func() error {
				var records []*record.Record[item]
				for f := range c.files {
					records = append(records, wholeRange[item](testFile(string(rune('A'+f))), items(f*10, f*10+10)...)...)
				}
				return s.bundle(records...)
			})
			runctl.Of(w.run).Drain(500 * time.Millisecond)
			err := result(t, done)
			if err == nil || !errors.Is(err, runctl.ErrDrainBound) || !strings.Contains(err.Error(), "not committed") {
				t.Errorf("got %v, want an error that says that records were not committed", err)
			}
			back()
			for _, table := range []string{"items", "cartstream.ranges", "cartstream.loads", "cartstream.dead_letters"} {
				if n := one[int64](w, "select count(*) from "+table); n != 0 {
					t.Errorf("%s has %d rows", table, n)
				}
			}
		})
	}
}

// TestBundleOfDroppedRecordsIsAnError has the engine drop what it was handed
// before FinishBundle looks.
func TestBundleOfDroppedRecordsIsAnError(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.fn.handed.Add(1)
	s.fn.done(nil, false)
	if err := s.fn.FinishBundle(t.Context(), ignoreRange); err == nil || !strings.Contains(err.Error(), "not committed") {
		t.Errorf("got %v, want an error that says that records were not committed", err)
	}
}

func TestNothingIsTakenInAfterTheDrainBound(t *testing.T) {
	w, s, _ := awayAfterSetup(t, WithFlush(10, time.Millisecond))
	control := runctl.Of(w.run)
	control.Drain(time.Millisecond)
	<-control.Context().Done()
	var err error
	for f := 0; f < 100 && err == nil; f++ {
		for _, r := range wholeRange[item](testFile(string(rune('A'+f))), items(0, 10)...) {
			if err = s.fn.ProcessElement(t.Context(), r, ignoreRange); err != nil {
				break
			}
		}
	}
	if !errors.Is(err, runctl.ErrDrainBound) {
		t.Errorf("got %v, want that draining took too long", err)
	}
}

func TestRetryForBoundsTheWaiting(t *testing.T) {
	_, s, _ := awayAfterSetup(t, WithRetryFor(1500*time.Millisecond))
	start := time.Now()
	err := s.bundle(wholeRange[item](testFile("a.csv"), items(0, 1)...)...)
	if err == nil || !strings.Contains(err.Error(), "gave up after 1.5s") {
		t.Errorf("got %v, want that it gave up", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestDatabaseIsAwayAtStart(t *testing.T) {
	retryFast(t)
	server := pgtest.Server(t)
	w := worldAt(t, server.URL(), itemTable)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	log := captureLog(t)
	fn := &loadFn[item]{Options: newLoadOptions("items", []Option{WithRun(w.run), WithDatabase(w.db)})}
	done := inBackground(func() error { return fn.Setup(context.Background()) })
	waitUntil(t, "a retry", func() bool { return retryLine.MatchString(log.String()) })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Error(err)
	}
	if err := fn.Teardown(); err != nil {
		t.Error(err)
	}
}

func TestPermissionDeniedEndsTheRun(t *testing.T) {
	url := pgtest.Database(t)
	w := worldAt(t, url, itemTable)
	role := "reader_" + strings.ToLower(w.run[:8])
	w.exec(`create role ` + role + ` login password 'secret'`)
	t.Cleanup(func() {
		w.exec("drop owned by " + role)
		w.exec("drop role " + role)
	})
	w.exec(`grant usage on schema cartstream to ` + role)
	w.exec(`grant select, insert, update on all tables in schema cartstream to ` + role)
	w.exec(`grant select on items to ` + role)
	s := newSink[item](w, "items", WithDatabase(SetURL(t.Name()+role, asRole(t, url, role, "secret"))))
	err := s.bundle(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	if err == nil || !strings.Contains(err.Error(), "permission denied for table items") {
		t.Errorf("got %v, want that permission is denied", err)
	}
	if failed := runctl.Of(w.run).Err(); failed == nil {
		t.Error("the run goes on")
	}
	if n := one[int64](w, "select count(*) from cartstream.ranges"); n != 0 {
		t.Errorf("%d ranges are in the ledger", n)
	}
}

func TestTooManyConnectionsForAWhile(t *testing.T) {
	retryFast(t)
	url := pgtest.Database(t)
	w := worldAt(t, url, itemTable)
	log := captureLog(t)
	role := "limited_" + strings.ToLower(w.run[:8])
	w.exec("create role " + role + " login password 'p' connection limit 0")
	w.exec("grant all on all tables in schema cartstream, public to " + role)
	w.exec("grant usage on schema cartstream to " + role)
	t.Cleanup(func() {
		w.exec("drop owned by " + role)
		w.exec("drop role " + role)
	})
	s := &sink[item]{w: w, fn: &loadFn[item]{Options: newLoadOptions("items", []Option{
		WithRun(w.run), WithDatabase(SetURL(t.Name()+role, asRole(t, url, role, "p"))),
	})}}
	done := inBackground(func() error {
		if err := s.fn.Setup(context.Background()); err != nil {
			return err
		}
		return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	})
	waitUntil(t, "a retry", func() bool { return retryLine.MatchString(log.String()) })
	w.exec("alter role " + role + " connection limit 5")
	if err := result(t, done); err != nil {
		t.Error(err)
	}
	if err := s.fn.Teardown(); err != nil {
		t.Error(err)
	}
	wantHistory(w, "a.csv", "loaded 10 10 0 0")
}
