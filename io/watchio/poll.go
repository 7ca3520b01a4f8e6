package watchio

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// poller looks at a pattern and the ledger and finds what is due. It holds
// caches only: another one that starts in its place finds the same.
type poller struct {
	glob        glob
	fingerprint string
	ledger      Ledger
	known       *known
	// unlisted and unopened are the problems that were reported.
	unlisted, unopened reports
}

func newPoller(s settings, ledger Ledger) (*poller, error) {
	g, err := parse(s.Pattern)
	if err != nil {
		return nil, err
	}
	return &poller{glob: g, fingerprint: s.Fingerprint, ledger: ledger, known: newKnown(maxKnown)}, nil
}

// poll is one look.
type poll struct {
	*poller
	now time.Time
	// listed and problems count what the pattern gave.
	listed, problems int
	// over are the files that are in flight no more.
	over map[record.File]bool
	// again are files in flight that are to be handed on once more, with what
	// the ledger says of them.
	again map[record.File]record.FileState
	// queue holds again and the files that may be new, oldest first.
	queue []record.File
	// room is how many new files may be in flight in addition.
	room int
}

// due is a file that is to be handed on. The entry is to be claimed first.
type due struct {
	work  record.Work
	entry InFlight
}

// look lists the pattern, asks about what is in flight, and queues the rest.
func (p *poller) look(ctx context.Context, now time.Time, inFlight []InFlight, room int) (*poll, error) {
	list := p.glob.list()
	p.unlisted.tell(list.problems)
	p.unopened.prune()
	p.known.sweep(list.files)

	flying := make(map[record.File]bool, len(inFlight))
	for _, f := range inFlight {
		flying[f.File] = false
	}
	l := &poll{
		poller: p, now: now, listed: len(list.files), problems: len(list.problems),
		over: map[record.File]bool{}, again: map[record.File]record.FileState{},
	}
	for _, f := range list.files {
		if _, ok := flying[f]; ok {
			flying[f] = true
		} else if !p.known.has(f, now) {
			l.queue = append(l.queue, f)
		}
	}
	for f, listed := range flying {
		if !listed && !list.covers(f.Path) {
			l.over[f] = true
		}
	}
	if err := l.review(ctx, inFlight); err != nil {
		return nil, err
	}
	l.room = room - len(inFlight) + len(l.over)
	slices.SortFunc(l.queue, older)
	return l, nil
}

// older is the order in which files are handed on.
func older(a, b record.File) int {
	return cmp.Or(cmp.Compare(a.Modified, b.Modified), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Size, b.Size))
}

// review asks the ledger about the files in flight.
func (l *poll) review(ctx context.Context, inFlight []InFlight) error {
	var files []record.File
	var entries []InFlight
	for _, f := range inFlight {
		if !l.over[f.File] {
			files, entries = append(files, f.File), append(entries, f)
		}
	}
	states, err := lookup(ctx, l.ledger, files)
	if err != nil {
		return err
	}
	for i, state := range states {
		f := files[i]
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
func refused(s record.FileState, f InFlight) bool {
	return s.Status == record.StatusLoading && s.Fingerprint != f.Fingerprint
}

// failedToRead tells that reading has failed since the version was handed on,
// and that this is long enough ago to try once more.
func failedToRead(s record.FileState, f InFlight, now time.Time) bool {
	return s.UnreadableSince > f.UnreadableSince && now.Sub(time.UnixMicro(f.Emitted)) >= retryBackoff
}

// due gives what is to be handed on, oldest first, asking the ledger no further
// than the one who takes it goes on. It ends after an error.
func (l *poll) due(ctx context.Context) iter.Seq2[due, error] {
	return func(yield func(due, error) bool) {
		for files := range slices.Chunk(l.queue, lookupBatch) {
			states, err := l.states(ctx, files)
			if err != nil {
				yield(due{}, err)
				return
			}
			for _, f := range files {
				state, ok := states[f]
				if !ok || !l.take(f, state) {
					continue
				}
				if !yield(l.hand(f, state), nil) {
					return
				}
			}
		}
	}
}

// states asks about the files that review has not asked about; there is no
// need to when none of them could be taken.
func (l *poll) states(ctx context.Context, files []record.File) (map[record.File]record.FileState, error) {
	states := make(map[record.File]record.FileState, len(files))
	var ask []record.File
	for _, f := range files {
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
		l.known.add(f, state.Status, l.now)
		return false
	}
	_, again := l.again[f]
	if !again && l.room <= 0 || !l.opens(f.Path) {
		return false
	}
	if !again {
		l.room--
	}
	return true
}

// opens tries to open a file. One that can't be opened stays in the queue of
// later looks; one that is gone is no longer there to be reported.
func (l *poll) opens(path string) bool {
	// O_NONBLOCK: a pipe that has taken the file's place must not hold us.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.unopened.add(problem{path: path, err: err})
		}
		return false
	}
	_ = f.Close()
	l.unopened.drop(path)
	return true
}

func (l *poll) hand(f record.File, state record.FileState) due {
	fingerprint := cmp.Or(state.Fingerprint, l.fingerprint)
	return due{
		work: record.Work{File: f, Fingerprint: state.Fingerprint, Done: state.Done},
		entry: InFlight{
			File: f, Fingerprint: fingerprint, Emitted: time.Now().UnixMicro(), UnreadableSince: state.UnreadableSince,
		},
	}
}
