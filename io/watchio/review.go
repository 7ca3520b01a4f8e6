package watchio

import (
	"context"
	"slices"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

const (
	// The ledger is asked about some of the files in flight at these times at most, when
	// room gets short between two polls. It doubles while none of them is loaded.
	leastPatience = minTriggerInterval
	mostPatience  = 250 * time.Millisecond
	// sampled is how many files it is asked about, before it is asked about all.
	sampled = 32
)

// review asks the ledger about the files in flight: at a poll about all, and between
// two polls when there is little room, if a sample of them shows that some are loaded.
func (l *poll) review(ctx context.Context) error {
	if l.scope > arrivals {
		l.again = nil
		flying, err := l.ask(ctx, l.flight.all())
		if err != nil {
			return err
		}
		l.tellBacklog(flying)
		return nil
	}
	if l.room() > l.most/2 || l.reviewRest(l.now) > 0 {
		return nil
	}
	flight := l.flight.all()
	if _, err := l.ask(ctx, sample(flight)); err != nil {
		return err
	}
	if l.flight.len() == len(flight) {
		l.patience = min(2*l.patience, mostPatience)
		return nil
	}
	_, err := l.ask(ctx, l.flight.all())
	return err
}

// reviewRest is how long it is until the next review between two polls.
func (p *poller) reviewRest(now time.Time) time.Duration {
	return max(0, p.patience-now.Sub(p.reviewed))
}

// sample returns files from the first on, at equal distances.
func sample(flight []handed) []handed {
	if len(flight) <= 2*sampled {
		return flight
	}
	some := make([]handed, sampled)
	for i := range some {
		some[i] = flight[i*len(flight)/sampled]
	}
	return some
}

// ask asks the ledger about files in flight. Those that it is done with, and those
// that are over, are in flight no more; others may be due again. It returns what is still to be
// loaded.
func (l *poll) ask(ctx context.Context, flight []handed) (flying runctl.Backlog, err error) {
	flight = slices.DeleteFunc(flight, func(f handed) bool { return l.over[f.File] })
	asked := make([]record.File, len(flight))
	for i, f := range flight {
		asked[i] = f.File
	}
	states, err := lookup(ctx, l.ledger, asked)
	if err != nil {
		return flying, err
	}
	for i, state := range states {
		f := asked[i]
		switch {
		case !pending(state) && state.Suspect: // of another version of the path
			l.over[f] = true
			l.waiting.put(wait{file: f})
			continue
		case !pending(state):
			l.over[f] = true
			l.known.add(f, state.Status, l.now)
			if state.Status != record.StatusLoaded {
				l.waiting.put(wait{file: f}) // what it is now, the next poll sees
			}
			continue
		case refused(state, flight[i]) || failedToRead(state, flight[i], l.now):
			l.repeat(unfinished{f, state})
		}
		addTo(&flying, record.Work{File: f, Done: state.Done})
	}
	if len(l.over) > 0 {
		l.again = slices.DeleteFunc(l.again, func(u unfinished) bool { return l.over[u.file] })
		l.patience = leastPatience
	}
	l.flight.release(l.over)
	l.over, l.reviewed = map[record.File]bool{}, l.now
	return flying, nil
}

// repeat notes that a file in flight is due again.
func (l *poll) repeat(u unfinished) {
	order := l.order()
	i, there := slices.BinarySearchFunc(l.again, u, func(a, b unfinished) int { return order(a.file, b.file) })
	if there {
		l.again[i] = u
	} else {
		l.again = slices.Insert(l.again, i, u)
	}
}

// pending reports whether something of a version is still to be loaded.
func pending(s record.FileState) bool {
	return s.Status == record.StatusUnknown || s.Status == record.StatusLoading
}

// begun reports whether a load of a pending version was tried.
func begun(s record.FileState) bool { return s.Status == record.StatusLoading || s.UnreadableSince > 0 }

// refused tells that the version goes on with another split than it was handed
// on with, so that what was handed on came to nothing.
func refused(s record.FileState, f handed) bool {
	return s.Status == record.StatusLoading && s.Fingerprint != f.Fingerprint
}

// failedToRead tells that reading has failed since the version was handed on,
// and that this is long enough ago to try once more, or that the file has not changed for
// so long that it is read to its end now, whatever that is. A clock that jumped back,
// here or at the server, does not hold that up.
func failedToRead(s record.FileState, f handed, now time.Time) bool {
	age := now.Sub(time.UnixMicro(f.Emitted))
	return s.UnreadableSince != 0 && s.UnreadableSince != f.UnreadableSince && (age >= retryBackoff || age < 0 || f.MayGrow && now.UnixMicro() >= f.GrownUp)
}
