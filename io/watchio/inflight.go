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
	// files are in the order of their first claim; places has where each is.
	files  []handed
	places map[record.File]int
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

// resume is called at the beginning of a call, with its restriction's Polled, and
// reports whether the call goes on where the latest one was. If not, nothing is in
// flight.
func (f *inFlight) resume(polled int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := f.polled == polled
	if !same {
		f.polled, f.files, f.places = polled, nil, nil
	}
	return same
}

// forget drops all entries: nothing is in flight any more.
func (f *inFlight) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files, f.places = nil, nil
}

// poll notes that a look has begun, as the restriction does.
func (f *inFlight) poll(polled int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polled = polled
}

// add takes in a file, in place of an earlier entry of the same.
func (f *inFlight) add(h handed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := f.places[h.File]; ok {
		f.files[i] = h
		return
	}
	if f.places == nil {
		f.places = map[record.File]int{}
	}
	f.places[h.File] = len(f.files)
	f.files = append(f.files, h)
}

// release removes files that are in flight no more.
func (f *inFlight) release(files map[record.File]bool) {
	if len(files) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files = slices.DeleteFunc(f.files, func(h handed) bool { return files[h.File] })
	clear(f.places)
	for i, h := range f.files {
		f.places[h.File] = i
	}
}

func (f *inFlight) has(file record.File) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.places[file]
	return ok
}

func (f *inFlight) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.files)
}

// all returns a copy.
func (f *inFlight) all() []handed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.files)
}
