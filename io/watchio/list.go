package watchio

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// List returns record.Work for each file version of the pattern that is there
// now and that the ledger is not done with, oldest first. It is bounded: it
// ends when all are handed on, or when the run drains. A pattern that matches
// nothing is no error, and is logged. A folder that is missing, and what can't be read,
// is logged with its name and given to the run's control (Leave). It panics when the pattern or an option can't work.
func List[L Ledger](s beam.Scope, pattern string, ledger L, opts ...Option) beam.PCollection {
	s = s.Scope("watchio.List")
	fn := &listFn[L]{Settings: newSettings(pattern, opts), Ledger: ledger}
	return beam.ParDo(s, fn, beam.Impulse(s))
}

// unreadableCounter tells what control.Leave can't where List runs in another
// process than the one that asked for it.
var unreadableCounter = beam.NewCounter("cartstream", UnreadableCounter)

// UnreadableCounter is the name of the Beam counter of what List could not open.
const UnreadableCounter = "unreadable"

// listFn is no SDF: a process continuation in its signature would make the
// pipeline unbounded, even if it never resumed.
type listFn[L Ledger] struct {
	Settings settings
	Ledger   L
}

func (fn *listFn[L]) ProcessElement(ctx context.Context, _ []byte, emit func(record.Work)) error {
	control := runctl.Of(fn.Settings.Run)
	ctx, stop := untilDrain(ctx, control)
	defer stop()
	_, err := outcome(ctx, control, fn.list(ctx, control, emit))
	return err
}

func (fn *listFn[L]) list(ctx context.Context, control *runctl.Control, emit func(record.Work)) error {
	poller, err := newPoller(fn.Settings, fn.Ledger)
	if err != nil {
		return err
	}
	look, err := poller.look(ctx, time.Now())
	if err != nil {
		return err
	}
	if look.listed == 0 && look.problems == 0 {
		slog.Warn("No file matches", "pattern", strings.Join(fn.Settings.Patterns, ", "))
	}
	if look.young > 0 {
		slog.Info("Left to a later run: not old enough yet", "files", look.young, "minimum age", fn.Settings.MinimumAge)
	}
	for {
		d, ok, err := look.next(ctx)
		if err != nil || over(ctx, control) {
			return err
		}
		if !ok {
			break
		}
		look.take(d)
		emit(d.work)
	}
	if look.failed > 0 {
		slog.Warn("Files that failed before are left alone", "files", look.failed)
	}
	for _, r := range []reports{poller.unlisted, poller.unopened} {
		for path := range r.seen {
			control.Leave(path)
			unreadableCounter.Inc(ctx, 1)
		}
	}
	return nil
}
