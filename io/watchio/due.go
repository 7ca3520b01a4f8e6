package watchio

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// due is a file that is to be handed on.
type due struct {
	work  record.Work
	entry handed
	// again marks one that is in flight already.
	again bool
}

// askedAhead is how many files of the queue the ledger is asked about at once, where
// it is not to be expected that it is done with them.
const askedAhead = 100

// next returns the next file to hand on, in the order of all that are due, and false
// when there is none. It stays where it is until take is called, so that whoever leaves
// it leaves it to the next look.
func (l *poll) next(ctx context.Context) (due, bool, error) {
	for {
		u, again, ok, err := l.candidate(ctx)
		if !ok || err != nil {
			l.tellLeft()
			return due{}, false, err
		}
		if again && l.readyAgain(u) || !again && l.decide(u) {
			return l.hand(u, again), true, nil
		}
	}
}

// candidate returns the file that is first by the order: of those in flight that are
// due again and, where there is room, of the queue.
func (l *poll) candidate(ctx context.Context) (u unfinished, again, ok bool, err error) {
	var queued bool
	if l.room() > 0 {
		u.file, queued = l.queue.first()
	}
	if len(l.again) > 0 && (!queued || l.order()(l.again[0].file, u.file) < 0) {
		return l.again[0], true, true, nil
	}
	if !queued {
		return u, false, false, nil
	}
	if _, answered := l.answers[u.file]; !answered {
		if err := l.askAhead(ctx); err != nil {
			return u, false, false, err
		}
		return l.candidate(ctx) // the ledger may be done with it
	}
	u.state = l.answers[u.file]
	return u, false, true, nil
}

// askAhead asks the ledger about the first file of the queue, and about those after it.
func (l *poll) askAhead(ctx context.Context) error {
	n := lookupBatch
	if l.most <= maxInFlight && (l.due > 0 || l.asked == 0) {
		n = askedAhead
	} else if l.due == 0 && l.asked > 0 {
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	ahead := slices.DeleteFunc(l.queue.ahead(n), func(f record.File) bool { _, ok := l.answers[f]; return ok })
	states, err := lookup(ctx, l.ledger, ahead)
	if err != nil {
		return err
	}
	if err := l.compare(ctx, ahead, states); err != nil {
		return err
	}
	if l.answers == nil {
		l.answers = map[record.File]record.FileState{}
	}
	for i, f := range ahead {
		if l.queue.has(f) { // compare may have taken it off
			l.answers[f] = states[i]
		}
	}
	l.due, l.asked = 0, len(ahead)
	return nil
}

// decide reports whether a file of the queue is to be handed on. If not, it is not in
// the queue any more.
func (l *poll) decide(u unfinished) bool {
	f, state := u.file, u.state
	switch {
	case !pending(state):
		l.done(f, state.Status)
	case !begun(state) && l.early(f.Modified):
		l.unqueue(f.Path)
		l.leave(f)
	default:
		return l.ready(f)
	}
	return false
}

// readyAgain reports whether a file in flight can be handed on once more. If not, the
// next poll sees what has become of it.
func (l *poll) readyAgain(u unfinished) bool {
	c, err := l.probe(u.file)
	if err == nil && c.File == u.file {
		if _, ready := l.judge(c); ready {
			return true
		}
	}
	l.again = l.again[1:]
	return false
}

// done takes a file off the queue that the ledger is done with.
func (l *poll) done(f record.File, status record.Status) {
	l.unqueue(f.Path)
	l.known.add(f, status, l.now)
	if l.scope >= names {
		l.known.has(f, l.now) // as this look has found it
	}
	if status == record.StatusFailed {
		l.failed++
		l.wait(wait{file: f, until: l.now.Add(failedTrust)})
	}
}

// leave counts a file that is too early, and asks about it no more.
func (l *poll) leave(f record.File) {
	l.known.add(f, record.StatusUnknown, l.now)
	if l.left++; l.left == 1 {
		l.firstLeft = f.Path
	}
}

func (l *poll) tellLeft() {
	if l.left > 0 {
		slog.Warn("Left alone, because files from before that time are not to be loaded",
			"files", l.left, "first", l.firstLeft, "since", time.UnixMicro(l.Since).UTC())
		l.left = 0
	}
}

func (l *poll) hand(u unfinished, again bool) due {
	return due{
		work: record.Work{File: u.file, Fingerprint: u.state.Fingerprint, Done: u.state.Done, Era: l.era, MayGrow: l.mayGrow},
		entry: handed{
			File: u.file, Fingerprint: cmp.Or(u.state.Fingerprint, l.Fingerprint), Emitted: time.Now().UnixMicro(),
			UnreadableSince: u.state.UnreadableSince, MayGrow: l.mayGrow, GrownUp: u.file.Modified + l.Waits.Unfinished.Microseconds(),
		},
		again: again,
	}
}

// take says that the file that next has returned is handed on. It is still backlog, as
// far as it is not loaded.
func (l *poll) take(d due) {
	l.due++
	if d.again {
		l.again = l.again[1:]
		return
	}
	l.queue.drop(d.work.File.Path)
	delete(l.answers, d.work.File)
	runctl.Of(l.Run).Off(0, d.work.File.Size-d.work.BytesLeft())
}
