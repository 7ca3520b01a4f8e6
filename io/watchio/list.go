package watchio

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// List returns record.Work for each file version of the pattern that is there
// now and that the ledger is not done with, oldest first. It is bounded: it
// ends when all are handed on, or when the run drains. A pattern that matches
// nothing is no error, and is logged. A folder that is missing, what can't be read, and what
// is left to a later run because it may still be written or is not old enough is logged
// with its name and given to the run's control (Leave). List waits some seconds for a file
// of which the system cannot tell whether it is closed. It panics when the pattern or an
// option can't work.
func List[L Ledger](s beam.Scope, pattern string, ledger L, opts ...Option) beam.PCollection {
	s = s.Scope("watchio.List")
	fn := &listFn[L]{Settings: newSettings(pattern, opts), Ledger: ledger}
	return beam.ParDo(s, fn, beam.Impulse(s))
}

// unreadableCounter tells what control.Leave can't where List runs in another
// process than the one that asked for it.
var unreadableCounter = beam.NewCounter("cartstream", UnreadableCounter)

// UnreadableCounter is the name of the Beam counter of what List could not open or has left
// to a later run.
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
	if historian, ok := any(fn.Ledger).(Historian); ok {
		if poller.era, err = historian.History(ctx); err != nil {
			return err
		}
	}
	look, err := poller.look(ctx, time.Now())
	if err != nil {
		return err
	}
	if look.listed == 0 && look.problems == 0 {
		slog.Warn("No file matches", "pattern", strings.Join(fn.Settings.Patterns, ", "))
	}
	failed := 0
	for deadline := look.now.Add(fn.Settings.Waits.LineEnd + time.Second); ; {
		if err := look.handOnAll(ctx, control, emit); err != nil || over(ctx, control) {
			return err
		}
		failed += look.failed
		until, waits := poller.closing()
		if !waits || until.After(deadline) || !control.Sleep(ctx, time.Until(until)) {
			break
		}
		if look, err = poller.glance(ctx, time.Now()); err != nil {
			return err
		}
	}
	if failed > 0 {
		slog.Warn("Files that failed before are left alone", "files", failed)
	}
	for _, path := range poller.left() {
		control.Leave(path)
		unreadableCounter.Inc(ctx, 1)
	}
	return nil
}

// handOnAll emits all files that are due.
func (l *poll) handOnAll(ctx context.Context, control *runctl.Control, emit func(record.Work)) error {
	for {
		d, ok, err := l.next(ctx)
		if !ok || err != nil || over(ctx, control) {
			return err
		}
		l.take(d)
		emit(d.work)
	}
}

// closing returns when the first file can be handed on of which the system cannot tell
// whether it is closed, and false if there is none.
func (p *poller) closing() (until time.Time, waits bool) {
	for path, w := range p.waiting.files {
		if e := p.holds.paths[path]; e != nil && e.open.IsZero() && (!waits || w.until.Before(until)) {
			until, waits = w.until, true
		}
	}
	if until.Before(p.waiting.rested) {
		until = p.waiting.rested
	}
	return until, waits
}

// mostWriters bounds the files whose writers are looked for, because that goes through all
// open files of the system.
const mostWriters = 20

// left returns the paths of all that could not be read or is left to a later run, after
// it has logged each with the reason.
func (p *poller) left() (paths []string) {
	for _, r := range []reports{p.unlisted, p.unopened} {
		paths = slices.AppendSeq(paths, maps.Keys(r.seen)) // logged before
	}
	asked := 0
	for _, path := range slices.Sorted(maps.Keys(p.waiting.files)) {
		why, open := p.holds.reason(path)
		if open && asked < mostWriters {
			asked++
			if by := writersOf(path); by != "" {
				why += ": " + by
			}
		}
		why = cmp.Or(why, p.waiting.files[path].why)
		if why == "" && p.young(p.waiting.files[path].file.Modified, time.Now()) {
			why = "it has changed less than the minimum age ago, " + p.MinimumAge.String()
		}
		if why != "" {
			slog.Warn("Left to a later run", "file", path, "why", why)
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
