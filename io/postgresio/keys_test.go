package postgresio

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// TestManySinksShareKeys has instances of the DoFn, as prism makes them, load
// the same keys at once in small batches.
func TestManySinksShareKeys(t *testing.T) {
	const sinks, files, each = 6, 12, 40
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, itemTable)
			pool := []int{50, 300, 3000, 1_000_000}[seed]
			distinct := map[int]bool{}
			var waits []<-chan error
			for n := range sinks {
				rng := rand.New(rand.NewPCG(seed, uint64(n)))
				var batches [][]*record.Record[item]
				for f := range files {
					var values []any
					for range each {
						k := rng.IntN(pool)
						distinct[k] = true
						values = append(values, item{ID: id(k), Name: "n"})
					}
					batches = append(batches, wholeRange[item](testFile(fmt.Sprint(n, f)), values...))
				}
				s := newSink[item](w, "items", WithConnections(4), WithFlush(60, time.Millisecond))
				waits = append(waits, inBackground(func() error {
					for _, f := range batches {
						if err := s.bundle(f...); err != nil {
							return err
						}
					}
					return nil
				}))
			}
			for _, done := range waits {
				if err := result(t, done); err != nil {
					t.Error(err)
				}
			}
			got := RunTotals(w.run)
			if want := int64(len(distinct)); got.Inserted != want || got.Duplicates != sinks*files*each-want {
				t.Errorf("totals: got %+v, want %d inserted", got, want)
			}
			wantSound(w, "items", int64(len(distinct)))
			wantNoRowsUndone(w, got.Inserted)
		})
	}
}

// wantNoRowsUndone checks that no COPY failed: rows that were written and
// rolled back count as inserted in PostgreSQL's statistics.
func wantNoRowsUndone(w *world, inserted int64) {
	w.t.Helper()
	written := func() int64 {
		return one[int64](w, "select n_tup_ins from pg_stat_user_tables where relname = 'items'")
	}
	// A session reports what it did when it ends, if not before.
	w.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query not like '%pg_stat%'")
	waitUntil(w.t, "the statistics", func() bool { return written() >= inserted })
	if got := written(); got != inserted {
		w.t.Errorf("PostgreSQL wrote %d rows for %d: a COPY failed", got, inserted)
	}
}

// A batch that has ended lets go of those before it: else a load with
// duplicates in every batch keeps all of its rows in memory.
func TestBatchThatHasEndedLetsOthersGo(t *testing.T) {
	batchOf := func() *batch {
		u := &unit{rows: []row{{key: intKey(7)}}}
		return &batch{units: []*unit{u}, rows: 1}
	}
	var k keysInFlight
	first := k.enter(batchOf())
	second := k.enter(batchOf())
	if len(second.before) != 1 {
		t.Fatalf("the second batch has %d before it, want the one that shares its key", len(second.before))
	}
	k.leave(first)
	k.leave(second)
	if len(second.before) != 0 {
		t.Error("the second batch has ended and keeps the first")
	}
}
