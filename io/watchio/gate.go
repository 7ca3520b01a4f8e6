package watchio

import (
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// This file decides whether a file may be handed on. A file that may not goes to
// poller.waiting, with the time at which to look again. There are two places: notYet is
// asked about each file that a look finds, before it is queued, and so has to be quick;
// ready is asked about the next file of the queue, right before it is handed on, and
// may look at the file itself.

// notYet reports whether a file that was found has to wait. It is looked at again when it
// is old enough, or when it changes. A file whose modification time lies in the future may
// wait for years, so it counts as backlog.
func (l *poll) notYet(f record.File) (w wait, waits bool) {
	if !l.settings.young(f.Modified, l.now) {
		return wait{}, false
	}
	w = wait{file: f, until: f.ModTime().Add(l.MinimumAge)}
	if ahead := f.ModTime().Sub(l.now); ahead > clockDoubt {
		w.counted, w.why = true, "its modification time lies in the future: "+f.ModTime().UTC().Format(time.RFC3339)
	}
	return w, true
}

// reportFuture logs, once, that a file from the future waits.
func (l *poll) reportFuture(f record.File) {
	if l.future[f.Path] == f {
		return
	}
	if l.future == nil {
		l.future = map[string]record.File{}
	}
	l.future[f.Path] = f
	slog.Warn("The file waits, because its modification time lies in the future and streaming.minimum_age is set; "+
		"'touch' sets the time to now", "file", f.Path, "modified", f.ModTime().UTC().Format(time.RFC3339), "minimum_age", l.MinimumAge.String())
}

// ready opens a queued file and reports whether it can be handed on as what it was
// when it was found. A file that is gone leaves the queue. One that has changed is
// queued as what it is now, and waits for the next poll when it changes again. One
// that cannot be opened waits for the next poll too, and one that may still be written
// as long as holds says; both count as backlog.
func (l *poll) ready(f record.File) bool {
	c, err := l.probe(f)
	now := c.File
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.unqueue(f.Path)
	case err != nil:
		l.unqueue(f.Path)
		l.wait(wait{file: f, counted: true})
	case now != f && l.changed[f.Path]:
		l.unqueue(f.Path)
		l.wait(wait{file: now, counted: true, why: "it keeps changing"})
	case now != f:
		if l.changed == nil {
			l.changed = map[string]bool{}
		}
		l.changed[f.Path] = true
		l.unqueue(f.Path)
		l.found(now)
	default:
		until, ready := l.judge(c)
		if !ready {
			l.unqueue(f.Path)
			l.wait(wait{file: f, until: until, counted: true})
		}
		return ready
	}
	return false
}

// judge reports whether a file can be handed on, and if not, when to look again.
func (l *poll) judge(c files.Condition) (until time.Time, ready bool) {
	path := c.File.Path
	if l.mayGrow = false; l.counting {
		return until, true
	}
	v, err := l.holds.judge(observed{Condition: c, renamed: l.renamed[path], replaced: l.replaced[path], now: l.now})
	if err != nil {
		l.unopened.add(files.Problem{Path: path, Err: err})
	}
	delete(l.replaced, path)
	l.mayGrow = v.mayGrow
	return v.until, v.ready
}

// probe opens a file and returns its condition. A file that cannot be opened is
// reported, once; one that is gone is not.
func (l *poll) probe(f record.File) (files.Condition, error) {
	c, err := files.Probe(f)
	if err == nil {
		l.unopened.drop(f.Path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		l.unopened.add(files.Problem{Path: f.Path, Err: err})
	}
	return c, err
}

// isReplaced reports whether another version of the file's path was handed on before.
func (l *poll) isReplaced(f record.File) bool { return l.known.other(f) || l.flight.other(f) }

// waits reports whether a file of the path is still to be handed on, or was and is not
// loaded.
func (l *poll) waits(path string) bool {
	_, waits := l.waiting.files[path]
	return waits || l.queue.hasPath(path) || l.flight.hasPath(path)
}
