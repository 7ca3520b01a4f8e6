package watchio

import (
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// waiting holds the files that are not in the queue yet, by path, each with the time
// at which to look at it again.
type waiting struct {
	files map[string]wait
	// next is the earliest of these times; zero when there is none. It is not before
	// rested, so that going through many files takes little of the time.
	next, rested time.Time
}

// restPerFile is how long to rest for each file that was gone through.
const restPerFile = 10 * time.Microsecond

// wait is a file that waits.
type wait struct {
	file record.File
	// until is when to look again; zero is at the next poll.
	until time.Time
	// counted files are part of the backlog.
	counted bool
	// why is the reason, where nothing else tells it.
	why string
}

func (w *waiting) put(f wait) {
	if w.files == nil {
		w.files = map[string]wait{}
	}
	w.files[f.file.Path] = f
	w.sooner(f.until)
}

func (w *waiting) sooner(until time.Time) {
	if until.IsZero() {
		return
	}
	if until.Before(w.rested) {
		until = w.rested
	}
	if w.next.IsZero() || until.Before(w.next) {
		w.next = until
	}
}

// due reports whether a file has waited long enough.
func (w *waiting) due(now time.Time) bool { return !w.next.IsZero() && !now.Before(w.next) }

// rest is the time from now until a file has waited long enough, at most the one given.
func (w *waiting) rest(now time.Time, most time.Duration) time.Duration {
	if w.next.IsZero() {
		return most
	}
	return max(0, min(most, w.next.Sub(now)))
}

// take removes and returns the files that have waited long enough; at a poll also
// those that wait for it.
func (w *waiting) take(now time.Time, poll bool) []wait {
	if !poll && !w.due(now) {
		return nil
	}
	var taken []wait
	w.next, w.rested = time.Time{}, now.Add(time.Duration(len(w.files))*restPerFile)
	for path, f := range w.files {
		if f.until.IsZero() && poll || !f.until.IsZero() && !now.Before(f.until) {
			taken = append(taken, f)
			delete(w.files, path)
		} else {
			w.sooner(f.until)
		}
	}
	return taken
}
