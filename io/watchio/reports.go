package watchio

import (
	"log/slog"

	"github.com/cartstream/cartstream/internal/files"
)

// reports tells of each problem once, until it changes or is over.
type reports struct {
	// seen holds the problems of the last look, by path.
	seen map[string]files.Problem
}

// tell takes all the problems of a look.
func (r *reports) tell(problems []files.Problem) {
	now := make(map[string]files.Problem, len(problems))
	for _, p := range problems {
		if last, ok := r.seen[p.Path]; !ok || last.Err.Error() != p.Err.Error() {
			log(p)
		}
		now[p.Path] = p
	}
	for path, p := range r.seen {
		if _, ok := now[path]; !ok {
			logOver(p)
		}
	}
	r.seen = now
}

// add takes one problem, which stays until drop.
func (r *reports) add(p files.Problem) {
	if last, ok := r.seen[p.Path]; !ok || last.Err.Error() != p.Err.Error() {
		log(p)
	}
	if r.seen == nil {
		r.seen = map[string]files.Problem{}
	}
	r.seen[p.Path] = p
}

func (r *reports) drop(path string) {
	if p, ok := r.seen[path]; ok {
		logOver(p)
		delete(r.seen, path)
	}
}

// prune forgets the paths that are gone, so that what was reported does not
// grow for ever.
func (r *reports) prune() {
	for path := range r.seen {
		if files.Gone(path) {
			delete(r.seen, path)
		}
	}
}

func log(p files.Problem) {
	if p.Missing {
		slog.Warn("The folder does not exist yet", "folder", p.Path)
		return
	}
	slog.Warn("Can't be read for now", "path", p.Path, "error", p.Err)
}

func logOver(p files.Problem) {
	if p.Missing {
		slog.Info("The folder is there now", "folder", p.Path)
		return
	}
	slog.Info("Can be read again, or is gone", "path", p.Path)
}
