package generator

import (
	"context"
	"math"
	"time"
)

// earliestStart keeps all times of events after 1970.
var earliestStart = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

// maxLag is how far behind its plan a run may be and still catch up. After a
// longer halt, as of a laptop that slept, it goes on as if nothing had been.
const maxLag = time.Second

// clock says when a file is due, and what time it is for its events.
type clock struct {
	interval time.Duration
	rate     float64
	// simulated is the time of the next file of a run whose start was given;
	// zero for the real clock.
	simulated time.Time
	// due is when the next file may be begun.
	due time.Time
}

func newClock(o Options) *clock {
	c := &clock{interval: o.Interval, rate: o.Rate, due: time.Now()}
	if !o.Start.IsZero() {
		c.simulated = o.Start.UTC().Truncate(time.Microsecond)
	}
	return c
}

// now returns the time of the file that is begun now.
func (c *clock) now() time.Time {
	if !c.simulated.IsZero() {
		return c.simulated
	}
	return time.Now().UTC()
}

// advance plans the next file after one of so many events.
func (c *clock) advance(events int64) {
	period := c.period(events)
	if !c.simulated.IsZero() {
		c.simulated = c.simulated.Add(period)
	}
	c.due = c.due.Add(period)
	if now := time.Now(); now.Sub(c.due) > maxLag {
		c.due = now
	}
}

// period is the time from the start of a file of so many events to the start of
// the next. Counted from plan to plan, the small delays of timers don't add up.
func (c *clock) period(events int64) time.Duration {
	if c.rate == 0 {
		return c.interval
	}
	const longest = 100 * 365 * 24 * time.Hour // far from the end of time.Duration
	p := math.Round(float64(events) / c.rate * float64(time.Second))
	return time.Duration(min(p, float64(longest)))
}

// wait waits until the next file is due and reports true, or false as soon as
// ctx ends.
func (c *clock) wait(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	left := time.Until(c.due)
	if left <= 0 {
		return true
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
