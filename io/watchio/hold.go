package watchio

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// waits are the times that a file waits which may still be written. Each runs from the
// file's last change.
type waits struct {
	// Quiet is for a file of which the system cannot tell whether it is closed, and that
	// was not renamed into place. A file that was loaded and has grown waits for it too,
	// and twice as long each time, up to MostQuiet.
	Quiet, MostQuiet time.Duration
	// LineEnd is for a text whose last line has no line end.
	LineEnd time.Duration
	// Unfinished is for a file that ends in the middle of something; see
	// WithUnfinishedWait. The reader finds that out.
	Unfinished time.Duration
	// Growing is how long after its last load a file is loaded again that does not stop
	// changing. It doubles too, up to MostGrowing.
	Growing, MostGrowing time.Duration
	// Report is when a file is reported that stays open for writing.
	Report time.Duration
}

func defaultWaits() waits {
	return waits{
		Quiet: 2 * time.Second, MostQuiet: time.Minute, LineEnd: 5 * time.Second, Unfinished: defaultUnfinishedWait,
		Growing: time.Minute, MostGrowing: 16 * time.Minute, Report: time.Minute,
	}
}

// openRecheck is when a file that is open for writing is looked at again where no event
// says that it was closed.
const openRecheck = 5 * time.Second

// clockDoubt is how far clocks of two machines may differ. A modification time of
// another machine counts only when it is longer ago.
const clockDoubt = time.Minute

// holds has the files that may still be written, by path, and those that were loaded and
// have grown.
type holds struct {
	waits
	// watching is false for List: a person has named the files.
	watching bool
	paths    map[string]*hold
}

// hold is what is known of such a file.
type hold struct {
	// file is the version that was seen last, since is when it was seen first.
	file  record.File
	since time.Time
	inode uint64
	// why says what the file waits for.
	why string
	// open is since when a process has it open for writing, zero if none has. reported
	// tells that it was logged.
	open     time.Time
	reported bool
	// grows tells that another version of the file was handed on before, at loaded. rounds
	// is how often; warned tells that it was logged.
	grows, warned bool
	loaded        time.Time
	rounds        int
}

// verdict says whether a file is to be handed on.
type verdict struct {
	ready bool
	// until is when to look again, zero at the next poll or event.
	until time.Time
	// mayGrow is that of record.Work.
	mayGrow bool
}

// observed is what a look knows of a file besides its condition.
type observed struct {
	files.Condition
	// renamed tells that it got its name by a rename a moment ago.
	renamed bool
	// replaced tells that another version of its path was handed on before.
	replaced bool
	now      time.Time
}

// judge decides on a file that is the version that was found.
func (h *holds) judge(o observed) (verdict, error) {
	e := h.see(o)
	unchanged := e.unchanged(o)
	until := func(wait time.Duration) verdict { return verdict{until: o.now.Add(wait - unchanged)} }
	switch {
	case o.Writing == files.WritingOpen:
		return h.hold(e, e.stayOpen(o, h.Report), "a process has it open for writing"), nil
	case o.Writing == files.WritingUnknown && !o.renamed && unchanged < h.Quiet:
		return h.hold(e, until(h.Quiet), "it has changed a moment ago, and the system cannot tell whether it is closed"), nil
	}
	e.closed()
	if e.grows && !o.renamed && unchanged < h.quiet(e) && o.now.Sub(e.loaded) < h.growing(e) {
		v := until(h.quiet(e))
		if latest := e.loaded.Add(h.growing(e)); latest.Before(v.until) {
			v.until = latest
		}
		return h.hold(e, v, "it keeps growing"), nil
	}
	if unchanged < h.LineEnd && (h.watching || o.Writing == files.WritingUnknown) {
		if midLine, err := files.EndsMidLine(o.File.Path); midLine || err != nil {
			return h.hold(e, until(h.LineEnd), "its last line has no line end"), err
		}
	}
	h.letGo(e, o.now)
	return verdict{ready: true, mayGrow: !o.Stored && unchanged < h.Unfinished}, nil
}

// see returns what is known of the file, after it was seen in its present condition. A
// file that nothing is known of gets an entry when it is held.
func (h *holds) see(o observed) *hold {
	e := h.paths[o.File.Path]
	if e == nil {
		e = &hold{}
	}
	if e.grows && o.Inode != e.inode && e.inode != 0 { // another file has taken its name
		e.grows = false
	}
	if e.file != o.File {
		e.change(o, h)
	}
	e.inode = o.Inode
	return e
}

// change notes another version of the file.
func (e *hold) change(o observed, h *holds) {
	switch {
	case o.replaced && !e.grows && !o.renamed && !o.Stored:
		e.grows, e.warned, e.rounds, e.loaded = true, false, 0, o.now
	case e.grows && e.why != "" && e.open.IsZero() && !e.warned:
		e.warned = true
		slog.Warn("The file keeps growing, and each load reads it from its beginning: set streaming.minimum_age to more than "+
			"the longest pause between two writes, or have its writer rename complete files into place",
			"file", o.File.Path, "loaded_when_unchanged_for", h.quiet(e), "or_after", h.growing(e))
	}
	e.file, e.since = o.File, o.now
}

// unchanged is how long ago the file has changed, as far as that is certain.
func (e *hold) unchanged(o observed) time.Duration {
	seen, age := o.now.Sub(e.since), o.now.Sub(o.File.ModTime())
	if age > clockDoubt || o.OwnClock {
		return max(seen, age)
	}
	return seen
}

func (h *holds) quiet(e *hold) time.Duration { return doubled(h.Quiet, e.rounds, h.MostQuiet) }

func (h *holds) growing(e *hold) time.Duration { return doubled(h.Growing, e.rounds, h.MostGrowing) }

func doubled(d time.Duration, times int, most time.Duration) time.Duration {
	for ; times > 0 && d < most; times-- {
		d *= 2
	}
	return min(d, most)
}

func (h *holds) hold(e *hold, v verdict, why string) verdict {
	e.why = why
	if h.paths == nil {
		h.paths = map[string]*hold{}
	}
	h.paths[e.file.Path] = e
	return v
}

// letGo notes that the file is handed on. One that grows is remembered.
func (h *holds) letGo(e *hold, now time.Time) {
	e.why = ""
	if e.grows {
		e.loaded = now
		e.rounds++
		h.hold(e, verdict{}, "")
		return
	}
	delete(h.paths, e.file.Path)
}

// stayOpen notes that a process has the file open, and reports it when that has been so
// for a long time.
func (e *hold) stayOpen(o observed, report time.Duration) verdict {
	if e.open.IsZero() {
		e.open = o.now
	}
	if !e.reported && o.now.Sub(e.open) >= report {
		e.reported = true
		slog.Warn("The file stays open for writing; it is loaded when it is closed", e.details()...)
	}
	return verdict{until: o.now.Add(openRecheck)}
}

// details are what a log line says about an open file.
func (e *hold) details() []any {
	details := []any{"file", e.file.Path, "bytes", e.file.Size, "open_since", e.open.UTC().Truncate(time.Second)}
	if by := writersOf(e.file.Path); by != "" {
		details = append(details, "held_by", by)
	}
	return details
}

// writersOf names the processes that have a file open for writing, "" where the system
// does not tell.
func writersOf(path string) string {
	var names []string
	for _, w := range files.Writers(path) {
		names = append(names, fmt.Sprintf("%s (pid %d)", w.Command, w.PID))
	}
	return strings.Join(names, ", ")
}

// closed notes that no process has the file open any more.
func (e *hold) closed() {
	if e.reported {
		slog.Info("The file is not open for writing any more", "file", e.file.Path)
	}
	e.open, e.reported = time.Time{}, false
}

// sweep forgets files that wait no longer, because they are gone or loaded, and those
// that have stopped growing.
func (h *holds) sweep(waits func(path string) bool, now time.Time) {
	for path, e := range h.paths {
		if waits(path) {
			continue
		}
		e.closed()
		if !e.grows || now.Sub(e.loaded) >= h.MostGrowing {
			delete(h.paths, path)
		}
	}
}

// reason says why a file waits, "" if it does not.
func (h *holds) reason(path string) (why string, open bool) {
	if e := h.paths[path]; e != nil {
		return e.why, !e.open.IsZero()
	}
	return "", false
}
