package watchio

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/internal/runctl"
)

// survey finds the files that a look is about. Listing is the truth, and costs time:
// 0.1 s for 100,000 names, and four times that where each file is looked at. So the
// files are looked at in turns: each whose name or inode is new, at each poll; all of
// them, which finds what was written anew in its place, now and then. Where events
// tell of all that happens, a listing is what mends the loss of one, and is rarer yet.
type survey struct {
	globs []files.Pattern
	// events are nil until followed, and where the system has none.
	events   *files.Events
	followed bool
	known    *known
	// names was the latest listing, full the latest that looked at all files.
	names, full pace
	// troubled tells that the latest listing had problems.
	troubled bool
	// blind is true while events fail, which was logged.
	blind bool
}

const (
	// few are the known files that are looked at without counting the cost.
	few = 5_000

	// What a listing takes of the time, at most: a hundredth, but it comes once a
	// minute; where events tell of all, a thousandth, but names are listed once a
	// minute and files looked at each ten.
	rarely, longest                        = 100, time.Minute
	veryRarely, longestNames, longestFiles = 1000, time.Minute, 10 * time.Minute
	// eagerly is the same for listings that events ask for, and while many files wait.
	eagerly = 10
)

// pace is when something took place that takes time.
type pace struct {
	began time.Time
	took  time.Duration
}

// rest is how long it is until the next one, so that it takes a share of the time,
// but comes each longest.
func (p pace) rest(now time.Time, share int, longest time.Duration) time.Duration {
	if p.began.IsZero() {
		return 0
	}
	return max(0, min(time.Duration(share)*p.took, longest)-now.Sub(p.began))
}

// scope is how far a look goes.
type scope int

const (
	// arrivals are the files that events say have come whole, and those that have
	// waited long enough.
	arrivals scope = iota
	// changes are all that events name, and what waits for a poll or is in flight.
	changes
	// names are all files but those that are known by name and inode.
	names
	// everything is all files.
	everything
)

// scope decides how far a poll goes, while so many files are queued.
func (s *survey) scope(now time.Time, queued int) scope {
	complete, trouble := s.events.Complete()
	if s.events != nil {
		s.tell(trouble)
	}
	complete = complete && !s.troubled
	share, most := rarely, longest
	if complete {
		share, most = veryRarely, longestFiles
	}
	switch {
	case queued > few && s.names.rest(now, eagerly, longest) > 0:
		return changes
	case s.full.rest(now, share, most) == 0 || s.events.Lost() || !complete && s.known.len() <= few:
		return everything
	case complete && s.names.rest(now, veryRarely, longestNames) > 0:
		return changes
	case s.known.len() <= few:
		return everything
	default:
		return names
	}
}

// find gives the files of a scope, and those of the paths that are there. It calls renamed
// for those that events say were renamed into place.
func (s *survey) find(ctx context.Context, now time.Time, to scope, paths []string, renamed func(path string)) *files.Listing {
	for _, named := range s.events.Named(to > arrivals) {
		if named.Renamed {
			renamed(named.Path)
		}
		if to >= names {
			s.known.doubt(named.Path)
		} else {
			paths = append(paths, named.Path)
		}
	}
	if to < names {
		return files.Glance(distinct(paths))
	}
	list := files.List(ctx, s.globs, files.Look{Events: s.events, Skip: func(path []byte, inode uint64) bool {
		return s.known.listed(path, inode) && to == names
	}})
	s.names = pace{began: now, took: time.Since(now)}
	if to == everything {
		s.full = s.names
	}
	s.troubled = len(list.Problems) > 0
	return list
}

// follow has events come, if the system has them, until the run is forgotten.
func (s *survey) follow(run string) {
	if s.followed {
		return
	}
	s.followed = true
	events, err := files.NewEvents(s.globs)
	switch {
	case err == nil:
		s.events = events
		runctl.Of(run).AtForget(events.Close)
	case !errors.Is(err, errors.ErrUnsupported):
		s.tell(err)
	}
}

// tell logs when events begin to fail and when they work again. Without them the same
// files are found, only later. The failure may name another folder at each listing.
func (s *survey) tell(trouble error) {
	switch {
	case trouble != nil && !s.blind:
		slog.Warn("File notifications fail; polling each trigger interval", "error", trouble)
	case trouble == nil && s.blind:
		slog.Info("File notifications work again")
	}
	s.blind = trouble != nil
}

// distinct keeps the first of equal paths, in place.
func distinct(paths []string) []string {
	if len(paths) < 2 {
		return paths
	}
	seen := make(map[string]bool, len(paths))
	kept := paths[:0]
	for _, p := range paths {
		if !seen[p] {
			seen[p] = true
			kept = append(kept, p)
		}
	}
	return kept
}
