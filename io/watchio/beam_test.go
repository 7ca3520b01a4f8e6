package watchio

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() { beam.RegisterType(reflect.TypeFor[collectFn]()) }

func TestMain(m *testing.M) { ptest.MainWithDefault(m, "direct") }

// collectFn gives what arrives to the sink of its name.
type collectFn struct{ Sink string }

func (fn *collectFn) ProcessElement(w record.Work) {
	v, _ := sinks.Load(fn.Sink)
	v.(*sink).add(w)
}

var sinks sync.Map

type sink struct {
	mu     sync.Mutex
	works  []record.Work
	onWork func(record.Work)
}

func (s *sink) add(w record.Work) {
	s.mu.Lock()
	s.works = append(s.works, w)
	s.mu.Unlock()
	if s.onWork != nil {
		s.onWork(w)
	}
}

func (s *sink) all() []record.Work {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.works)
}

func (s *sink) files() []record.File {
	var files []record.File
	for _, w := range s.all() {
		files = append(files, w.File)
	}
	return files
}

// runner runs pipelines in this process. It is in the settings of Watch whether
// the runner can resume it.
type runner struct {
	name     string
	execute  func(context.Context, *beam.Pipeline) (beam.PipelineResult, error)
	blocking bool
}

var runners = []runner{{"direct", direct.Execute, true}, {"prism", prism.Execute, false}}

// onEach runs a test on each runner.
func onEach(t *testing.T, test func(t *testing.T, r runner)) {
	for _, r := range runners {
		t.Run(r.name, func(t *testing.T) { test(t, r) })
	}
}

// job is a pipeline that collects what it is given.
type job struct {
	*sink
	control *runctl.Control
	ended   chan error
}

// start builds and runs a pipeline; the run has the name of the test.
func (r runner) start(t *testing.T, onWork func(record.Work), build func(s beam.Scope) beam.PCollection) *job {
	t.Helper()
	j := &job{sink: &sink{onWork: onWork}, control: runctl.Of(t.Name()), ended: make(chan error, 1)}
	sinks.Store(t.Name(), j.sink)
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s, &collectFn{Sink: t.Name()}, build(s))
	go func() {
		_, err := r.execute(context.Background(), p)
		j.ended <- err
	}()
	return j
}

// end waits for the pipeline's end.
func (j *job) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-j.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the pipeline does not end")
		return nil
	}
}

func (r runner) watch(t *testing.T, pattern string, ledger memoryLedger, onWork func(record.Work), opts ...Option) *job {
	opts = append([]Option{WithRun(t.Name()), WithBlocking(r.blocking), WithTriggerInterval(0)}, opts...)
	return r.start(t, onWork, func(s beam.Scope) beam.PCollection { return Watch(s, pattern, ledger, opts...) })
}

func (r runner) list(t *testing.T, pattern string, ledger memoryLedger, onWork func(record.Work), opts ...Option) (*job, error) {
	opts = append([]Option{WithRun(t.Name())}, opts...)
	j := r.start(t, onWork, func(s beam.Scope) beam.PCollection { return List(s, pattern, ledger, opts...) })
	err := j.end(t)
	return j, err
}

func wantFiles(t *testing.T, got []record.File, want ...record.File) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b record.File) bool { return byTime(a) == byTime(b) }) {
		t.Fatalf("got\n%v\nwant\n%v", lines(got), lines(want))
	}
}

func lines(files []record.File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "  %s (%d bytes, %s)\n", f.Path, f.Size, f.ModTime())
	}
	return b.String()
}

func TestListGivesWhatTheLedgerIsNotDoneWithOldestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, memory := newLedger(t)
		newest := write(t, filepath.Join(dir, "a.csv"), "aaa", 9)
		loaded := write(t, filepath.Join(dir, "b.csv"), "b", 2)
		failed := write(t, filepath.Join(dir, "c.csv"), "c", 3)
		superseded := write(t, filepath.Join(dir, "d.csv"), "d", 4)
		begun := write(t, filepath.Join(dir, "e.csv"), "eeee", 1)
		write(t, filepath.Join(dir, ".tmp_f.csv"), "f", 0)
		write(t, filepath.Join(dir, "_f.csv"), "f", 0)
		write(t, filepath.Join(dir, "folder.csv", "f.csv"), "f", 0)
		memory.loaded(loaded)
		memory.set(failed, record.FileState{Status: record.StatusFailed})
		memory.set(superseded, record.FileState{Status: record.StatusSuperseded})
		memory.set(begun, record.FileState{Status: record.StatusLoading, Fingerprint: "theirs", Done: []record.DoneRange{{End: 64}, {Start: 64}}})

		j, err := r.list(t, filepath.Join(dir, "*.csv"), ledger, nil)
		check(t, err)
		wantFiles(t, j.files(), begun, newest)
		if w := j.all()[0]; w.Fingerprint != "theirs" || !slices.Equal(w.Done, []record.DoneRange{{End: 64}, {Start: 64}}) {
			t.Errorf("a file that another life has begun came as %+v", w)
		}
		if w := j.all()[1]; w.Fingerprint != "" || w.Done != nil {
			t.Errorf("a new file came as %+v", w)
		}
	})
}

func TestListHasNoBoundOnFiles(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, memory := newLedger(t)
		var want []record.File
		for i := range 2500 {
			want = append(want, write(t, filepath.Join(dir, fmt.Sprintf("%04d.csv", i)), "x", i))
		}
		j, err := r.list(t, filepath.Join(dir, "*.csv"), ledger, nil)
		check(t, err)
		wantFiles(t, j.files(), want...)
		if memory.batches != 3 || memory.largest != 1000 {
			t.Errorf("the ledger was asked %d times, for up to %d files", memory.batches, memory.largest)
		}
	})
}

func TestListStopsWhenTheRunDrains(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, _ := newLedger(t)
		first := write(t, filepath.Join(dir, "a.csv"), "a", 1)
		write(t, filepath.Join(dir, "b.csv"), "b", 2)
		drain := func(record.Work) { runctl.Of(t.Name()).Drain(time.Minute) }
		j, err := r.list(t, filepath.Join(dir, "*.csv"), ledger, drain)
		check(t, err)
		wantFiles(t, j.files(), first)
	})
}

func TestWatchFindsFilesThatComeWhileItRuns(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, memory := newLedger(t)
		first := write(t, filepath.Join(dir, "b.csv"), "b", 1)
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, nil)
		eventually(t, "the file that is there", func() bool { return len(j.all()) == 1 })
		second := write(t, filepath.Join(dir, "a.csv"), "a", 2)
		eventually(t, "the file that comes", func() bool { return len(j.all()) == 2 })
		memory.loaded(first, second)
		again := write(t, filepath.Join(dir, "b.csv"), "bbb", 3)
		eventually(t, "the new version", func() bool { return len(j.all()) == 3 })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), first, second, again)
	})
}

func TestWatchHandsOnNothingOnceTheRunDrains(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, _ := newLedger(t)
		first := write(t, filepath.Join(dir, "a.csv"), "a", 1)
		write(t, filepath.Join(dir, "b.csv"), "b", 2)
		drain := func(record.Work) { runctl.Of(t.Name()).Drain(time.Minute) }
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, drain)
		check(t, j.end(t))
		wantFiles(t, j.files(), first)
	})
}

func TestWatchEndsWithTheErrorOfTheRun(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		ledger, _ := newLedger(t)
		j := r.watch(t, filepath.Join(t.TempDir(), "*.csv"), ledger, nil, WithTriggerInterval(time.Hour))
		broken := errors.New("permission denied on the table")
		j.control.Fail(broken)
		if err := j.end(t); err == nil || !strings.Contains(err.Error(), broken.Error()) {
			t.Errorf("got %v", err)
		}
	})
}

func TestALedgerThatFailsEndsTheRun(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		broken := errors.New("relation ranges does not exist")
		for name, run := range map[string]func(*testing.T, string, memoryLedger) error{
			"list": func(t *testing.T, pattern string, l memoryLedger) error {
				_, err := r.list(t, pattern, l, nil)
				return err
			},
			"watch": func(t *testing.T, pattern string, l memoryLedger) error {
				return r.watch(t, pattern, l, nil).end(t)
			},
		} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				ledger, memory := newLedger(t)
				memory.err = broken
				write(t, filepath.Join(dir, "a.csv"), "a", 1)
				if err := run(t, filepath.Join(dir, "*.csv"), ledger); err == nil || !strings.Contains(err.Error(), broken.Error()) {
					t.Errorf("got %v", err)
				}
			})
		}
	})
}
