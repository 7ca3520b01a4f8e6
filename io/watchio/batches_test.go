package watchio

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// nextFiles are those of the next batch.
func nextFiles(t *testing.T, b *Batches) (files []record.File) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	batch, err := b.Next(ctx)
	check(t, err)
	for _, w := range batch {
		files = append(files, w.File)
	}
	return files
}

func TestBatches(t *testing.T) {
	dir := t.TempDir()
	ledger, memory := newLedger(t)
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	var all []record.File
	for i := range 5 {
		all = append(all, write(t, filepath.Join(dir, fmt.Sprint(i, ".csv")), "x", i))
	}
	b, err := NewBatches(filepath.Join(dir, "*.csv"), ledger, WithRun(t.Name()), WithFingerprint(own),
		WithMaxFilesPerTrigger(2), WithTriggerInterval(time.Millisecond))
	check(t, err)
	wantFiles(t, nextFiles(t, b), all[:2]...)
	memory.loaded(all[:2]...)
	wantFiles(t, nextFiles(t, b), all[2:4]...)
	memory.loaded(all[2])
	b.Again() // the job has failed, but one file came through
	wantFiles(t, nextFiles(t, b), all[3:5]...)
	memory.loaded(all...)

	// Nothing is there any more until a file comes.
	hidden, shown := filepath.Join(dir, ".late"), filepath.Join(dir, "late.csv")
	late := write(t, hidden, "late", 0)
	late.Path = shown
	come := time.AfterFunc(50*time.Millisecond, func() { _ = rename(hidden, shown) })
	defer come.Stop()
	wantFiles(t, nextFiles(t, b), late)

	go func() {
		time.Sleep(20 * time.Millisecond)
		runctl.Of(t.Name()).Drain(time.Minute)
	}()
	wantFiles(t, nextFiles(t, b)) // the run drains
}

// Each file comes once, however many ticks there are; a tick hands on all that waits,
// and the watcher keeps the time of its latest look.
func TestOnTicks(t *testing.T) {
	dir := t.TempDir()
	ledger, memory := newLedger(t)
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	first := write(t, filepath.Join(dir, "a.csv"), "x", 1)
	second := write(t, filepath.Join(dir, "b.csv"), "x", 2)
	sinks.Store(t.Name(), &sink{})
	run := func(ticks ...[]byte) []record.File {
		t.Helper()
		p, s := beam.NewPipelineWithRoot()
		works := OnTicks(s, beam.CreateList(s, ticks), filepath.Join(dir, "*.csv"), ledger, WithRun(t.Name()), WithFingerprint(own),
			WithTriggerInterval(0), WithMaxFilesPerTrigger(1))
		beam.ParDo0(s, &collectFn{Sink: t.Name()}, works)
		if _, err := prism.Execute(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		v, _ := sinks.Load(t.Name())
		return v.(*sink).files()
	}
	wantFiles(t, run([]byte("0"), []byte("1"), []byte("2")), first, second)
	memory.loaded(first)
	// Another job, without the state of the one before, hands on what is not loaded.
	wantFiles(t, run([]byte("0")), first, second, second)
	runctl.Of(t.Name()).Drain(time.Minute)
	wantFiles(t, run([]byte("0")), first, second, second)
}
