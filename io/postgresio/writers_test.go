package postgresio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// waitForLock waits until somebody in the database waits for a lock.
func waitForLock(w *world) {
	w.t.Helper()
	waitUntil(w.t, "a session that waits for a lock", func() bool {
		return one[bool](w, "select exists (select from pg_locks l join pg_stat_activity a using (pid) where not granted and a.datname = current_database())")
	})
}

func begin(w *world) pgx.Tx {
	w.t.Helper()
	tx, err := w.pool.Begin(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

func execIn(w *world, tx pgx.Tx, sql string, args ...any) {
	w.t.Helper()
	if _, err := tx.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// TestAnotherWriterIsQuicker has keys that are not there when the sink asks and
// that another transaction has inserted and not committed.
func TestAnotherWriterIsQuicker(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(pgx.Tx) error
		want string
		rows int64
	}{
		{"and commits", func(tx pgx.Tx) error { return tx.Commit(context.Background()) }, "loaded 100 90 10 0", 100},
		{"and rolls back", func(tx pgx.Tx) error { return tx.Rollback(context.Background()) }, "loaded 100 100 0 0", 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			s := newSink[item](w, "items")
			other := begin(w)
			for i := range 10 {
				execIn(w, other, "insert into items values ($1, 'other')", id(i*7))
			}
			done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 100)...)...) })
			waitForLock(w)
			if err := c.end(other); err != nil {
				t.Fatal(err)
			}
			if err := result(t, done); err != nil {
				t.Fatal(err)
			}
			wantHistory(w, "a.csv", c.want)
			if n := one[int64](w, "select count(*) from items"); n != c.rows {
				t.Errorf("the table has %d rows, want %d", n, c.rows)
			}
		})
	}
}

func TestAnotherWriterDeletesMeanwhile(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.load(wholeRange[item](testFile("a.csv"), items(0, 50)...)...)
	other := begin(w)
	execIn(w, other, "delete from items")
	s.load(wholeRange[item](testFile("b.csv"), items(0, 60)...)...)
	wantHistory(w, "b.csv", "loaded 60 10 50 0")
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDeadlockWithAnotherWriter(t *testing.T) {
	w := newWorld(t, itemTable)
	ids := []uuid.UUID{{1}, {2}, {3}} // the order they are written in
	var values []any
	for _, i := range ids {
		values = append(values, item{ID: i, Name: "n"})
	}
	log := captureLog(t)
	s := newSink[item](w, "items")
	other := begin(w)
	execIn(w, other, "set local deadlock_timeout = '1min'") // the sink is the one that is refused
	execIn(w, other, "insert into items values ($1, 'other')", ids[2])
	done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), values...)...) })
	waitForLock(w)
	execIn(w, other, "insert into items values ($1, 'other')", ids[0])
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantHistory(w, "a.csv", "loaded 3 1 2 0")
	if !strings.Contains(log.String(), "40P01") || !retryLine.MatchString(log.String()) {
		t.Errorf("the log tells of no deadlock:\n%s", log)
	}
}

// TestCircleThatPostgreSQLCannotSee has the earlier of two batches wait for a
// lock of the later, which waits for the earlier's keys.
func TestCircleThatPostgreSQLCannotSee(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable, "create unique index on items (name)")
	s := newSink[item](w, "items", WithFlush(1, time.Hour))
	// The hold keeps the earlier batch from writing until the later has.
	hold := begin(w)
	execIn(w, hold, "insert into items values ($1, 'hold')", uuid.UUID{1})
	done := inBackground(func() error {
		earlier := wholeRange[item](testFile("a.csv"), item{ID: uuid.UUID{1}, Name: "a"}, item{ID: uuid.UUID{2}, Name: "both"})
		later := wholeRange[item](testFile("b.csv"), item{ID: uuid.UUID{3}, Name: "both"}, item{ID: uuid.UUID{1}, Name: "b"})
		return s.bundle(slices.Concat(earlier, later)...)
	})
	waitForLock(w)
	waitUntil(t, "the later batch's wait", func() bool {
		return one[bool](w, "select exists (select from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and query like '%release savepoint%')")
	})
	if err := hold.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if got := RunTotals(w.run); got.Inserted+got.Duplicates+got.DeadLetters != 4 || got.Inserted != 2 {
		t.Errorf("totals: got %+v", got)
	}
	wantSound(w, "items", 2)
}

// TestTwoRunsLoadTheSameFiles has two engines, as two processes have, load the
// same ranges at once, in other orders and batches.
func TestTwoRunsLoadTheSameFiles(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable)
	const files, each = 40, 50
	load := func(run string, seed uint64, flushRows int) func() error {
		s := newSink[item](w, "items", WithRun(run), WithFlush(flushRows, time.Millisecond))
		return func() error {
			for _, f := range rand.New(rand.NewPCG(seed, 0)).Perm(files) {
				// Each file shares half of its keys with the next.
				values := items(f*each/2, f*each/2+each)
				if err := s.bundleIn(wholeRange[item](testFile(fmt.Sprint(f)), values...)); err != nil {
					return err
				}
			}
			return s.fn.FinishBundle(context.Background(), ignoreRange)
		}
	}
	other := w.run + " of another process"
	t.Cleanup(func() { runctl.Forget(other) })
	a, b := load(w.run, 1, 120), load(other, 2, 170)
	one, two := inBackground(a), inBackground(b)
	if err := result(t, one); err != nil {
		t.Error(err)
	}
	if err := result(t, two); err != nil {
		t.Error(err)
	}
	x, y := RunTotals(w.run), RunTotals(other)
	distinct := int64(files*each/2 + each/2)
	if x.Inserted+y.Inserted != distinct || x.Records+y.Records != files*each || x.Files+y.Files != files {
		t.Errorf("totals: got %+v and %+v", x, y)
	}
	wantSound(w, "items", distinct)
	if n := w.list("select count(*) from cartstream.load_history where status = 'loaded'"); !slices.Equal(n, []string{fmt.Sprint(files)}) {
		t.Errorf("%s files are loaded, want %d", n, files)
	}
}

// bundleIn sends records without ending the bundle.
func (s *sink[T]) bundleIn(records []*record.Record[T]) error {
	for _, r := range records {
		if err := s.fn.ProcessElement(context.Background(), r, ignoreRange); err != nil {
			return err
		}
	}
	return nil
}

// The sink waits for more, as long as more may come.
func TestALullFlushes(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items", WithFlush(1000, time.Hour))
	ctx := t.Context()
	if err := s.fn.StartBundle(ctx, ignoreRange); err != nil {
		t.Fatal(err)
	}
	for i, file := range []string{"a", "b"} {
		for _, r := range wholeRange[item](testFile(file), items(i, i+1)...) {
			if err := s.fn.ProcessElement(ctx, r, ignoreRange); err != nil {
				t.Fatal(err)
			}
		}
	}
	runctl.Of(w.run).Lull()
	s.fn.handed.Wait()
	if n := one[int64](w, "select count(*) from cartstream.loads"); n != 1 {
		t.Errorf("two files were loaded by %d transactions", n)
	}
	wantSound(w, "items", 2)
}
