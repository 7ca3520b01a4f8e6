package watchio

import (
	"errors"
	"io/fs"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// This file decides whether a file may be handed on. A file that may not goes to
// poller.waiting, with the time at which to look again. There are two places: notYet is
// asked about each file that a look finds, before it is queued, and so has to be quick;
// ready is asked about the next file of the queue, right before it is handed on, and
// may look at the file itself.

// notYet reports whether a file that was found is to wait, and until when. A file that
// waits is looked at again then, or when it changes.
func (l *poll) notYet(f record.File) (until time.Time, wait bool) {
	if l.settings.young(f.Modified, l.now) {
		return time.UnixMicro(f.Modified).Add(l.MinimumAge), true
	}
	return time.Time{}, false
}

// ready opens a queued file and reports whether it can be handed on as what it was
// when it was found. A file that is gone leaves the queue. One that has changed is
// queued as what it is now, and waits for the next poll when it changes again. One
// that cannot be opened waits for the next poll too, and counts as backlog.
func (l *poll) ready(f record.File) bool {
	now, err := l.current(f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.unqueue(f.Path)
	case err != nil:
		l.unqueue(f.Path)
		l.wait(wait{file: f, counted: true})
	case now != f && l.changed[f.Path]:
		l.unqueue(f.Path)
		l.wait(wait{file: now, counted: true})
	case now != f:
		if l.changed == nil {
			l.changed = map[string]bool{}
		}
		l.changed[f.Path] = true
		l.unqueue(f.Path)
		l.found(now)
	default:
		return true
	}
	return false
}

// current opens a file and returns the version that its path has now. A file that
// cannot be opened is reported, once; one that is gone is not.
func (l *poll) current(f record.File) (record.File, error) {
	now, err := files.Current(f)
	if err == nil {
		l.unopened.drop(f.Path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		l.unopened.add(files.Problem{Path: f.Path, Err: err})
	}
	return now, err
}
