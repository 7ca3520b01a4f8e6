package runctl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
)

var errBroken = errors.New("permission denied on the table")

// forever is longer than any test.
const forever = time.Hour

func control(t *testing.T) *runctl.Control {
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	return runctl.Of(t.Name())
}

// within fails the test when done is not closed soon.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited 10 s in vain: %s", what)
	}
}

func TestARunHasOneControl(t *testing.T) {
	c := control(t)
	if runctl.Of(t.Name()) != c {
		t.Error("the same run gave another control")
	}
	if runctl.Of(t.Name()+" of another") == c {
		t.Error("another run gave the same control")
	}
	c.Drain(forever)
	runctl.Forget(t.Name())
	if runctl.Of(t.Name()).IsDraining() {
		t.Error("a forgotten run still drains")
	}
	runctl.Forget(t.Name() + " of another")
}

func TestForgetCleansUpOnce(t *testing.T) {
	c := control(t)
	var called []string
	note := func(what string) func() { return func() { called = append(called, what) } }
	c.AtForget(note("first"))
	c.AtForget(func() {
		note("second")()
		// What is cleaned up may look at the run.
		_ = c.Err()
		runctl.Forget(t.Name())
	})
	if len(called) > 0 {
		t.Fatalf("called before its time: %v", called)
	}
	runctl.Forget(t.Name())
	runctl.Forget(t.Name())
	c.AtForget(note("too late"))
	if want := []string{"second", "first", "too late"}; !slices.Equal(called, want) {
		t.Errorf("called %v, want %v", called, want)
	}
}

func TestWhatAControlSays(t *testing.T) {
	cases := []struct {
		name     string
		do       func(c *runctl.Control)
		draining bool
		err      error
		// cause is of Context's end; nil while it lasts.
		cause error
	}{
		{name: "nothing at first", do: func(*runctl.Control) {}},
		{name: "draining leaves the context alive", do: func(c *runctl.Control) { c.Drain(forever) }, draining: true},
		{
			name:     "draining has a bound",
			do:       func(c *runctl.Control) { c.Drain(0) },
			draining: true, cause: runctl.ErrDrainBound,
		},
		{
			name:     "only the first drain counts",
			do:       func(c *runctl.Control) { c.Drain(forever); c.Drain(0) },
			draining: true,
		},
		{
			name: "a failure ends the context",
			do:   func(c *runctl.Control) { c.Fail(errBroken) },
			err:  errBroken, cause: errBroken,
		},
		{
			name: "only the first failure counts",
			do:   func(c *runctl.Control) { c.Fail(errBroken); c.Fail(errors.New("a later one")) },
			err:  errBroken, cause: errBroken,
		},
		{
			name:     "a run that drains can fail",
			do:       func(c *runctl.Control) { c.Drain(forever); c.Fail(errBroken) },
			draining: true, err: errBroken, cause: errBroken,
		},
		{
			name: "a failure without an error is an error",
			do:   func(c *runctl.Control) { c.Fail(nil) },
			err:  runctl.ErrFailed, cause: runctl.ErrFailed,
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := control(t)
			tc.do(c)
			if tc.cause != nil {
				within(t, "the end of the context", c.Context().Done())
			}
			if c.IsDraining() != tc.draining {
				t.Errorf("IsDraining is %v", c.IsDraining())
			}
			if tc.draining {
				within(t, "the channel of draining", c.Draining())
			}
			if err := c.Err(); err != tc.err {
				t.Errorf("Err is %v", err)
			}
			if cause := context.Cause(c.Context()); cause != tc.cause {
				t.Errorf("the cause is %v", cause)
			}
		})
	}
}

func TestSleep(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	cases := []struct {
		name string
		do   func(c *runctl.Control)
		ctx  context.Context
		d    time.Duration
		want bool
	}{
		{name: "ends by itself", d: time.Millisecond, want: true},
		{name: "no time at all", d: 0, want: true},
		{name: "draining", do: func(c *runctl.Control) { c.Drain(forever) }, d: forever},
		{name: "a failure", do: func(c *runctl.Control) { c.Fail(errBroken) }, d: forever},
		{name: "the caller's context", ctx: cancelled, d: forever},
		{name: "draining, and no time at all", do: func(c *runctl.Control) { c.Drain(forever) }, d: 0},
		{name: "a failure, and no time at all", do: func(c *runctl.Control) { c.Fail(errBroken) }, d: 0},
		{name: "the caller's context, and no time at all", ctx: cancelled, d: 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := control(t)
			if tc.do != nil {
				tc.do(c)
			}
			ctx := tc.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			// Often, because an answer that a select draws by lot is right at times.
			for range 100 {
				if got := c.Sleep(ctx, tc.d); got != tc.want {
					t.Fatalf("Sleep says %v", got)
				}
			}
		})
	}
}

func TestSleepIsWoken(t *testing.T) {
	for name, wake := range map[string]func(c *runctl.Control, cancel func()){
		"by draining":             func(c *runctl.Control, _ func()) { c.Drain(forever) },
		"by a failure":            func(c *runctl.Control, _ func()) { c.Fail(errBroken) },
		"by the caller's context": func(_ *runctl.Control, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			c := control(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			woken := make(chan struct{})
			var slept bool
			go func() {
				defer close(woken)
				slept = c.Sleep(ctx, forever)
			}()
			wake(c, cancel)
			within(t, "the sleeper", woken)
			if slept {
				t.Error("Sleep says that it slept to its end")
			}
		})
	}
}

func TestErrIsTheCauseHoweverManyFailAtOnce(t *testing.T) {
	for round := range 200 {
		run := fmt.Sprint(t.Name(), round)
		c := runctl.Of(run)
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				runctl.Of(run).Drain(forever)
				runctl.Of(run).Fail(fmt.Errorf("failure %d", i))
			})
		}
		all.Wait()
		if c.Err() == nil || c.Err() != context.Cause(c.Context()) {
			t.Fatalf("Err is %v, the cause is %v", c.Err(), context.Cause(c.Context()))
		}
		runctl.Forget(run)
	}
}

func TestLeaveCountsNames(t *testing.T) {
	c := runctl.Of(t.Name())
	defer runctl.Forget(t.Name())
	for _, name := range []string{"a", "b", "a"} {
		c.Leave(name)
	}
	if got := c.Left(); got != 2 {
		t.Errorf("Left: got %d, want 2", got)
	}
}

func TestReserveHasABoundAndAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := control(t)
		var got []string
		releases := map[string]func(){}
		reserve := func(name string, bytes int64) {
			go func() {
				release, ok := c.Reserve(t.Context(), bytes)
				if !ok {
					t.Errorf("no room for %s", name)
					return
				}
				got, releases[name] = append(got, name), release
			}()
			synctest.Wait() // so that they come in this order
		}
		want := func(names ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(got, names) {
				t.Errorf("%v have room, want %v", got, names)
			}
		}
		reserve("half", runctl.Memory/2)
		reserve("more than there is", 2*runctl.Memory)
		reserve("a little", 1)
		want("half")
		releases["half"]()
		want("half", "more than there is")
		releases["more than there is"]()
		want("half", "more than there is", "a little")
		reserve("all", runctl.Memory)
		want("half", "more than there is", "a little")
		releases["a little"]()
		want("half", "more than there is", "a little", "all")
	})
}

func TestReserveIsWoken(t *testing.T) {
	for name, wake := range map[string]func(c *runctl.Control, cancel func()){
		"by draining":             func(c *runctl.Control, _ func()) { c.Drain(forever) },
		"by a failure":            func(c *runctl.Control, _ func()) { c.Fail(errBroken) },
		"by the caller's context": func(_ *runctl.Control, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			c := control(t)
			release, ok := c.Reserve(t.Context(), runctl.Memory)
			if !ok {
				t.Fatal("no room at the start")
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			woken := make(chan struct{})
			go func() {
				defer close(woken)
				if _, ok := c.Reserve(ctx, 1); ok {
					t.Error("there was room")
				}
			}()
			wake(c, cancel)
			within(t, "the one who waits", woken)
			release()
			goesOn := name == "by the caller's context"
			if _, ok := c.Reserve(t.Context(), runctl.Memory); ok != goesOn {
				t.Errorf("there is room afterwards: %v", ok)
			}
		})
	}
}

func TestALullReachesAll(t *testing.T) {
	c := control(t)
	c.Lull()
	var got []string
	for _, name := range []string{"a", "b"} {
		c.AtLull(func() { got = append(got, name) })
	}
	c.Lull()
	c.Lull()
	if want := []string{"a", "b", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatArrivesAddsToTheBacklog(t *testing.T) {
	c := control(t)
	c.AddBacklog(runctl.Backlog{Files: 1, Bytes: 10, Oldest: 7})
	c.AddBacklog(runctl.Backlog{})
	c.AddBacklog(runctl.Backlog{Files: 2, Bytes: 20, Oldest: 5})
	c.Loaded(1, 10)
	if b, loaded := c.Backlog(); b != (runctl.Backlog{Files: 2, Bytes: 20, Oldest: 5}) || loaded != 10 {
		t.Errorf("got %+v, and %d bytes loaded", b, loaded)
	}
}
