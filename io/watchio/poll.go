package watchio

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// poller looks at patterns and the ledger and finds what is due. It holds
// caches only: another one that starts in its place finds the same.
type poller struct {
	settings
	survey
	ledger Ledger
	// flight has what was handed on; most bounds it.
	flight *inFlight
	most   int
	// polled is when the latest poll began, by the monotonic clock, and took how long it
	// took before anything was handed on.
	polled time.Time
	took   time.Duration

	// queue holds new files, sorted; waiting those that are not to be queued yet.
	queue   *queue
	waiting waiting
	// answers are what the ledger has said of the next files of the queue since the
	// latest poll.
	answers map[record.File]record.FileState
	// again are files in flight that are to be handed on once more, sorted, with what
	// the ledger says of them.
	again []unfinished
	// reviewed is when the ledger was asked about files in flight; patience is how long
	// to wait before it is asked between two polls.
	reviewed time.Time
	patience time.Duration

	// era is the ledger's history that all of this was learned from, and checked is when
	// that was asked for last.
	era     int64
	checked time.Time
	// holds has the files that may still be written. renamed are the paths that were
	// renamed into place since the latest poll, replaced those of queued files of which
	// another version was handed on before.
	holds             holds
	renamed, replaced map[string]bool
	// counting has all files be handed on that wait, because nobody reads them, and
	// leaves the ledger as it is.
	counting bool
	// future are the files from the future that were reported, by path.
	future map[string]record.File

	// compareFor is how long a look compares suspect files, of which it compares one at
	// least; compared is how far that has come.
	compareFor time.Duration
	compared   compared

	// unlisted and unopened are the problems that were reported.
	unlisted, unopened reports
}

// unfinished is a file that is in flight, and what the ledger says of it.
type unfinished struct {
	file  record.File
	state record.FileState
}

// newPoller returns a poller without a bound of files in flight.
func newPoller(s settings, ledger Ledger) (*poller, error) {
	globs, err := s.patterns()
	if err != nil {
		return nil, err
	}
	return &poller{
		settings: s, survey: survey{globs: globs, known: newKnown(maxKnown)}, ledger: ledger,
		flight: &inFlight{}, most: math.MaxInt, queue: newQueue(s), patience: leastPatience, compareFor: defaultCompareFor,
		holds: holds{waits: s.Waits}, renamed: map[string]bool{}, replaced: map[string]bool{},
	}, nil
}

// relist has the next look be a poll that finds all files anew and trusts nothing about
// them but that the ledger is done with some: for a watcher that goes on from another
// state. It is to be called between two looks.
func (p *poller) relist() {
	p.polled, p.names, p.full = time.Time{}, pace{}, pace{}
	p.queue, p.waiting = newQueue(p.settings), waiting{}
	p.answers, p.again = nil, nil
}

// forget drops all that was learned from the ledger, and finds all files anew: for a
// database whose history has changed. What is in flight has a forget of its own, and
// both are to be called between two looks.
func (p *poller) forget() {
	p.relist()
	p.known = newKnown(p.known.limit)
}

// room is how many new files may be in flight in addition.
func (p *poller) room() int { return p.most - p.flight.len() }

// more reports whether the next look is to follow at once: files wait, and there is
// room for them.
func (p *poller) more() bool {
	return len(p.again) > 0 || p.queue.len() > 0 && p.room() > 0
}

// poll is one look.
type poll struct {
	*poller
	now   time.Time
	scope scope
	// told is set when the run knows the backlog that the look has found: from then on
	// it is told each change.
	told bool
	// listed and problems count what the patterns gave; young are files that are
	// not old enough yet.
	listed, problems, young int
	// failed counts the files that failed as a whole before.
	failed int
	// mayGrow is that of the Work of the file that was judged last.
	mayGrow bool
	// over are the files that are in flight no more.
	over map[record.File]bool
	// changed are the paths that had become other versions when they were to be handed on.
	changed map[string]bool
	// comparing is when the look began to compare files; zero if it did not.
	comparing time.Time
	// taken are the files that have waited long enough for this look.
	taken []wait
	// asked counts the files of the queue that the ledger was asked about last, and due
	// those that were handed on since.
	due, asked int
	// left counts the files that are too early and were not known as that;
	// firstLeft is one of them.
	left      int
	firstLeft string
}

// look is a poll: it finds the files that may be due, asks about what is in flight,
// and queues the rest.
func (p *poller) look(ctx context.Context, now time.Time) (*poll, error) {
	p.polled, p.answers = now, nil
	clear(p.renamed)
	l, err := p.lookAt(ctx, now, p.survey.scope(now, p.queue.len()))
	p.took = time.Since(now)
	return l, err
}

// glance is a look between two polls: at files that have arrived, or have waited long
// enough, and at what the queue holds.
func (p *poller) glance(ctx context.Context, now time.Time) (*poll, error) {
	return p.lookAt(ctx, now, arrivals)
}

func (p *poller) lookAt(ctx context.Context, now time.Time, to scope) (*poll, error) {
	first := p.full.began.IsZero()
	l := &poll{poller: p, now: now, scope: to, told: to == arrivals}
	list := p.find(ctx, now, to, l.paths(), func(path string) { p.renamed[path] = true })
	l.listed, l.problems = len(list.Files), len(list.Problems)
	l.report(list)
	l.sift(list)
	if to > arrivals {
		l.holds.sweep(l.waits, now)
		maps.DeleteFunc(l.replaced, func(path string, _ bool) bool { return !l.waits(path) })
		maps.DeleteFunc(l.future, func(path string, _ record.File) bool { return !l.waits(path) })
	}
	if err := l.review(ctx); err != nil {
		return nil, err
	}
	if first {
		if err := l.settle(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// paths are those to look at besides what events name: files that have waited long
// enough and, at a poll, those in flight.
func (l *poll) paths() (paths []string) {
	l.taken = l.waiting.take(l.now, l.scope > arrivals)
	for _, w := range l.taken {
		if w.counted {
			l.uncount(w.file.Size)
		}
		paths = append(paths, w.file.Path)
	}
	if l.scope == changes {
		for _, f := range l.flight.all() {
			paths = append(paths, f.File.Path)
		}
	}
	return paths
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

// sift queues the files that were found, and at a poll finds those in flight that are
// gone. A listing begins the queue anew, but for what it could not look at.
func (l *poll) sift(list *files.Listing) {
	if l.scope >= names {
		l.beginAnew(list)
	}
	flying := map[record.File]bool{}
	for _, f := range list.Files {
		if l.flight.has(f) {
			flying[f] = true
		} else {
			l.found(f)
		}
	}
	for _, w := range l.taken {
		if list.Covers(w.file.Path) {
			l.wait(w)
		}
	}
	l.over = map[record.File]bool{}
	if l.scope == arrivals {
		return
	}
	for _, f := range l.flight.all() {
		if !flying[f.File] && !list.Covers(f.File.Path) {
			l.over[f.File] = true
		}
	}
}

func (l *poll) beginAnew(list *files.Listing) {
	queued, waited := l.queue.all(), l.waiting.files
	l.queue, l.waiting = newQueue(l.settings), waiting{}
	if len(list.Problems) == 0 {
		return
	}
	for _, f := range queued {
		if list.Covers(f.Path) {
			l.queue.put(f)
		}
	}
	for path, w := range waited {
		if list.Covers(path) {
			l.waiting.put(w)
		}
	}
}

// found queues a file that is neither in flight nor known, or has it wait. Another
// version of its path is neither queued nor waits any more.
func (l *poll) found(f record.File) {
	young, waits := l.notYet(f)
	switch {
	case l.known.has(f, l.now):
		l.unqueue(f.Path)
		if at, failed := l.known.failed[f]; failed {
			l.wait(wait{file: f, until: at.Add(failedTrust)})
		}
	case waits:
		l.young++
		l.unqueue(f.Path)
		l.wait(young)
		if young.counted {
			l.reportFuture(f)
		}
	case !l.queue.has(f):
		l.unqueue(f.Path)
		l.queue.put(f)
		l.count(f)
		if l.isReplaced(f) {
			l.replaced[f.Path] = true
		}
	}
}

// unqueue takes the path's version off the queue and off those that wait.
func (l *poll) unqueue(path string) {
	if size, ok := l.queue.drop(path); ok {
		l.uncount(size)
	}
	if w, ok := l.waiting.files[path]; ok {
		delete(l.waiting.files, path)
		if w.counted {
			l.uncount(w.file.Size)
		}
	}
}

// wait has a file wait that is not queued.
func (l *poll) wait(w wait) {
	l.waiting.put(w)
	if w.counted {
		l.count(w.file)
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

// settle takes out of the queue what the ledger is done with: when a watcher starts,
// and after files of which none was due, that may be most.
func (l *poll) settle(ctx context.Context) error {
	settler, quick := l.ledger.(Settler)
	if !quick || l.queue.len() <= lookupBatch {
		return nil
	}
	queued := l.queue.all()
	settled, err := settler.Settled(ctx, queued)
	if err != nil {
		return fmt.Errorf("asking the ledger about %d files: %w", len(queued), err)
	}
	if len(settled) != len(queued) {
		return fmt.Errorf("the ledger answered for %d of %d files", len(settled), len(queued))
	}
	for i, f := range queued {
		if settled[i] {
			l.done(f, record.StatusLoaded)
		}
	}
	return nil
}
