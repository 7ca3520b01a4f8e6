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
// that the ledger is not done with, oldest first, until the run drains. While files
// wait, one look follows another without a pause. It
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
	// seen is the restriction's Polled at the latest look.
	seen int64
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
	if fn.poller, err = newPoller(fn.Settings, fn.Ledger); err == nil {
		fn.poller.flight, fn.poller.most = fn.inFlight, maxInFlight
	}
	return err
}

// longestRounds is how long a call goes on to hand on what waits, where a runner shows
// what is handed on only when the call has returned.
const longestRounds = 100 * time.Millisecond

// ProcessElement polls until the run drains, or, where the runner can resume
// it, until it has handed something on: prism shows what a call emits only when
// the call has returned. It waits inside, also for what is left of the interval
// when it is resumed: draining ends the wait at once, and a runner's own delay it
// could not.
func (fn *watchFn[L]) ProcessElement(ctx context.Context, rt *tracker, _ []byte, emit func(record.Work)) (sdf.ProcessContinuation, error) {
	control := runctl.Of(fn.Settings.Run)
	ctx, stop := untilDrain(ctx, control)
	defer stop()
	fn.resume(rt.polled())
	fn.poller.follow(fn.Settings.Run)
	for fn.await(ctx, control, rt) {
		emitted, err := fn.rounds(ctx, control, rt, longestRounds, emit)
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

// resume is called at the beginning of a call. One that does not go on where the latest
// look of this poller was, hands on all that the ledger is not done with.
func (fn *watchFn[L]) resume(polled int64) {
	if same := fn.inFlight.resume(polled); !same || fn.seen != polled {
		fn.poller.relist()
	}
}

// forget drops all that was learned from the ledger, and what is in flight: for a
// database whose history has changed. It is to be called between two looks.
func (fn *watchFn[L]) forget() {
	fn.inFlight.forget()
	fn.poller.forget()
}

// await waits until a look is due, and reports false when
// there is to be none, because ctx or the restriction has ended.
func (fn *watchFn[L]) await(ctx context.Context, control *runctl.Control, rt *tracker) bool {
	for {
		wait := fn.wait(time.Now())
		if wait > 0 {
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
func (fn *watchFn[L]) wait(now time.Time) time.Duration {
	p := fn.poller
	if fn.arrived() || p.more() {
		return 0
	}
	pause := min(p.waiting.rest(now, fn.pause(now)), fn.historyRest(now))
	if p.queue.len() > 0 { // and there is no room
		pause = min(pause, p.reviewRest(now))
	}
	if p.events.Lost() {
		pause = min(pause, p.names.rest(now, eagerly, pause))
	}
	return pause
}

// arrived tells that a look at what has arrived is due, before the next poll.
func (fn *watchFn[L]) arrived() bool { return fn.poller.events.Arrived() }

// pause is the time from now to the next poll: none before the first.
func (fn *watchFn[L]) pause(now time.Time) time.Duration {
	if fn.poller.polled.IsZero() {
		return 0
	}
	return min(max(fn.interval()-now.Sub(fn.poller.polled), minTriggerInterval), fn.interval())
}

func (fn *watchFn[L]) interval() time.Duration {
	return max(fn.Settings.TriggerInterval, minTriggerInterval)
}

// rounds has looks follow each other while files wait, for some time at most, and
// returns how many were handed on.
func (fn *watchFn[L]) rounds(ctx context.Context, control *runctl.Control, rt *tracker, longest time.Duration, emit func(record.Work)) (int, error) {
	emitted := 0
	for begin := time.Now(); ; {
		n, err := fn.trigger(ctx, control, rt, emit)
		emitted += n
		if n == 0 || err != nil || !fn.poller.more() || over(ctx, control) || rt.IsDone() || time.Since(begin) >= longest {
			return emitted, err
		}
	}
}

// trigger hands on what is due, up to the bounds of a look. A file is claimed and
// in flight before it is emitted.
func (fn *watchFn[L]) trigger(ctx context.Context, control *runctl.Control, rt *tracker, emit func(record.Work)) (int, error) {
	look, err := fn.look(ctx, rt)
	if err != nil {
		return 0, err
	}
	emitted, left := 0, cmp.Or(fn.Settings.MaxBytesPerTrigger, math.MaxInt64)
	for emitted < fn.Settings.MaxFilesPerTrigger {
		d, ok, err := look.next(ctx)
		if !ok || err != nil || over(ctx, control) {
			return emitted, err
		}
		if emitted > 0 && d.work.File.Size > left || !rt.TryClaim(d.work.File) {
			break
		}
		fn.inFlight.add(d.entry)
		look.take(d)
		emit(d.work)
		left -= d.work.File.Size
		emitted++
	}
	look.tellLeft()
	return emitted, nil
}

// look polls when that is due, and else looks at what has arrived and what the queue
// holds. The restriction notes each look, so that whoever goes on from an earlier one is
// found out.
func (fn *watchFn[L]) look(ctx context.Context, rt *tracker) (*poll, error) {
	now := time.Now()
	if fn.pollDue(now) || fn.historyRest(now) == 0 {
		if err := fn.checkHistory(ctx, now); err != nil {
			return nil, err
		}
	}
	poll := fn.pollDue(now)
	fn.seen = rt.poll(now)
	fn.inFlight.poll(fn.seen)
	if poll {
		return fn.poller.look(ctx, now)
	}
	return fn.poller.glance(ctx, now)
}

// pollDue tells that a poll is: after the interval, and where a look was asked for and
// there is nothing else to look at. While files wait, polls take a tenth of the time at
// most.
func (fn *watchFn[L]) pollDue(now time.Time) bool {
	p := fn.poller
	since := now.Sub(p.polled)
	switch {
	case p.polled.IsZero(), p.events.Lost() && p.names.rest(now, eagerly, longest) == 0:
		return true
	case since >= fn.interval() && (!p.more() || since >= eagerly*p.took):
		return true
	}
	return !p.more() && !fn.arrived() && !p.waiting.due(now) && (p.queue.len() == 0 || p.reviewRest(now) > 0)
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
