package watchio

import (
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// TestClockThatJumps has the wall clock jump by an hour while a file that could
// not be read is in flight, and between two looks: nothing waits for the clock
// to come round again, and no two looks are taken for one.
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

	rt := newTracker(Restriction{})
	last := rt.poll(now)
	for name, now := range map[string]time.Time{"stood still": now, "jumped back": now.Add(-time.Hour)} {
		polled := rt.poll(now)
		if polled <= last {
			t.Errorf("the clock %s: a look has the number %d, the one before had %d", name, polled, last)
		}
		last = polled
	}
}
