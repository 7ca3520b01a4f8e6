package files

import (
	"sync"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

const (
	// maxIdle bounds the streams that wait for the reader of the next range.
	maxIdle = 16
	// longestIdle is after how long a stream that nobody took is closed.
	longestIdle = time.Minute
)

// idle holds the streams of the process that nobody reads at present.
var idle idleStreams

type idleStreams struct {
	mu sync.Mutex
	// waiting has the one that has waited longest first.
	waiting []waiting
}

type waiting struct {
	version record.File
	stream  *stream
	timer   *time.Timer
}

// put gives a stream away.
func (i *idleStreams) put(version record.File, s *stream) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.waiting) == maxIdle {
		i.remove(0).close()
	}
	timer := time.AfterFunc(longestIdle, func() { i.expire(s) })
	i.waiting = append(i.waiting, waiting{version: version, stream: s, timer: timer})
}

// take returns the stream of a version that is nearest before off, or nil.
func (i *idleStreams) take(version record.File, off int64) *stream {
	i.mu.Lock()
	defer i.mu.Unlock()
	best := -1
	for at, w := range i.waiting {
		if w.version == version && w.stream.pos <= off && (best < 0 || w.stream.pos > i.waiting[best].stream.pos) {
			best = at
		}
	}
	if best < 0 {
		return nil
	}
	return i.remove(best)
}

func (i *idleStreams) expire(s *stream) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for at, w := range i.waiting {
		if w.stream == s {
			i.remove(at).close()
			return
		}
	}
}

// remove takes one out. The lock is held.
func (i *idleStreams) remove(at int) *stream {
	w := i.waiting[at]
	w.timer.Stop()
	i.waiting = append(i.waiting[:at], i.waiting[at+1:]...)
	return w.stream
}

func (s *stream) close() { _ = s.body.Close() } // nothing was written
