package watchio

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Historian is what a Ledger may be besides: one whose earlier answers may turn out to
// be wrong, because its database was restored or failed over to a server that lagged, or
// because somebody has deleted entries.
type Historian interface {
	// History returns a number that changes when that has happened. It waits as Lookup
	// does.
	History(ctx context.Context) (int64, error)
	// RestoreWatch makes sure that later runs do not skip files that were modified since
	// a time (WithSince).
	RestoreWatch(ctx context.Context, patterns []string, since time.Time) error
}

// historyPause is the longest time between two checks of the history. A poll begins
// with one.
const historyPause = 10 * time.Second

// checkHistory drops all that was learned from a history of the ledger that holds no
// more. The look that follows is a poll then, which finds all files anew.
func (fn *watchFn[L]) checkHistory(ctx context.Context, now time.Time) error {
	historian, ok := any(fn.Ledger).(Historian)
	if !ok {
		return nil
	}
	p := fn.poller
	p.checked = now
	era, err := historian.History(ctx)
	if err != nil {
		return fmt.Errorf("checking the ledger's history: %w", err)
	}
	if p.era != 0 && p.era != era {
		fn.forget()
	}
	p.era = era
	if fn.Settings.Since == 0 {
		return nil
	}
	if err := historian.RestoreWatch(ctx, fn.Settings.Patterns, time.UnixMicro(fn.Settings.Since)); err != nil {
		return fmt.Errorf("restoring the time of the first run: %w", err)
	}
	return nil
}

// historyRest is how long it is until the next check of the history.
func (fn *watchFn[L]) historyRest(now time.Time) time.Duration {
	if _, ok := any(fn.Ledger).(Historian); !ok {
		return math.MaxInt64
	}
	return max(0, historyPause-now.Sub(fn.poller.checked))
}
