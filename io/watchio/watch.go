package watchio

import (
	"context"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Watch returns record.Work for each file version of the pattern that the
// ledger is not done with, oldest first, until the run drains. It panics when
// the pattern or an option can't work.
//
// What is handed on is in flight until the ledger is done with it, or the file
// is gone; 1,000 files at the most. A file in flight is handed on again only
// when the ledger goes on with it by another split, or when reading it has
// failed, and then 30 s later at the earliest.
func Watch[L Ledger](s beam.Scope, pattern string, ledger L, opts ...Option) beam.PCollection {
	s = s.Scope("watchio.Watch")
	fn := &watchFn[L]{Settings: newSettings(pattern, opts), Ledger: ledger}
	return beam.ParDo(s, fn, beam.Impulse(s))
}

type watchFn[L Ledger] struct {
	Settings settings
	Ledger   L

	poller *poller
}

func (fn *watchFn[L]) CreateInitialRestriction(_ []byte) Restriction { return Restriction{} }

func (fn *watchFn[L]) SplitRestriction(_ []byte, r Restriction) []Restriction {
	return []Restriction{r}
}

func (fn *watchFn[L]) RestrictionSize(_ []byte, r Restriction) float64 {
	if r.Ended {
		return 0
	}
	return 1
}

func (fn *watchFn[L]) CreateTracker(r Restriction) *tracker { return newTracker(r) }

// TruncateRestriction is how a runner drains: no new file.
func (fn *watchFn[L]) TruncateRestriction(_ *tracker, _ []byte) Restriction {
	return Restriction{Ended: true}
}

func (fn *watchFn[L]) Setup() (err error) {
	fn.poller, err = newPoller(fn.Settings, fn.Ledger)
	return err
}

// ProcessElement polls until the run drains, or, where the runner can resume
// it, until it has handed something on: some runners show what a call emits
// only when the call has returned, and keep a little for ever for each resume.
func (fn *watchFn[L]) ProcessElement(ctx context.Context, rt *tracker, _ []byte, emit func(record.Work)) (sdf.ProcessContinuation, error) {
	control := runctl.Of(fn.Settings.Run)
	ctx, stop := untilDrain(ctx, control)
	defer stop()
	for !rt.IsDone() {
		begun := time.Now()
		emitted, err := fn.trigger(ctx, control, rt, emit)
		if ended, err := outcome(ctx, control, err); ended || err != nil {
			rt.end()
			return sdf.StopProcessing(), err
		}
		if emitted > 0 && !fn.Settings.Blocking {
			return sdf.ResumeProcessingIn(fn.pause(begun)), nil
		}
		control.Sleep(ctx, fn.pause(begun))
	}
	return sdf.StopProcessing(), nil
}

// pause is the time from now to the next poll, when this one began at begun.
func (fn *watchFn[L]) pause(begun time.Time) time.Duration {
	return max(fn.Settings.TriggerInterval-time.Since(begun), minTriggerInterval)
}

// trigger hands on what is due, up to the bound of a poll. A file is claimed
// before it is emitted, so it is in the restriction of whoever comes next
// before anyone downstream has seen it.
func (fn *watchFn[L]) trigger(ctx context.Context, control *runctl.Control, rt *tracker, emit func(record.Work)) (int, error) {
	look, err := fn.poller.look(ctx, time.Now(), rt.inFlight(), maxInFlight)
	if err != nil {
		return 0, err
	}
	rt.release(look.over)
	emitted := 0
	for d, err := range look.due(ctx) {
		if err != nil || over(ctx, control) || !rt.TryClaim(d.entry) {
			return emitted, err
		}
		emit(d.work)
		if emitted++; emitted == fn.Settings.MaxFilesPerTrigger {
			break
		}
	}
	return emitted, nil
}

// untilDrain returns a context that ends when ctx does, and when the run drains
// or fails. What is called with it returns soon after.
func untilDrain(ctx context.Context, control *runctl.Control) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-control.Draining():
		case <-control.Context().Done():
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx, cancel
}

// over is untilDrain's context asked without its delay: once the run drains, not
// one file more is handed on.
func over(ctx context.Context, control *runctl.Control) bool {
	return control.IsDraining() || control.Err() != nil || ctx.Err() != nil
}

// outcome tells whether a call ends, and how. An error that comes after ctx has
// ended comes of that.
func outcome(ctx context.Context, control *runctl.Control, err error) (ended bool, _ error) {
	switch {
	case control.Err() != nil:
		return true, control.Err()
	case control.IsDraining():
		return true, nil
	case ctx.Err() != nil:
		return true, ctx.Err()
	default:
		return err != nil, err
	}
}
