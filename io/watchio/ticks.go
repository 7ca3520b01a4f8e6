package watchio

import (
	"context"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Function1x2(withOneKey)
}

// OnTicks returns record.Work as Watch does, and looks when an element of ticks
// comes ([]byte, whatever it holds), once a bundle: a tick polls when the interval
// is over, and hands on what waits, look by look, until the next tick is due or 1,000
// files are in flight. Ticks are to come each TickInterval. It is
// for runners that have a source of ticks and pay for each resume of a splittable
// DoFn: what it keeps is the time of the latest look, in the state of one key, so
// that there is one watcher. It panics when the pattern or an option can't work.
func OnTicks[L Ledger](s beam.Scope, ticks beam.PCollection, pattern string, ledger L, opts ...Option) beam.PCollection {
	s = s.Scope("watchio.OnTicks")
	fn := &tickFn[L]{Settings: newSettings(pattern, opts), Ledger: ledger, Polled: state.MakeValueState[int64]("polled")}
	return beam.ParDo(s, fn, beam.ParDo(s, withOneKey, ticks))
}

// withOneKey has all ticks go to one worker.
func withOneKey(tick []byte) (string, []byte) { return "", tick }

type tickFn[L Ledger] struct {
	Settings settings
	Ledger   L
	// Polled is the restriction's Polled of Watch.
	Polled state.Value[int64]

	watch *watchFn[L]
	// polled tells that this bundle has: ticks that have piled up are in one, and
	// what it hands on is seen only at its end.
	polled bool
}

func (fn *tickFn[L]) Setup() error {
	fn.watch = &watchFn[L]{Settings: fn.Settings, Ledger: fn.Ledger}
	return fn.watch.Setup()
}

func (fn *tickFn[L]) StartBundle(context.Context, func(record.Work)) { fn.polled = false }

func (fn *tickFn[L]) ProcessElement(ctx context.Context, states state.Provider, _ string, _ []byte, emit func(record.Work)) error {
	control := runctl.Of(fn.Settings.Run)
	ctx, stop := untilDrain(ctx, control)
	defer stop()
	if _, err := outcome(ctx, control, nil); err != nil {
		return err // whether it is tried again is the runner's decision
	}
	polled, _, err := fn.Polled.Read(states)
	if err != nil {
		return err
	}
	rt := newTracker(Restriction{Polled: polled})
	fn.watch.resume(polled)
	if fn.polled || !fn.due(time.Now()) || over(ctx, control) {
		return nil
	}
	fn.polled = true
	_, err = fn.watch.rounds(ctx, control, rt, TickInterval(fn.Settings.TriggerInterval), emit)
	if _, err := outcome(ctx, control, err); err != nil {
		return err
	}
	return fn.Polled.Write(states, rt.polled())
}

// due tells that a tick is to look. Ticks come a little early or late, and from several
// sources, so that a poll is due when half a tick is missing.
func (fn *tickFn[L]) due(now time.Time) bool {
	half := TickInterval(fn.Settings.TriggerInterval) / 2
	return fn.watch.wait(now.Add(half)) <= minTriggerInterval
}

// TickInterval is the time between two ticks for these options: the trigger
// interval, but not more than a second, so that a tick soon goes on with what waits.
func TickInterval(triggerInterval time.Duration) time.Duration {
	return min(max(triggerInterval, minTriggerInterval), longestTick)
}

const longestTick = time.Second
