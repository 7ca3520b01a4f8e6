package postgresio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

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

// A batch whose keys are held waits for the end of another, and does not keep
// its rows: else a load with duplicates in every batch keeps all of its rows in
// memory.
func TestBatchThatHasEndedIsLetGo(t *testing.T) {
	batchOf := func(number int) *batch {
		u := &unit{rows: []row{{key: intKey(7)}}}
		return &batch{number: number, units: []*unit{u}, rows: 1}
	}
	k := newKeysInFlight()
	first := k.enter(batchOf(0), &workspace{})
	ended := weak.Make(first)
	second := k.enter(batchOf(1), &workspace{})
	if len(second.before) != 1 {
		t.Fatalf("the second batch has %d before it, want the one that shares its key", len(second.before))
	}
	k.leave(first, true)
	runtime.GC()
	if ended.Value() != nil {
		t.Error("the first batch has ended, and the second keeps it")
	}
	runtime.KeepAlive(second)
}

// Dead letters take memory as rows do, so they fill a batch as rows do.
func TestDeadLettersFillABatch(t *testing.T) {
	for what, u := range map[string]*unit{
		"rows": {source: &record.Range{}, rows: make([]row, 10)},
		"dead": {source: &record.Range{}, dead: make([]record.DeadLetter, 10)},
		"both": {source: &record.Range{}, rows: make([]row, 5), dead: make([]record.DeadLetter, 5)},
	} {
		e := &engine{open: &batch{}, opts: loadOptions{FlushRecords: 10, FlushBytes: 1 << 20}}
		e.open.add(u)
		if !e.full() {
			t.Errorf("%s: a batch of 10 records of 10 is not full", what)
		}
	}
}

// Room is used again, and holds nothing of the range that had it before.
func TestSpareRoom(t *testing.T) {
	var s spareRoom
	src := &record.Range{End: 1 << 20, Records: minSpareRows}
	first := s.take(src)
	u := &unit{rows: append(first.rows, make([]row, minSpareRows)...), tuples: append(first.tuples, 1)}
	u.rows[0].bytes = new(byte)
	had := &u.rows[0]
	s.give(u)
	if u.rows != nil || u.tuples != nil {
		t.Error("the unit still has its room")
	}
	second := s.take(src)
	if len(second.rows) != 0 || len(second.tuples) != 0 || cap(second.tuples) == 0 {
		t.Errorf("the room is not empty: %d rows, %d bytes", len(second.rows), len(second.tuples))
	}
	if again := &second.rows[:1][0]; again != had || again.bytes != nil {
		t.Errorf("the room of before: %v, what it holds: %v", again == had, again.bytes)
	}
	if third := s.take(src); &third.rows[:1][0] == had {
		t.Error("one room was given to two units")
	}
	s.give(&unit{rows: make([]row, 1)})
	if len(s.free) != 0 {
		t.Error("the room of a small unit was kept")
	}
}

// Batches enter in the order in which they were filled, whichever is sorted
// first; a batch whose keys are in one that was not committed is not loaded.
func TestBatchesEnterInOrder(t *testing.T) {
	for range 50 {
		k := newKeysInFlight()
		batches := make([]*batchKeys, 3)
		var entering sync.WaitGroup
		for number := len(batches) - 1; number >= 0; number-- {
			u := &unit{rows: []row{{key: intKey(7)}}}
			entering.Go(func() {
				batches[number] = k.enter(&batch{number: number, units: []*unit{u}, rows: 1}, &workspace{})
			})
		}
		entering.Wait()
		for number, b := range batches {
			if len(b.before) != number {
				t.Fatalf("batch %d waits for %d others", number, len(b.before))
			}
		}
		k.leave(batches[0], true)
		if err := batches[1].wait(t.Context(), time.Minute); err != nil {
			t.Errorf("after one that was committed: %v", err)
		}
		k.leave(batches[1], false)
		if err := batches[2].wait(t.Context(), time.Minute); !errors.Is(err, errNotBefore) {
			t.Errorf("after one that was not: got %v, want %v", err, errNotBefore)
		}
	}
}
