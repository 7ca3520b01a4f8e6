package watchio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// poller looks at patterns and the ledger and finds what is due. It holds
// caches only: another one that starts in its place finds the same.
type poller struct {
	settings
	survey
	ledger Ledger
	// held tells that the latest look left files to the next poll because of a bound:
	// what comes later has to wait with them.
	held bool
	// unlisted and unopened are the problems that were reported.
	unlisted, unopened reports
}

func newPoller(s settings, ledger Ledger) (*poller, error) {
	globs, err := s.patterns()
	if err != nil {
		return nil, err
	}
	return &poller{settings: s, survey: survey{globs: globs, known: newKnown(maxKnown)}, ledger: ledger}, nil
}

// poll is one look.
type poll struct {
	*poller
	now   time.Time
	scope scope
	// listed and problems count what the patterns gave; young are files that are
	// not old enough yet.
	listed, problems, young int
	// failed counts the files that failed as a whole before.
	failed int
	// over are the files that are in flight no more.
	over map[record.File]bool
	// again are files in flight that are to be handed on once more, with what
	// the ledger says of them.
	again map[record.File]record.FileState
	// flying is what is still to be loaded of the files in flight.
	flying runctl.Backlog
	// queue holds again and the files that may be new, in their order; next is how
	// many of them were decided on.
	queue []record.File
	next  int
	// later are the paths of files that are left alone for now.
	later []string
	// room is how many new files may be in flight in addition.
	room int
	// left counts the files that are too early and were not known as that;
	// firstLeft is one of them.
	left      int
	firstLeft string
}

// due is a file that is to be handed on. The entry is to be claimed first.
type due struct {
	work  record.Work
	entry handed
}

// look is a poll: it finds the files that may be due, asks about what is in flight,
// and queues the rest.
func (p *poller) look(ctx context.Context, now time.Time, inFlight []handed, room int) (*poll, error) {
	return p.lookAt(ctx, now, p.survey.scope(now), inFlight, room)
}

// lookAt is look at a scope. Between two polls it is at arrivals: then what is in
// flight is left alone, unless it is so much that there may be no room.
func (p *poller) lookAt(ctx context.Context, now time.Time, to scope, inFlight []handed, room int) (*poll, error) {
	first := p.full.began.IsZero()
	list := p.find(ctx, now, to, inFlight)
	l := &poll{
		poller: p, now: now, scope: to, listed: len(list.Files), problems: len(list.Problems),
		over: map[record.File]bool{}, again: map[record.File]record.FileState{},
	}
	l.report(list)
	l.sift(list, inFlight)
	if to > arrivals || len(inFlight) > room/2 {
		if err := l.review(ctx, inFlight); err != nil {
			return nil, err
		}
	}
	l.room = room - len(inFlight) + len(l.over)
	if first {
		if err := l.settle(ctx); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(l.queue, p.order())
	l.tellBacklog()
	return l, nil
}

// report tells of problems, those that are over too where all were looked for.
func (l *poll) report(list *files.Listing) {
	if l.scope < names {
		for _, p := range list.Problems {
			l.unlisted.add(p)
		}
		return
	}
	l.unlisted.tell(list.Problems)
	l.unopened.prune()
	if l.scope == everything {
		l.known.sweep(list.Files)
	}
}

// sift queues the listed files that are neither in flight nor known nor young,
// and finds those in flight that are gone.
func (l *poll) sift(list *files.Listing, inFlight []handed) {
	flying := make(map[record.File]bool, len(inFlight))
	for _, f := range inFlight {
		flying[f.File] = false
	}
	for _, f := range list.Files {
		if _, ok := flying[f]; ok {
			flying[f] = true
			continue
		}
		switch {
		case l.known.has(f, l.now):
			if !l.known.isDone(f) {
				l.later = append(l.later, f.Path)
			}
		case l.settings.young(f.Modified, l.now):
			l.young++
			l.later = append(l.later, f.Path)
		default:
			l.queue = append(l.queue, f)
		}
	}
	if l.scope == arrivals {
		return
	}
	for f, listed := range flying {
		if !listed && !list.Covers(f.Path) {
			l.over[f] = true
		}
	}
}

// tellBacklog has the run know what is still to be loaded: what is in flight,
// as far as the ledger has it, and all that is queued. What has arrived comes on top.
func (l *poll) tellBacklog() {
	b := runctl.Backlog{}
	if l.scope > arrivals {
		b = l.flying
	}
	for _, f := range l.queue {
		if _, again := l.again[f]; !again {
			l.count(&b, record.Work{File: f})
		}
	}
	if l.scope == arrivals {
		runctl.Of(l.Run).AddBacklog(b)
	} else {
		runctl.Of(l.Run).SetBacklog(b)
	}
}

func (l *poll) count(b *runctl.Backlog, w record.Work) {
	b.Files++
	b.Bytes += w.BytesLeft()
	if b.Oldest == 0 || w.File.Modified < b.Oldest {
		b.Oldest = w.File.Modified
	}
}

// order is that in which files are handed on.
func (s settings) order() func(a, b record.File) int {
	if s.LatestFirst {
		return func(a, b record.File) int { return cmp.Or(cmp.Compare(b.Modified, a.Modified), older(a, b)) }
	}
	return older
}

func older(a, b record.File) int {
	return cmp.Or(cmp.Compare(a.Modified, b.Modified), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Size, b.Size))
}

// review asks the ledger about the files in flight.
func (l *poll) review(ctx context.Context, inFlight []handed) error {
	var asked []record.File
	var entries []handed
	for _, f := range inFlight {
		if !l.over[f.File] {
			asked, entries = append(asked, f.File), append(entries, f)
		}
	}
	states, err := lookup(ctx, l.ledger, asked)
	if err != nil {
		return err
	}
	for i, state := range states {
		f := asked[i]
		if pending(state) {
			l.count(&l.flying, record.Work{File: f, Done: state.Done})
		}
		switch {
		case !pending(state):
			l.over[f] = true
			l.known.add(f, state.Status, l.now)
		case refused(state, entries[i]) || failedToRead(state, entries[i], l.now):
			l.again[f] = state
			l.queue = append(l.queue, f)
		}
	}
	return nil
}

// pending reports whether something of a version is still to be loaded.
func pending(s record.FileState) bool {
	return s.Status == record.StatusUnknown || s.Status == record.StatusLoading
}

// refused tells that the version goes on with another split than it was handed
// on with, so that what was handed on came to nothing.
func refused(s record.FileState, f handed) bool {
	return s.Status == record.StatusLoading && s.Fingerprint != f.Fingerprint
}

// failedToRead tells that reading has failed since the version was handed on,
// and that this is long enough ago to try once more. A clock that jumped back,
// here or at the server, does not hold that up.
func failedToRead(s record.FileState, f handed, now time.Time) bool {
	age := now.Sub(time.UnixMicro(f.Emitted))
	return s.UnreadableSince != 0 && s.UnreadableSince != f.UnreadableSince && (age >= retryBackoff || age < 0)
}

// due gives what is to be handed on, in its order, asking the ledger no further
// than the one who takes it goes on. It ends after an error.
func (l *poll) due(ctx context.Context) iter.Seq2[due, error] {
	return func(yield func(due, error) bool) {
		defer l.end()
		for l.next < len(l.queue) {
			chunk := l.queue[l.next:min(l.next+lookupBatch, len(l.queue))]
			states, err := l.states(ctx, chunk)
			if err != nil {
				yield(due{}, err)
				return
			}
			found := false
			for _, f := range chunk {
				l.next++
				state, ok := states[f]
				if !ok || !l.take(f, state) {
					continue
				}
				found = true
				if !yield(l.hand(f, state), nil) {
					return
				}
			}
			if !found && l.room > 0 {
				if err := l.settle(ctx); err != nil {
					yield(due{}, err)
					return
				}
			}
		}
	}
}

// settle takes out of the rest of the queue what the ledger is done with: when a
// watcher starts, and after files of which none was due, that may be most.
func (l *poll) settle(ctx context.Context) error {
	rest := l.queue[l.next:]
	settler, quick := l.ledger.(Settler)
	if !quick || len(rest) <= lookupBatch {
		return nil
	}
	settled, err := settler.Settled(ctx, rest)
	if err != nil {
		return fmt.Errorf("asking the ledger about %d files: %w", len(rest), err)
	}
	if len(settled) != len(rest) {
		return fmt.Errorf("the ledger answered for %d of %d files", len(settled), len(rest))
	}
	left := l.queue[:l.next]
	for i, f := range rest {
		if _, again := l.again[f]; !again && settled[i] {
			l.take(f, record.FileState{Status: record.StatusLoaded})
		} else {
			left = append(left, f)
		}
	}
	l.queue = left
	return nil
}

// end leaves to the next poll what is not done with and not in flight. It may be
// asked to look at a file too many.
func (l *poll) end() {
	l.tellLeft()
	l.held = l.next < len(l.queue) || l.room <= 0
	for _, f := range l.queue {
		if !l.known.isDone(f) {
			l.later = append(l.later, f.Path)
		}
	}
	l.survey.leave(l.scope, l.later)
}

// putBack leaves the file that due gave last to a later poll.
func (l *poll) putBack() { l.next-- }

// states asks about the files that review has not asked about; there is no
// need to when none of them could be taken.
func (l *poll) states(ctx context.Context, chunk []record.File) (map[record.File]record.FileState, error) {
	states := make(map[record.File]record.FileState, len(chunk))
	var ask []record.File
	for _, f := range chunk {
		if state, ok := l.again[f]; ok {
			states[f] = state
		} else if l.room > 0 {
			ask = append(ask, f)
		}
	}
	answers, err := lookup(ctx, l.ledger, ask)
	for i, state := range answers {
		states[ask[i]] = state
	}
	return states, err
}

// take decides on one file.
func (l *poll) take(f record.File, state record.FileState) bool {
	if !pending(state) {
		runctl.Of(l.Run).Off(1, f.Size)
		l.known.add(f, state.Status, l.now)
		l.known.has(f, l.now) // as this look has found it
		if state.Status == record.StatusFailed {
			l.failed++
		}
		return false
	}
	_, again := l.again[f]
	if again {
		return l.opens(f.Path)
	}
	if !begun(state) && l.early(f.Modified) {
		l.leave(f)
		return false
	}
	if l.room <= 0 || !l.opens(f.Path) {
		return false
	}
	l.room--
	runctl.Of(l.Run).Off(0, f.Size-record.Work{File: f, Done: state.Done}.BytesLeft())
	return true
}

// begun reports whether a load of a pending version was tried.
func begun(s record.FileState) bool { return s.Status == record.StatusLoading || s.UnreadableSince > 0 }

// leave counts a file that is too early, and asks about it no more.
func (l *poll) leave(f record.File) {
	runctl.Of(l.Run).Off(1, f.Size)
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

// opens tries to open a file. One that can't be opened stays in the queue of
// later looks; one that is gone is no longer there to be reported.
func (l *poll) opens(path string) bool {
	err := files.Probe(path)
	if err == nil {
		l.unopened.drop(path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		l.unopened.add(files.Problem{Path: path, Err: err})
	}
	return err == nil
}

func (l *poll) hand(f record.File, state record.FileState) due {
	fingerprint := cmp.Or(state.Fingerprint, l.Fingerprint)
	return due{
		work: record.Work{File: f, Fingerprint: state.Fingerprint, Done: state.Done},
		entry: handed{
			File: f, Fingerprint: fingerprint, Emitted: time.Now().UnixMicro(), UnreadableSince: state.UnreadableSince,
		},
	}
}
