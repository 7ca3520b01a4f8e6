package postgresio

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// TestOrderedLoadsSurviveLossOfTheirLease takes the lease away, again and again,
// while batches of the run are loaded. The last record of each key wins all the
// same.
func TestOrderedLoadsSurviveLossOfTheirLease(t *testing.T) {
	retryFast(t)
	leaseFast(t)
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
	lost, loaded := 0, int64(0)
	for ; !over.Load(); time.Sleep(time.Millisecond) {
		now := one[int64](w, "select count(*) from cartstream.loads")
		if now < loaded+8 {
			continue // or none would get through
		}
		loaded = now
		lost++
		// It has expired at once: nobody waits for it.
		w.exec("update cartstream.leases set token = gen_random_uuid(), expires_at = clock_timestamp()")
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if lost == 0 {
		t.Error("no lease was lost")
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

// leaseFast has leases end and be looked at in short times.
func leaseFast(t *testing.T) {
	term, renew, poll := leaseTerm, leaseRenew, leasePoll
	leaseTerm, leaseRenew, leasePoll = 3*time.Second, 200*time.Millisecond, 10*time.Millisecond
	t.Cleanup(func() { leaseTerm, leaseRenew, leasePoll = term, renew, poll })
}

// otherRun is another process that loads into the same database.
func otherRun(w *world) *world {
	other := &world{t: w.t, db: w.db, pool: w.pool, run: uuid.NewString()}
	w.t.Cleanup(func() { runctl.Forget(other.run) })
	return other
}

// TestOrderedLoadCommitsNothingWithoutItsLease has another process take the lease
// between two batches: nothing is loaded until that one has ended.
func TestOrderedLoadCommitsNothingWithoutItsLease(t *testing.T) {
	retryFast(t)
	leaseFast(t)
	log := captureLog(t)
	w := newWorld(t, stockTable)
	s := newSink[stock](w, "stock", WithUpsert(Upsert{}), WithConnections(2))
	s.load(wholeRange[stock](testFile("0"), stock{"a", 1, nil, "one"})...)
	w.exec("update cartstream.leases set token = gen_random_uuid(), holder = 'somebody else', expires_at = 'infinity'")
	done := inBackground(func() error { return s.bundle(wholeRange[stock](testFile("1"), stock{"a", 1, nil, "two"})...) })
	waitUntil(t, "word of the other process", func() bool { return strings.Contains(log.String(), "somebody else") })
	wantStock(w, "stock", "a1 -1 one")
	w.exec("update cartstream.leases set expires_at = clock_timestamp()")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantStock(w, "stock", "a1 -1 two")
}

// TestLeaseIsTakenOverOnlyAfterBatchesUnderWay: the process that held it does not
// renew it any more, and a batch of it goes on. Who takes the lease waits for that.
func TestLeaseIsTakenOverOnlyAfterBatchesUnderWay(t *testing.T) {
	leaseFast(t)
	w := newWorld(t, stockTable)
	token := uuid.New()
	w.exec("insert into cartstream.leases values ('public.stock', $1, 'the first', default, clock_timestamp())", token)
	batch := begin(w)
	execIn(w, batch, holdLeaseSQL, "public.stock", token)
	s := newSink[stock](otherRun(w), "stock", WithUpsert(Upsert{}))
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

// TestRenewalOfTheLeaseWaitsForNoBatch: a batch may take longer than the lease.
func TestRenewalOfTheLeaseWaitsForNoBatch(t *testing.T) {
	leaseFast(t)
	w := newWorld(t, stockTable)
	s := newSink[stock](w, "stock", WithUpsert(Upsert{}))
	s.load(wholeRange[stock](testFile("0"), stock{"a", 1, nil, "one"})...)
	batch := begin(w)
	execIn(w, batch, holdLeaseSQL, "public.stock", one[uuid.UUID](w, "select token from cartstream.leases"))
	const expiry = "select expires_at from cartstream.leases"
	before := one[time.Time](w, expiry)
	waitUntil(t, "two renewals", func() bool { return one[time.Time](w, expiry).Sub(before) > 2*leaseRenew })
}

// TestLeaseEndsWithItsProcess: the next one waits no longer than that, and, where
// the first was killed, no longer than the lease's term.
func TestLeaseEndsWithItsProcess(t *testing.T) {
	leaseFast(t)
	w := newWorld(t, stockTable)
	first := &loadFn[stock]{Options: newLoadOptions("stock", []Option{WithRun(w.run), WithDatabase(w.db), WithUpsert(Upsert{})})}
	if err := first.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &sink[stock]{w: w, fn: first}
	s.load(wholeRange[stock](testFile("0"), stock{"a", 1, nil, "one"})...)
	if !one[bool](w, "select expires_at > clock_timestamp() from cartstream.leases") {
		t.Error("the lease has expired while its process lives")
	}
	if err := first.Teardown(); err != nil {
		t.Fatal(err)
	}
	if one[bool](w, "select expires_at > clock_timestamp() from cartstream.leases") {
		t.Error("the lease outlives its process")
	}
	w.exec("update cartstream.leases set token = gen_random_uuid(), expires_at = clock_timestamp() + '500ms'") // of one that was killed
	newSink[stock](otherRun(w), "stock", WithUpsert(Upsert{})).load(wholeRange[stock](testFile("1"), stock{"a", 1, nil, "two"})...)
	wantStock(w, "stock", "a1 -1 two")
}
