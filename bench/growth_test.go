package main

import (
	"testing"
	"time"
)

func TestRateBetween(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	// 100 rows a second at first, then 50; the third commit came with the second.
	commits := []commit{{at(10), 0}, {at(12), 200}, {at(14), 150}, {at(14), 50}, {at(18), 200}}
	for _, c := range []struct {
		name     string
		from, to int
		want     float64
	}{
		{"from the beginning to a commit", 0, 200, 100},
		{"within a commit", 50, 150, 100},
		{"across commits", 0, 400, 100},
		{"the last ones", 400, 600, 50},
		{"within the last", 500, 550, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rateBetween(commits, c.from, c.to); got != c.want {
				t.Errorf("got %v rows/s, want %v", got, c.want)
			}
		})
	}
}
