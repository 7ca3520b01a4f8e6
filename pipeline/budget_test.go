//go:build e2e

package pipeline

import (
	"log/slog"
	"runtime"
	"testing"

	"github.com/cartstream/cartstream/generator"
)

// The most that a record may allocate on its way from the file to the database,
// beside what a run takes whatever it loads. Two allocations are Beam's: a value that
// escapes for each of two steps. Each allocation more costs a load one percent.
const (
	allocationsOfARecord = 2.5
	bytesOfARecord       = 850
)

// TestBudgetOfARecord holds what a record costs to its budget. It counts, so it
// gives the same on any machine, however busy; the race detector would add its own.
func TestBudgetOfARecord(t *testing.T) {
	const few, many = 50_000, 250_000
	cost := func(records int) (allocations, bytes float64) {
		p := newPlace(t, RunnerDirect)
		o := generator.DefaultOptions()
		o.OutputPath, o.BatchSize, o.Count, o.Interval, o.Seed = p.dir, records, int64(records), 0, 7
		if _, err := generator.Run(t.Context(), o, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := p.run(nil); got.Inserted != int64(records) {
			t.Fatalf("%d records: %+v", records, got)
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
	}
	cost(few) // what is made once
	fewAllocations, fewBytes := cost(few)
	manyAllocations, manyBytes := cost(many)
	allocations, bytes := (manyAllocations-fewAllocations)/(many-few), (manyBytes-fewBytes)/(many-few)
	t.Logf("a record: %.2f allocations, %.0f bytes", allocations, bytes)
	if allocations > allocationsOfARecord || bytes > bytesOfARecord {
		t.Errorf("a record makes %.2f allocations of %.0f bytes; allowed are %.2f and %d", allocations, bytes, allocationsOfARecord, bytesOfARecord)
	}
}
