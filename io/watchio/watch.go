package watchio

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// Watch returns record.Work for each file version of the pattern (see Check)
// that the ledger is not done with, oldest first, until the run drains. It
// panics when the pattern or an option can't work.
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

	poller   *poller
	inFlight *inFlight
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
	fn.inFlight = inFlightOf(fn.Settings, fn.Ledger)
	fn.poller, err = newPoller(fn.Settings, fn.Ledger)
	return err
}

// ProcessElement polls until the run drains, or, where the runner can resume
// it, until it has handed something on: prism shows what a call emits only when
// the call has returned. It waits inside, also for what is left of the interval
// when it is resumed: draining ends the wait at once, and a runner's own delay it
// could not.
func (fn *watchFn[L]) ProcessElement(ctx context.Context, rt *tracker, _ []byte, emit func(record.Work)) (sdf.ProcessContinuation, error) {
	control := runctl.Of(fn.Settings.Run)
	ctx, stop := untilDrain(ctx, control)
	defer stop()
	fn.inFlight.resume(rt.polled())
	fn.poller.follow(fn.Settings.Run)
	for fn.await(ctx, control, rt) {
		emitted, err := fn.trigger(ctx, control, rt, emit)
		if ended, err := outcome(ctx, control, err); ended {
			rt.end()
			return sdf.StopProcessing(), err
		}
		if emitted > 0 && !fn.Settings.Blocking && !rt.IsDone() {
			return sdf.ResumeProcessingIn(0), nil
		}
	}
	_, err := outcome(ctx, control, nil)
	rt.end()
	return sdf.StopProcessing(), err
}

// await waits until a poll is due or a file has arrived, and reports false when
// there is to be no look, because ctx or the restriction has ended.
func (fn *watchFn[L]) await(ctx context.Context, control *runctl.Control, rt *tracker) bool {
	for {
		wait := fn.wait(rt)
		if wait > minTriggerInterval || wait > 0 && !fn.poller.held {
			control.Lull()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			return ctx.Err() == nil && !rt.IsDone()
		case <-fn.poller.events.Woken():
		case <-rt.ended:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil || rt.IsDone() {
			return false
		}
	}
}

// wait is the time from now to the next look.
func (fn *watchFn[L]) wait(rt *tracker) time.Duration {
	switch pause := fn.pause(rt); {
	case fn.arrived():
		return 0
	case fn.poller.events.Lost():
		return min(pause, fn.poller.names.rest(time.Now(), eagerly, pause))
	default:
		return pause
	}
}

// arrived tells that a look at what has arrived is due, before the next poll.
func (fn *watchFn[L]) arrived() bool { return !fn.poller.held && fn.poller.events.Arrived() }

// pause is the time from now to the next poll. It is never longer than the
// interval, however the clocks of two workers differ.
func (fn *watchFn[L]) pause(rt *tracker) time.Duration {
	since, polled := rt.sincePoll()
	if !polled {
		return 0
	}
	return min(max(fn.interval()-since, minTriggerInterval), fn.interval())
}

func (fn *watchFn[L]) interval() time.Duration {
	return max(fn.Settings.TriggerInterval, minTriggerInterval)
}

// due tells that a poll is, however the clock was set.
func (fn *watchFn[L]) due(rt *tracker) bool {
	since, polled := rt.sincePoll()
	return !polled || since < 0 || since >= fn.interval()
}

// trigger hands on what is due, up to the bounds of a poll. A file is claimed and
// in flight before it is emitted.
func (fn *watchFn[L]) trigger(ctx context.Context, control *runctl.Control, rt *tracker, emit func(record.Work)) (int, error) {
	look, err := fn.look(ctx, rt)
	if err != nil {
		return 0, err
	}
	fn.inFlight.release(look.over)
	emitted, left := 0, cmp.Or(fn.Settings.MaxBytesPerTrigger, math.MaxInt64)
	for d, err := range look.due(ctx) {
		if err != nil || over(ctx, control) || !rt.TryClaim(d.work.File) {
			return emitted, err
		}
		if emitted > 0 && d.work.File.Size > left {
			look.putBack()
			break
		}
		fn.inFlight.add(d.entry)
		emit(d.work)
		left -= d.work.File.Size
		if emitted++; emitted == fn.Settings.MaxFilesPerTrigger {
			break
		}
	}
	return emitted, nil
}

// look polls when that is due, and looks at what has arrived before.
func (fn *watchFn[L]) look(ctx context.Context, rt *tracker) (*poll, error) {
	now, inFlight := time.Now(), fn.inFlight.all()
	if !fn.due(rt) && fn.arrived() {
		return fn.poller.lookAt(ctx, now, arrivals, inFlight, maxInFlight)
	}
	fn.inFlight.poll(rt.poll(now))
	return fn.poller.look(ctx, now, inFlight, maxInFlight)
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
