package pipeline

import (
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
	p := Progress{Totals: postgresio.RunTotals(o.run), Backlog: Backlog{Files: b.Files, Bytes: b.Bytes}, BytesLoaded: loaded}
	if b.Oldest > 0 {
		p.Backlog.OldestSeconds = max(0, time.Since(time.UnixMicro(b.Oldest)).Seconds())
	}
	return p
}
