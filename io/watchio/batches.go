package watchio

import (
	"context"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Batches watches as Watch does, for a program that submits a bounded job for
// each batch of files, as on a runner that can't resume a DoFn. It is not a
// transform: it looks at the files and the ledger from where it is called.
type Batches struct {
	settings settings
	watch    *watchFn[Ledger]
	tracker  *tracker
}

// NewBatches returns a watcher of the pattern (see Check). It panics when the
// pattern or an option can't work.
func NewBatches(pattern string, ledger Ledger, opts ...Option) (*Batches, error) {
	s := newSettings(pattern, opts)
	b := &Batches{settings: s, watch: &watchFn[Ledger]{Settings: s, Ledger: ledger}, tracker: newTracker(Restriction{})}
	return b, b.watch.Setup()
}

// Next waits until there is something to load and returns it, up to the bounds
// of a look: at once while files wait, else an interval after the poll before, or when
// events tell of a file that has come whole. It returns nil when the run drains.
//
// What it has returned is in flight, and comes again as Watch says: when the job
// has failed to read it, or goes on with it by another split. All of it comes
// again after Again.
func (b *Batches) Next(ctx context.Context) ([]record.Work, error) {
	control := runctl.Of(b.settings.Run)
	ctx, stop := untilDrain(ctx, control)
	defer stop()
	b.watch.poller.follow(b.settings.Run)
	for b.watch.await(ctx, control, b.tracker) {
		var batch []record.Work
		_, err := b.watch.trigger(ctx, control, b.tracker, func(w record.Work) { batch = append(batch, w) })
		if ended, err := outcome(ctx, control, err); ended {
			return nil, err
		}
		if len(batch) > 0 {
			return batch, nil
		}
	}
	_, err := outcome(ctx, control, nil)
	return nil, err
}

// Again says that the job with the latest batch has failed. What the ledger is
// not done with of all that Next has returned comes again.
func (b *Batches) Again() {
	b.watch.inFlight.forget()
	b.watch.poller.relist()
}

// Given returns a PCollection of what Batches has returned.
func Given(s beam.Scope, batch []record.Work) beam.PCollection {
	return beam.CreateList(s.Scope("watchio.Given"), batch)
}
