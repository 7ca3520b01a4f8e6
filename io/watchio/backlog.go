package watchio

import (
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// tellBacklog has the run know, at a poll, what is still to be loaded: what is in
// flight, as far as the ledger has it, and all that is queued or waits. In between,
// count and uncount tell each change.
func (l *poll) tellBacklog(flying runctl.Backlog) {
	b := flying
	b.Files += int64(l.queue.len())
	b.Bytes += l.queue.bytes
	if f, ok := l.queue.oldest(); ok {
		b.Oldest = earlier(b.Oldest, f.Modified)
	}
	for _, w := range l.waiting.files {
		if w.counted {
			addTo(&b, record.Work{File: w.file})
		}
	}
	runctl.Of(l.Run).SetBacklog(b)
	l.told = true
}

func addTo(b *runctl.Backlog, w record.Work) {
	b.Files++
	b.Bytes += w.BytesLeft()
	b.Oldest = earlier(b.Oldest, w.File.Modified)
}

// earlier is the earlier of two times, of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

func (l *poll) count(f record.File) {
	if l.told {
		runctl.Of(l.Run).AddBacklog(runctl.Backlog{Files: 1, Bytes: f.Size, Oldest: f.Modified})
	}
}

func (l *poll) uncount(size int64) {
	if l.told {
		runctl.Of(l.Run).Off(1, size)
	}
}
