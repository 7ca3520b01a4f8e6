package watchio

import (
	"slices"
	"sync"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// Restriction is what is left to do for a watcher: everything that is to come,
// given what is in flight. It is exported for Beam's coder.
type Restriction struct {
	// InFlight holds the files that were handed on and are not done with in the
	// ledger, in the order of their first claim.
	InFlight []InFlight
	// Polled is when the latest poll began, in microseconds since 1970-01-01 UTC;
	// 0 before the first one.
	Polled int64
	// Ended marks a restriction with nothing left to do: what a checkpoint
	// leaves to the call that it ends.
	Ended bool
}

// InFlight is a file that was handed on.
type InFlight struct {
	File record.File
	// Fingerprint is the one it was handed on with: the worker's own where the
	// ledger had none.
	Fingerprint string
	// Emitted is when, in microseconds since 1970-01-01 UTC.
	Emitted int64
	// UnreadableSince is the ledger's at that time. A later one is a new
	// failure, by the ledger's own clock, which need not agree with ours.
	UnreadableSince int64
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
	rest.InFlight = slices.Clone(rest.InFlight)
	t := &tracker{rest: rest, ended: make(chan struct{})}
	if rest.Ended {
		close(t.ended)
	}
	return t
}

// TryClaim puts an InFlight into the restriction, in place of an earlier one of
// the same file. It is to be called before the file is emitted; after a refusal
// nothing may be emitted.
func (t *tracker) TryClaim(pos any) bool {
	claim, ok := pos.(InFlight)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok || t.rest.Ended {
		return false
	}
	same := func(f InFlight) bool { return f.File == claim.File }
	if i := slices.IndexFunc(t.rest.InFlight, same); i >= 0 {
		t.rest.InFlight[i] = claim
	} else {
		t.rest.InFlight = append(t.rest.InFlight, claim)
	}
	return true
}

// release removes files that are in flight no more. After the end it does
// nothing: the checkpoint's restriction finds the same out by itself.
func (t *tracker) release(files map[record.File]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest.InFlight = slices.DeleteFunc(t.rest.InFlight, func(f InFlight) bool { return files[f.File] })
}

// poll notes that a poll begins.
func (t *tracker) poll(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.rest.Ended {
		t.rest.Polled = now.UnixMicro()
	}
}

// sincePoll is the time since the latest poll began, and false before the first.
func (t *tracker) sincePoll() (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Since(time.UnixMicro(t.rest.Polled)), t.rest.Polled != 0
}

// inFlight returns a copy.
func (t *tracker) inFlight() []InFlight {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.rest.InFlight)
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
// and gives all that is in flight to the residual: a folder has one watcher.
func (t *tracker) TrySplit(fraction float64) (primary, residual any, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fraction != 0 || t.rest.Ended {
		return t.copy(), nil, nil
	}
	rest := t.copy()
	t.finish()
	return t.copy(), rest, nil
}

func (t *tracker) copy() Restriction {
	rest := t.rest
	rest.InFlight = slices.Clone(rest.InFlight)
	return rest
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
	return t.copy()
}

// IsBounded reports false until the end: new files may always come.
func (t *tracker) IsBounded() bool { return t.IsDone() }
