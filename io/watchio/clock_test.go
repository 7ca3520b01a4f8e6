package watchio

import (
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// TestClockThatJumps has the wall clock jump by an hour while a file that could
// not be read is in flight, and between two polls: nothing waits for the clock
// to come round again.
func TestClockThatJumps(t *testing.T) {
	now := time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)
	emitted := handed{Emitted: now.UnixMicro(), UnreadableSince: 5_000_000}
	for _, c := range []struct {
		name             string
		now              time.Time
		unreadable, with int64
		want             bool
	}{
		{"not yet", now.Add(retryBackoff - time.Second), 6_000_000, 5_000_000, false},
		{"long enough ago", now.Add(retryBackoff), 6_000_000, 5_000_000, true},
		{"no failure since", now.Add(retryBackoff), 5_000_000, 5_000_000, false},
		{"it was read since", now.Add(retryBackoff), 0, 5_000_000, false},
		{"the clock here jumped back", now.Add(-time.Hour), 6_000_000, 5_000_000, true},
		{"the clock here jumped ahead", now.Add(time.Hour), 6_000_000, 5_000_000, true},
		{"the server's clock jumped back", now.Add(retryBackoff), 4_000_000, 5_000_000, true},
	} {
		f := emitted
		f.UnreadableSince = c.with
		if got := failedToRead(record.FileState{UnreadableSince: c.unreadable}, f, c.now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}

	fn := &watchFn[memoryLedger]{Settings: settings{TriggerInterval: time.Minute}}
	for name, polled := range map[string]time.Time{"ahead": time.Now().Add(-time.Hour), "back": time.Now().Add(time.Hour)} {
		rt := newTracker(Restriction{Polled: polled.UnixMicro()})
		if got := fn.pause(rt); got < minTriggerInterval || got > time.Minute {
			t.Errorf("the clock jumped %s: the pause is %s, allowed is up to the interval", name, got)
		}
	}
}
