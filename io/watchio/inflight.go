package watchio

import (
	"fmt"
	"slices"
	"sync"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// handed is a file that was handed on.
type handed struct {
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

// inFlight is what one watcher has handed on and the ledger is not done with. It
// is kept by the process and not in the runner's state, which would grow with it.
// So a watcher that goes on
// elsewhere, or from an earlier state, begins with nothing in flight, and hands on
// again what the ledger is not done with: what it had handed on after that state
// came to nothing with the job, and what is loaded twice the ledger drops.
type inFlight struct {
	mu sync.Mutex
	// polled is the restriction's at its latest change: by it a call finds whether
	// it goes on where the latest one was.
	polled int64
	// files are in the order of their first claim.
	files []handed
}

// flights are those of this process's watchers.
var flights sync.Map // string to *inFlight

// inFlightOf returns what a watcher of these settings and this ledger has in
// flight, until the run is forgotten.
func inFlightOf(s settings, ledger any) *inFlight {
	key := fmt.Sprintf("%q %+v", fmt.Sprintf("%+v", s), ledger)
	f, known := flights.LoadOrStore(key, &inFlight{})
	if !known {
		runctl.Of(s.Run).AtForget(func() { flights.Delete(key) })
	}
	return f.(*inFlight)
}

// resume is called at the beginning of a call, with its restriction's Polled.
func (f *inFlight) resume(polled int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.polled != polled {
		f.polled, f.files = polled, nil
	}
}

// poll notes that a poll has begun, as the restriction does.
func (f *inFlight) poll(polled int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polled = polled
}

// add takes in a file, in place of an earlier entry of the same.
func (f *inFlight) add(h handed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.files, func(o handed) bool { return o.File == h.File }); i >= 0 {
		f.files[i] = h
	} else {
		f.files = append(f.files, h)
	}
}

// release removes files that are in flight no more.
func (f *inFlight) release(files map[record.File]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files = slices.DeleteFunc(f.files, func(h handed) bool { return files[h.File] })
}

// all returns a copy.
func (f *inFlight) all() []handed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.files)
}
