package watchio

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/transforms/record"
)

// No poll is due for an hour: what waits does not wait for it.
func TestWatchHandsOnBacklogOldestFirstWithoutPause(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, _ := newLedger(t)
		var want []record.File
		for i := range 9 {
			want = append(want, write(t, filepath.Join(dir, fmt.Sprint(9-i, ".csv")), "x", i))
		}
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, nil, WithMaxFilesPerTrigger(2), WithTriggerInterval(time.Hour))
		eventually(t, "all files", func() bool { return len(j.all()) == len(want) })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), want...)
	})
}

func TestEachOfManyFilesThatComeIsHandedOnOnce(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, memory := newLedger(t)
		load := func(w record.Work) { memory.loaded(w.File) }
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, load, WithMaxFilesPerTrigger(7))
		times := map[record.File]int{}
		for i := range 200 {
			name := filepath.Join(dir, fmt.Sprint(".tmp", i))
			f := write(t, name, fmt.Sprint(i), i)
			f.Path = filepath.Join(dir, fmt.Sprint(i%150, ".csv")) // some come in two versions
			check(t, rename(name, f.Path))
			if i < 50 {
				eventually(t, f.Path, func() bool { return len(j.all()) > i })
			}
			times[byTime(f)] = 0
		}
		eventually(t, "all files", func() bool { return len(j.all()) == 200 })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		for _, f := range j.files() {
			if n, ok := times[byTime(f)]; !ok || n > 0 {
				t.Errorf("%v came %d times before", f, n)
			}
			times[byTime(f)]++
		}
	})
}

// A runner that is held up splits what holds it: prism after 100 ms.
func TestAWatcherThatIsHeldUpIsNotJoinedByAnother(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, memory := newLedger(t)
		var running, most, held atomic.Int64
		release := make(chan struct{})
		memory.onLookup = func() {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			held.Add(1)
			<-release
		}
		file := write(t, filepath.Join(dir, "a.csv"), "a", 1)
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, nil)
		eventually(t, "the first watcher", func() bool { return held.Load() > 0 })
		<-time.After(time.Second)
		if most.Load() != 1 || held.Load() != 1 {
			t.Errorf("%d watchers run", held.Load())
		}
		close(release)
		eventually(t, "the file", func() bool { return len(j.all()) > 0 })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), file)
		if most.Load() != 1 {
			t.Errorf("%d watchers ran at a time", most.Load())
		}
	})
}

func TestDrainingDoesNotWaitForTheNextPoll(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, _ := newLedger(t)
		file := write(t, filepath.Join(dir, "a.csv"), "a", 1)
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, nil, WithTriggerInterval(time.Hour))
		eventually(t, "the file", func() bool { return len(j.all()) == 1 })
		write(t, filepath.Join(dir, "b.csv"), "b", 1)
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), file)
	})
}

// Behind a Reshuffle there is another stage, on runners that have stages.
func TestWhatIsHandedOnReachesTheNextStageAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, _ := newLedger(t)
		first := write(t, filepath.Join(dir, "a.csv"), "a", 1)
		j := r.start(t, nil, func(s beam.Scope) beam.PCollection {
			return beam.Reshuffle(s, Watch(s, filepath.Join(dir, "*.csv"), ledger,
				WithRun(t.Name()), WithBlocking(r.blocking), WithTriggerInterval(50*time.Millisecond)))
		})
		eventually(t, "the file that is there", func() bool { return len(j.all()) == 1 })
		second := write(t, filepath.Join(dir, "b.csv"), "b", 2)
		eventually(t, "the file that comes", func() bool { return len(j.all()) == 2 })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), first, second)
	})
}
