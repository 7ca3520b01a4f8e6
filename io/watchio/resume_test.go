package watchio

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// call is one ProcessElement, as a runner that resumes makes it.
func (w *watcher) call(emit func(record.Work)) (sdf.ProcessContinuation, error) {
	return w.fn.ProcessElement(context.Background(), w.rt, nil, emit)
}

// resume goes on with what a checkpoint leaves.
func (w *watcher) resume() {
	w.t.Helper()
	old := w.rt
	w.rt = split(w.t, w.rt, 0)
	if !old.IsDone() {
		w.t.Fatal("the checkpoint leaves the call with work to do")
	}
}

// Each call goes on where the one before was, with the same worker or another one: what
// waits is handed on without a pause, and each file once.
func TestResumedWatcherHandsOnEachFileOnce(t *testing.T) {
	for name, worker := range map[string]func(w *watcher){"same worker": func(*watcher) {}, "another worker": (*watcher).restart} {
		t.Run(name, func(t *testing.T) {
			w := newWatcher(t, WithMaxFilesPerTrigger(2), WithTriggerInterval(time.Hour))
			var want, got []record.File
			for i := range 5 {
				want = append(want, w.write(fmt.Sprint(i, ".csv"), "x", i))
			}
			looked := int64(0)
			for len(got) < len(want) {
				n, err := w.fn.trigger(t.Context(), runctl.Of(t.Name()), w.rt, func(work record.Work) { got = append(got, work.File) })
				check(t, err)
				if n < 1 || n > 2 || w.rt.polled() <= looked {
					t.Fatalf("look %d handed on %d files; the one before was %d", w.rt.polled(), n, looked)
				}
				looked = w.rt.polled()
				w.resume()
				worker(w)
				w.fn.resume(w.rt.polled())
			}
			wantFiles(t, got, want...)
			w.wantInFlight(want...)
			w.memory.loaded(want...)
			w.want()
		})
	}
}

// A worker that goes on from an earlier state has handed on since what came to nothing.
func TestEarlierStateHandsOnAgainWhatIsNotLoaded(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(2), WithTriggerInterval(time.Hour))
	files := []record.File{w.write("0.csv", "x", 0), w.write("1.csv", "x", 1), w.write("2.csv", "x", 2), w.write("3.csv", "x", 3)}
	w.want(files[:2]...)
	earlier := w.rt.polled()
	w.want(files[2:]...)
	w.memory.loaded(files[0])
	w.rt = newTracker(Restriction{Polled: earlier})
	w.fn.resume(earlier)
	w.want(files[1:3]...)
	w.want(files[3])
}

// A runner may have several instances of a DoFn, of which one goes on after the other.
func TestInstancesThatTakeTurnsHandOnEachFileOnce(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(1), WithTriggerInterval(time.Hour))
	instances := []*watchFn[memoryLedger]{w.fn, {Settings: w.fn.Settings, Ledger: w.fn.Ledger}}
	check(t, instances[1].Setup())
	for i := range 6 {
		w.write(fmt.Sprint(i, ".csv"), "x", i)
	}
	for i := range 6 {
		w.fn = instances[i%2]
		w.fn.resume(w.rt.polled())
		w.want(record.File{Path: filepath.Join(w.dir, fmt.Sprint(i, ".csv")), Size: 1, Modified: epoch.Add(time.Duration(i) * time.Second).UnixMicro()})
	}
}

func TestCallAsksToBeResumedOnceItHasHandedSomethingOn(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(2), WithTriggerInterval(time.Hour))
	w.write("a.csv", "x", 0)
	n := 0
	continuation, err := w.call(func(record.Work) { n++ })
	check(t, err)
	if n != 1 || !continuation.ShouldResume() || continuation.ResumeDelay() != 0 {
		t.Errorf("%d files; resume %v in %v", n, continuation.ShouldResume(), continuation.ResumeDelay())
	}
}

func TestThePauseBeforeAPoll(t *testing.T) {
	now := time.Now()
	cases := []struct {
		name     string
		interval time.Duration
		polled   time.Time
		// The pause is at most this, and at most a second less.
		most time.Duration
	}{
		{"the first poll is at once", time.Hour, time.Time{}, 0},
		{"what is left of the interval", time.Hour, now.Add(-20 * time.Minute), 40 * time.Minute},
		{"a poll that took longer than the interval", time.Minute, now.Add(-time.Hour), minTriggerInterval},
		{"no interval", 0, now, minTriggerInterval},
		{"a clock that was set back", time.Minute, now.Add(time.Hour), time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWatcher(t, WithTriggerInterval(c.interval))
			w.fn.poller.polled = c.polled
			if got := w.fn.pause(now); got > c.most || got < min(c.most-time.Second, minTriggerInterval) {
				t.Errorf("got %v, want %v", got, c.most)
			}
		})
	}
}

func TestWhatEndsAWait(t *testing.T) {
	for name, wake := range map[string]func(w *watcher, control *runctl.Control){
		"the run drains":                 func(_ *watcher, c *runctl.Control) { c.Drain(time.Minute) },
		"the runner takes a checkpoint":  func(w *watcher, _ *runctl.Control) { _, _, _ = w.rt.TrySplit(0) },
		"the restriction is ended by us": func(w *watcher, _ *runctl.Control) { w.rt.end() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatcher(t, WithTriggerInterval(time.Hour))
			control := runctl.Of(t.Name())
			defer runctl.Forget(t.Name())
			ended := make(chan error, 1)
			go func() {
				c, err := w.call(nil)
				if c.ShouldResume() {
					err = fmt.Errorf("the call asks to be resumed")
				}
				ended <- err
			}()
			eventually(t, "the first poll", func() bool { return w.rt.polled() > 0 })
			wake(w, control)
			select {
			case err := <-ended:
				check(t, err)
			case <-time.After(10 * time.Second):
				t.Fatal("the call waits on")
			}
		})
	}
}

func TestACallWaitsForFilesAndRefusesToBeSplit(t *testing.T) {
	w := newWatcher(t, WithTriggerInterval(0))
	emitted := make(chan record.File, 9)
	ended := make(chan error, 1)
	go func() {
		c, err := w.call(func(work record.Work) { emitted <- work.File })
		if err == nil && !c.ShouldResume() {
			err = fmt.Errorf("the call does not ask to be resumed")
		}
		ended <- err
	}()
	for range 20 {
		if _, residual, err := w.rt.TrySplit(0.5); residual != nil || err != nil {
			t.Fatalf("split into %v, %v", residual, err)
		}
	}
	file := w.write(".hidden.csv", "x", 1)
	check(t, rename(file.Path, filepath.Join(w.dir, "a.csv")))
	check(t, <-ended)
	if got := <-emitted; got.Path != filepath.Join(w.dir, "a.csv") || len(emitted) > 0 {
		t.Errorf("got %v and %d more", got, len(emitted))
	}
}

func TestHowACallEnds(t *testing.T) {
	cases := []struct {
		name string
		do   func(w *watcher, control *runctl.Control)
	}{
		{"when the run drains", func(_ *watcher, c *runctl.Control) { c.Drain(time.Minute) }},
		{"when the bound of draining has passed", func(_ *watcher, c *runctl.Control) { c.Drain(0) }},
		{"when the runner drains", func(w *watcher, _ *runctl.Control) {
			w.rt = newTracker(w.fn.TruncateRestriction(w.rt, nil))
		}},
		{"when the runner takes a checkpoint while it waits", func(w *watcher, _ *runctl.Control) {
			_, _, _ = w.rt.TrySplit(0)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWatcher(t, WithBlocking(true), WithTriggerInterval(0))
			w.write("a.csv", "a", 1)
			control := runctl.Of(t.Name())
			defer runctl.Forget(t.Name())
			c.do(w, control)
			continuation, err := w.call(func(work record.Work) { t.Errorf("handed on %v", work) })
			check(t, err)
			if continuation.ShouldResume() || !w.rt.IsDone() {
				t.Errorf("resumes %v, is done %v", continuation.ShouldResume(), w.rt.IsDone())
			}
		})
	}
}

func TestTheSizeOfARestriction(t *testing.T) {
	fn := &watchFn[memoryLedger]{}
	if fn.RestrictionSize(nil, fn.CreateInitialRestriction(nil)) <= 0 || fn.RestrictionSize(nil, Restriction{Ended: true}) != 0 {
		t.Error("what is to come has a size, what has ended has none")
	}
	if n := len(fn.SplitRestriction(nil, Restriction{})); n != 1 {
		t.Errorf("a folder has %d watchers", n)
	}
}
