// Package runctl lets the parts of one run in one process reach each other: a
// signal reaches a watcher that loops for ever, a failed background flush
// reaches the DoFn above it. DoFns are serialised and can't hold a context or
// a channel, so they hold the run's id and look the Control up by it.
package runctl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Memory is how many bytes of input the instances of a run's DoFns in this
// process may have in hand at a time: a range of the largest size, or several
// small ones. A byte of input takes two more until its row is handed on, and
// what is handed on has bounds of its own. More is no faster: one reader parses
// some ten times what PostgreSQL takes in.
const Memory = 8 << 20

// Control is one run's control. All methods are safe for concurrent use.
type Control struct {
	mu       sync.Mutex
	err      error
	draining chan struct{}
	hard     context.Context
	stop     context.CancelCauseFunc
	// begin ends when nothing more is to be begun: with draining, and with hard.
	begin     context.Context
	beginNone context.CancelFunc
	memory    *semaphore.Weighted
	inHand    atomic.Int64
	backlog   backlog
	cleanups  []func()
	// atLull are called at each lull.
	atLull []func()
	// forgotten is set when cleanups were called.
	forgotten bool
	left      map[string]bool
}

var (
	mu       sync.Mutex
	controls = map[string]*Control{}
)

// Of returns the control of a run, made when it is asked for first: a worker
// process on a cluster has one that nobody drains.
func Of(run string) *Control {
	mu.Lock()
	defer mu.Unlock()
	c := controls[run]
	if c == nil {
		hard, stop := context.WithCancelCause(context.Background())
		begin, beginNone := context.WithCancel(hard)
		c = &Control{
			draining: make(chan struct{}), hard: hard, stop: stop, begin: begin, beginNone: beginNone,
			memory: semaphore.NewWeighted(Memory),
		}
		controls[run] = c
	}
	return c
}

// Forget removes the run's control, ends its Context, and calls what was given
// to AtForget; it is for the one who started the run.
func Forget(run string) {
	mu.Lock()
	c := controls[run]
	delete(controls, run)
	mu.Unlock()
	if c == nil {
		return
	}
	c.stop(errForgotten)
	c.mu.Lock()
	cleanups := c.cleanups
	c.cleanups, c.forgotten = nil, true
	c.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		f()
	}
}

// errForgotten ends what still goes on when its run has ended: in a process that
// hosts workers of a cluster those end later.
var errForgotten = errors.New("the run has ended")

// AtForget has f called when the run is forgotten, before what was given earlier: for
// what is kept for the length of a run, such as connections. When it is forgotten already, f is
// called at once.
func (c *Control) AtForget(f func()) {
	c.mu.Lock()
	forgotten := c.forgotten
	if !forgotten {
		c.cleanups = append(c.cleanups, f)
	}
	c.mu.Unlock()
	if forgotten {
		f()
	}
}

// Drain asks the run to end: no new file, what is in hand is committed. After
// bound has passed Context is cancelled, so that a database that is away can't
// hold the exit. Only the first call counts.
func (c *Control) Drain(bound time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.draining:
		return
	default:
	}
	close(c.draining)
	c.beginNone()
	time.AfterFunc(bound, func() { c.stop(ErrDrainBound) })
}

// ErrDrainBound is the cause of Context's end when draining took too long.
var ErrDrainBound = errDrainBound{}

type errDrainBound struct{}

func (errDrainBound) Error() string { return "draining took longer than allowed" }

// Draining is closed when the run drains.
func (c *Control) Draining() <-chan struct{} { return c.draining }

// IsDraining reports whether Draining is closed.
func (c *Control) IsDraining() bool {
	select {
	case <-c.draining:
		return true
	default:
		return false
	}
}

// Fail ends the run with err. Only the first error counts; without an error it
// is ErrFailed.
func (c *Control) Fail(err error) {
	if err == nil {
		err = ErrFailed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.stop(c.err)
}

// ErrFailed is the error of a run that failed without one.
var ErrFailed = errors.New("the run failed without saying why")

// Err returns the error given to Fail first, or nil.
func (c *Control) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Context ends when the run fails, or when its draining has taken longer than
// its bound; context.Cause tells which.
func (c *Control) Context() context.Context { return c.hard }

// Begin ends when nothing more is to be begun: when the run drains, and with
// Context.
func (c *Control) Begin() context.Context { return c.begin }

// Sleep waits for d and reports true, or false at once when the run drains,
// fails, or ctx ends.
func (c *Control) Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		// A select draws by lot when the run drains at the same time.
		return !c.IsDraining() && c.hard.Err() == nil && ctx.Err() == nil
	case <-c.draining:
	case <-c.hard.Done():
	case <-ctx.Done():
	}
	return false
}

// Reserve waits until the run has room for bytes of input, and takes it until
// release is called. Who waits longest comes first. More than Memory is taken
// for all of it. It ends with false when the run drains, fails, or ctx ends.
//
// Whoever has room must be able to go on without more of it: who calls Reserve
// releases first, and waits for nobody who calls it.
func (c *Control) Reserve(ctx context.Context, bytes int64) (release func(), ok bool) {
	bytes = min(bytes, Memory)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.begin, cancel)()
	if c.memory.Acquire(ctx, bytes) != nil {
		return nil, false
	}
	if c.begin.Err() != nil { // it has got room before it was woken
		c.memory.Release(bytes)
		return nil, false
	}
	c.Take()
	return func() {
		c.Give()
		c.memory.Release(bytes)
	}, true
}

// Take notes that something more is in hand that is to be committed, until Give
// is called. Who has room (Reserve) has something in hand.
func (c *Control) Take() { c.inHand.Add(1) }

// Give notes that something that was in hand is committed, or handed on to one
// who has called Take for it, or given up.
func (c *Control) Give() { c.inHand.Add(-1) }

// Idle reports whether nothing is in hand. In a run that drains it stays so.
func (c *Control) Idle() bool { return c.inHand.Load() == 0 }

// Lull says that nothing more is coming for now: what waits for more need not.
func (c *Control) Lull() {
	c.mu.Lock()
	atLull := c.atLull
	c.mu.Unlock()
	for _, f := range atLull {
		f()
	}
}

// AtLull has f called at each Lull, until the run is forgotten.
func (c *Control) AtLull(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atLull = append(c.atLull[:len(c.atLull):len(c.atLull)], f)
}

// Leave notes, by name, what the run was to load and could not even open. It
// is no reason to end the run, but the one who started it has to know.
func (c *Control) Leave(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == nil {
		c.left = map[string]bool{}
	}
	c.left[name] = true
}

// Left returns how many names were given to Leave.
func (c *Control) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.left)
}
