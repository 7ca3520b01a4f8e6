package postgresio

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// TestLoadsInOrderSurviveTheirLock kills, again and again, the session that
// holds the table's lock, while others of the same run load. The last record of
// each key wins all the same.
func TestLoadsInOrderSurviveTheirLock(t *testing.T) {
	retryFast(t)
	const keys, files = 10, 30
	w := newWorld(t, stockTable)
	s := newSink[stock](w, "stock", WithUpsert(Upsert{}), WithFlush(5, time.Hour), WithConnections(3))
	var all []*record.Record[stock]
	for f := range files {
		var values []any
		for n := range int32(keys) {
			values = append(values, stock{"a", n, nil, fmt.Sprint(f)})
		}
		all = append(all, wholeRange[stock](testFile(fmt.Sprint(f)), values...)...)
	}
	var over atomic.Bool
	done := inBackground(func() error {
		defer over.Store(true)
		return s.bundle(all...)
	})
	killed, loaded := int64(0), int64(0)
	for ; !over.Load(); time.Sleep(time.Millisecond) {
		now := one[int64](w, "select count(*) from cartstream.loads")
		if now < loaded+8 {
			continue // or none would get through
		}
		loaded = now
		killed += killHolder(w)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if killed == 0 {
		t.Error("no session was killed")
	}
	var want []string
	for n := range keys {
		want = append(want, fmt.Sprint("a", n, " -1 ", files-1))
	}
	wantStock(w, "stock", want...)
	if got := one[int64](w, "select sum(row_parsed) from cartstream.load_history"); got != keys*files {
		t.Errorf("%d records, want %d", got, keys*files)
	}
}

// killHolder ends the session that holds the table's lock, and tells how many
// there were.
func killHolder(w *world) int64 {
	w.t.Helper()
	return one[int64](w, `select count(*) from (
		select pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted
		and database = (select oid from pg_database where datname = current_database()) group by pid) k`)
}

// TestLoadsInOrderNoticeThatTheirLockIsGone: another process has it meanwhile,
// so nothing is loaded until that has ended.
func TestLoadsInOrderNoticeThatTheirLockIsGone(t *testing.T) {
	retryFast(t)
	w := newWorld(t, stockTable)
	s := newSink[stock](w, "stock", WithUpsert(Upsert{}), WithConnections(2))
	s.load(wholeRange[stock](testFile("0"), stock{"a", 1, nil, "one"})...)
	if killed := killHolder(w); killed != 1 {
		t.Fatalf("%d sessions hold the lock, want 1", killed)
	}
	other := begin(w)
	execIn(w, other, "select pg_advisory_xact_lock("+tableLockKey+")", "public.stock")
	done := inBackground(func() error { return s.bundle(wholeRange[stock](testFile("1"), stock{"a", 1, nil, "two"})...) })
	waitForLock(w)
	wantStock(w, "stock", "a1 -1 one")
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantStock(w, "stock", "a1 -1 two")
}

// TestLoadsInOrderWaitForBatches: the session that held the lock has died, and
// a batch of another one goes on. Who has the lock then waits for it.
func TestLoadsInOrderWaitForBatches(t *testing.T) {
	w := newWorld(t, stockTable)
	batch := begin(w)
	execIn(w, batch, "select pg_advisory_xact_lock_shared("+batchLockKey+")", "public.stock")
	other := &world{t: t, db: w.db, pool: w.pool, run: uuid.NewString()}
	t.Cleanup(func() { runctl.Forget(other.run) })
	s := newSink[stock](other, "stock", WithUpsert(Upsert{}))
	done := inBackground(func() error { return s.bundle(wholeRange[stock](testFile("0"), stock{"a", 1, nil, "one"})...) })
	waitForLock(w)
	wantStock(w, "stock")
	if err := batch.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantStock(w, "stock", "a1 -1 one")
}
