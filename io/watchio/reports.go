package watchio

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
)

// reports tells of each problem once, until it changes or is over.
type reports struct {
	// seen holds the problems of the last look, by path.
	seen map[string]problem
}

// tell takes all the problems of a look.
func (r *reports) tell(problems []problem) {
	now := make(map[string]problem, len(problems))
	for _, p := range problems {
		if last, ok := r.seen[p.path]; !ok || last.err.Error() != p.err.Error() {
			p.log()
		}
		now[p.path] = p
	}
	for path, p := range r.seen {
		if _, ok := now[path]; !ok {
			p.logOver()
		}
	}
	r.seen = now
}

// add takes one problem, which stays until drop.
func (r *reports) add(p problem) {
	if last, ok := r.seen[p.path]; !ok || last.err.Error() != p.err.Error() {
		p.log()
	}
	if r.seen == nil {
		r.seen = map[string]problem{}
	}
	r.seen[p.path] = p
}

func (r *reports) drop(path string) {
	if p, ok := r.seen[path]; ok {
		p.logOver()
		delete(r.seen, path)
	}
}

// prune forgets the paths that are gone, so that what was reported does not
// grow for ever.
func (r *reports) prune() {
	for path := range r.seen {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			delete(r.seen, path)
		}
	}
}

func (p problem) log() {
	if p.missing {
		slog.Warn("The folder does not exist yet", "folder", p.path)
		return
	}
	slog.Warn("Can't be read for now", "path", p.path, "error", p.err)
}

func (p problem) logOver() {
	if p.missing {
		slog.Info("The folder is there now", "folder", p.path)
		return
	}
	slog.Info("Can be read again, or is gone", "path", p.path)
}
