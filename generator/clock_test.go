package generator

import (
	"context"
	"testing"
	"time"
)

func TestPeriod(t *testing.T) {
	tests := []struct {
		name     string
		interval time.Duration
		rate     float64
		events   int64
		want     time.Duration
	}{
		{"no pause", 0, 0, 100, 0},
		{"interval", 5 * time.Second, 0, 100, 5 * time.Second},
		{"rate", 0, 50, 100, 2 * time.Second},
		{"rate before interval", 5 * time.Second, 50, 100, 2 * time.Second},
		{"a high rate", 0, 1e6, 100, 100 * time.Microsecond},
		{"a rate that does not divide", 0, 3, 1, 333333333},
		{"hardly any", 0, 1e-300, 1, 100 * 365 * 24 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock(Options{Interval: tt.interval, Rate: tt.rate})
			if got := c.period(tt.events); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClockCatchesUpOnSmallDelaysOnly(t *testing.T) {
	c := newClock(Options{Interval: time.Millisecond})
	planned := time.Now().Add(-maxLag / 2)
	c.due = planned
	if c.advance(1); !c.due.Equal(planned.Add(time.Millisecond)) {
		t.Errorf("due %v after the plan, want one period", c.due.Sub(planned))
	}
	c.due = time.Now().Add(-time.Hour)
	before := time.Now()
	if c.advance(1); c.due.Before(before) {
		t.Errorf("still %v behind after an hour's halt", before.Sub(c.due))
	}
}

func TestWait(t *testing.T) {
	c := newClock(Options{Interval: 20 * time.Millisecond})
	c.advance(1)
	due := c.due
	if !c.wait(t.Context()) || time.Now().Before(due) {
		t.Errorf("%v too early", time.Until(due))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c.wait(ctx) {
		t.Error("goes on although its context ended")
	}
}
