package watchio

import (
	"sync"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// Restriction is what is left to do for a watcher: everything that is to come.
// It is exported for Beam's coder.
type Restriction struct {
	// Polled is when the latest look began, in microseconds since 1970-01-01 UTC;
	// 0 before the first one. No two looks have the same.
	Polled int64
	// Ended marks a restriction with nothing left to do: what a checkpoint
	// leaves to the call that it ends.
	Ended bool
}

// tracker owns the restriction while a call runs. Beam splits from other
// goroutines, so every method locks.
type tracker struct {
	mu   sync.Mutex
	rest Restriction
	// ended is closed when rest has ended, to wake a call that waits.
	ended chan struct{}
}

func newTracker(rest Restriction) *tracker {
	t := &tracker{rest: rest, ended: make(chan struct{})}
	if rest.Ended {
		close(t.ended)
	}
	return t
}

// TryClaim claims a record.File. It is to be called before the file is emitted;
// after a refusal nothing may be emitted: somebody else goes on.
func (t *tracker) TryClaim(pos any) bool {
	_, ok := pos.(record.File)
	return ok && !t.IsDone()
}

// poll notes that a look begins, and returns the new Polled: the time itself, or a
// later one where the clock was set back; where the restriction has ended, the one it had.
func (t *tracker) poll(now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.rest.Ended {
		t.rest.Polled = max(now.UnixMicro(), t.rest.Polled+1)
	}
	return t.rest.Polled
}

// polled is when the latest look began; 0 before the first.
func (t *tracker) polled() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rest.Polled
}

// end says that there is nothing left to do, ever.
func (t *tracker) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finish()
}

// finish ends the restriction. The lock is held.
func (t *tracker) finish() {
	if !t.rest.Ended {
		t.rest = Restriction{Ended: true}
		close(t.ended)
	}
}

// TrySplit refuses every split but the checkpoint, which ends this restriction
// and gives all that is to come to the residual: a folder has one watcher.
func (t *tracker) TrySplit(fraction float64) (primary, residual any, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fraction != 0 || t.rest.Ended {
		return t.rest, nil, nil
	}
	rest := t.rest
	t.finish()
	return t.rest, rest, nil
}

// GetError returns nil: a claim fails only because the restriction has ended.
func (t *tracker) GetError() error { return nil }

// GetProgress gives no more than done or not done: there is no end to near.
func (t *tracker) GetProgress() (done, remaining float64) {
	if t.IsDone() {
		return 1, 0
	}
	return 0, 1
}

// IsDone reports whether the restriction has ended.
func (t *tracker) IsDone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rest.Ended
}

// GetRestriction returns a copy of the Restriction.
func (t *tracker) GetRestriction() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rest
}

// IsBounded reports false until the end: new files may always come.
func (t *tracker) IsBounded() bool { return t.IsDone() }
