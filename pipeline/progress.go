package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/postgresio"
)

// Progress is how far a run is.
type Progress struct {
	Totals

	// Backlog is what is known to be there and is not loaded.
	Backlog Backlog
	// BytesLoaded is how much of the files the run has loaded.
	BytesLoaded int64
}

// elsewhere tells that the workers are in other processes.
func (o *Options) elsewhere() bool { return inProcess[o.runner()] == nil && !o.Cluster.loopback() }

// askPause is the least time between two questions to the ledger about how far
// a run is. They take no more than a twentieth of the time, either.
const askPause = time.Second

// farTotals are the totals of a run whose workers are in other processes: the
// ledger's.
type farTotals struct {
	ask  func(context.Context) (Totals, error)
	mu   sync.Mutex
	last Totals
	next time.Time
}

// askBound is how long an answer is waited for: while the database is away, the
// latest one has to do.
const askBound = 5 * time.Second

// latest returns the totals, asking anew when the last answer is old enough or
// must is set.
func (f *farTotals) latest(must bool) Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	start := time.Now()
	if !must && start.Before(f.next) {
		return f.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), askBound)
	defer cancel()
	totals, err := f.ask(ctx)
	if err == nil {
		f.last = totals
	} else if must {
		slog.Warn("The ledger can't be asked for what the run has committed; the totals are of a moment ago", "error", err)
	}
	f.next = time.Now().Add(max(askPause, 20*time.Since(start)))
	return f.last
}

// totals are what the run has committed; must asks for it as it is now.
func (o *Options) totals(must bool) Totals {
	if o.far == nil {
		return postgresio.RunTotals(o.run)
	}
	return o.far.latest(must)
}

// progressInterval is how often Options.Progress is called.
const progressInterval = 250 * time.Millisecond

// tell calls what is to be told of the run's progress until done is closed, and
// returns when that has returned for the last time.
func (o *Options) tell(done <-chan struct{}) {
	if o.Progress == nil {
		return
	}
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.Progress(o.progress())
		case <-done:
			o.Progress(o.progress())
			return
		}
	}
}

func (o *Options) progress() Progress {
	b, loaded := runctl.Of(o.run).Backlog()
	p := Progress{Totals: o.totals(false), Backlog: Backlog{Files: b.Files, Bytes: b.Bytes}, BytesLoaded: loaded}
	if b.Oldest > 0 {
		p.Backlog.OldestSeconds = max(0, time.Since(time.UnixMicro(b.Oldest)).Seconds())
	}
	return p
}
