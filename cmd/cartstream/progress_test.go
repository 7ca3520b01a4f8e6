package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/pipeline"
)

func progressOf(files, records, dead, backlogFiles, backlogBytes, loaded int64) pipeline.Progress {
	return pipeline.Progress{
		Totals:  pipeline.Totals{Files: files, Records: records, DeadLetters: dead},
		Backlog: pipeline.Backlog{Files: backlogFiles, Bytes: backlogBytes}, BytesLoaded: loaded,
	}
}

func TestProgressLine(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	steady := &rates{}
	for i := range int64(80) { // 20 s at 10,000 rows and 1 MB a second
		steady.add(start.Add(time.Duration(i)*time.Second/4), progressOf(0, i*2500, 0, 0, 0, i*250_000))
	}
	old := progressOf(1, 1, 1, 1, 999, 0)
	old.Backlog.OldestSeconds = 3725
	for _, c := range []struct {
		name         string
		p            pipeline.Progress
		r            *rates
		availableNow bool
		width        int
		want         string
	}{
		{"at the start", progressOf(0, 0, 0, 0, 0, 0), &rates{}, false, 200, "0 files  0 rows  0 rows/s  backlog 0 files, 0 B  0 dead letters"},
		{"continuous", progressOf(1234, 1_234_567, 12, 3, 4_560_000, 0), steady, false, 200, "1,234 files  1,234,567 rows  10,000 rows/s  backlog 3 files, 4.6 MB  12 dead letters"},
		{"behind", old, steady, false, 200, "1 file  1 row  10,000 rows/s  backlog 1 file, 999 B  1 dead letter  the oldest 1:02:05 old"},
		{"a bar", progressOf(2, 100, 0, 6, 75_000_000, 25_000_000), steady, true, 200, "[=====               ]  25%  1:15 left  2 of 8 files  100 rows  10,000 rows/s  backlog 6 files, 75.0 MB  0 dead letters"},
		{"a bar that is full", progressOf(8, 100, 0, 0, 0, 100), steady, true, 60, "[====================] 100%  0:00 left  8 of 8 files"},
		{"a bar without a rate", progressOf(0, 0, 0, 6, 75, 0), &rates{}, true, 41, "[                    ]   0%  0 of 6 files"},
		{"narrow", progressOf(1234, 1_234_567, 12, 3, 4_560_000, 0), steady, false, 30, "1,234 files  1,234,567 rows"},
		{"very narrow", progressOf(1234, 1_234_567, 12, 3, 4_560_000, 0), steady, false, 5, "1,234"},
		{"no room", progressOf(1234, 0, 0, 0, 0, 0), steady, false, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := progressLine(c.p, c.r, c.availableNow, c.width); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestNumbersForPeople(t *testing.T) {
	for got, want := range map[string]string{
		thousands(0): "0", thousands(999): "999", thousands(1000): "1,000", thousands(-1234567): "-1,234,567",
		size(0): "0 B", size(999): "999 B", size(1000): "1.0 kB", size(999_949): "999.9 kB", size(999_950): "1.0 MB", size(1 << 62): "4.6 EB",
		clock(0): "0:00", clock(59600 * time.Millisecond): "1:00", clock(3599 * time.Second): "59:59", clock(100 * time.Hour): "100:00:00",
		took(0): "0.00s", took(59.5): "59.50s", took(200): "3m20s", took(9000): "2h", took(89_013_974): "1030 days",
		perSecond(0): "0", perSecond(0.033): "0.033", perSecond(12345.6): "12,345",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A rate that has changed is the new one five seconds later.
func TestRatesForgetWhatWasLongAgo(t *testing.T) {
	r, at := &rates{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var records int64
	for _, perSecond := range []int64{1000, 0, 50} {
		for range 24 {
			at, records = at.Add(time.Second/4), records+perSecond/4
			r.add(at, progressOf(0, records, 0, 0, 0, 0))
		}
		if got, _ := r.perSecond(); int64(got) != perSecond/4*4 {
			t.Errorf("got %v, want %d", got, perSecond)
		}
		if len(r.samples) > 30 {
			t.Errorf("%d samples are kept", len(r.samples))
		}
	}
}

// Lines of the log stay whole above the line of progress, which stays.
func TestLogLinesGoAboveTheLiveLine(t *testing.T) {
	var out bytes.Buffer
	l := &liveLine{w: &out}
	fmt.Fprintln(l, "first")
	l.show("working")
	l.show("working")
	fmt.Fprintln(l, "second")
	l.show("")
	fmt.Fprintln(l, "third")
	want := "first\n" + eraseLine + "working" + eraseLine + "second\nworking" + eraseLine + "third\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if strings.Count(out.String(), "working") != 2 {
		t.Error("a line that has not changed is written again")
	}
}
