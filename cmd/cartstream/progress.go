package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cartstream/cartstream/pipeline"
)

// ratesOver is the time over which rates are taken.
const ratesOver = 5 * time.Second

// rates are those of the last seconds, from samples of a run's progress.
type rates struct{ samples []sample }

type sample struct {
	at             time.Time
	records, bytes int64
}

// add takes a sample in, and leaves out those that are too old; but one of
// them is kept, so that the rates are over all of the time.
func (r *rates) add(now time.Time, p pipeline.Progress) {
	r.samples = append(r.samples, sample{now, p.Records, p.BytesLoaded})
	for len(r.samples) > 2 && now.Sub(r.samples[1].at) >= ratesOver {
		r.samples = r.samples[1:]
	}
}

// perSecond returns records and bytes a second.
func (r *rates) perSecond() (records, bytes float64) {
	if len(r.samples) < 2 {
		return 0, 0
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0, 0
	}
	return float64(last.records-first.records) / seconds, float64(last.bytes-first.bytes) / seconds
}

// left is how long the backlog takes at this rate, where there is one.
func (r *rates) left(p pipeline.Progress) (left time.Duration, known bool) {
	_, bytes := r.perSecond()
	if bytes <= 0 {
		return 0, false
	}
	return time.Duration(float64(p.Backlog.Bytes) / bytes * float64(time.Second)), true
}

// progressLine says how far a run is, in at most width columns. What matters
// least is left out first.
func progressLine(p pipeline.Progress, r *rates, availableNow bool, width int) string {
	perSecond, _ := r.perSecond()
	parts := []string{
		count(p.Files+p.FailedFiles, "file"), count(p.Records, "row"), thousands(int64(perSecond)) + " rows/s",
		"backlog " + count(p.Backlog.Files, "file") + ", " + size(p.Backlog.Bytes), count(p.DeadLetters, "dead letter"),
	}
	if availableNow {
		parts[0] = thousands(p.Files+p.FailedFiles) + " of " + count(p.Files+p.FailedFiles+p.Backlog.Files, "file")
		parts = append([]string{bar(p, r)}, parts...)
	} else if oldest := time.Duration(p.Backlog.OldestSeconds) * time.Second; oldest >= time.Minute {
		parts = append(parts, "the oldest "+clock(oldest)+" old")
	}
	line := parts[0]
	for _, part := range parts[1:] {
		if len(line)+2+len(part) > width {
			break
		}
		line += "  " + part
	}
	return line[:min(len(line), max(width, 0))]
}

const barWidth = 20

// bar shows the share of the bytes that is done, and the time that is left.
func bar(p pipeline.Progress, r *rates) string {
	share := 0.0
	if all := p.BytesLoaded + p.Backlog.Bytes; all > 0 {
		share = float64(p.BytesLoaded) / float64(all)
	}
	full := int(share * barWidth)
	text := fmt.Sprintf("[%s%s] %3d%%", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), int(100*share))
	if left, known := r.left(p); known {
		text += "  " + clock(left) + " left"
	}
	return text
}

// count writes how many there are of what has a plural in s.
func count(n int64, what string) string { return countOf(n, what, what+"s") }

func countOf(n int64, one, more string) string {
	if n == 1 {
		more = one
	}
	return thousands(n) + " " + more
}

// plural is count without commas, for what programs may read too.
func plural(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatInt(n, 10) + " " + what
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes bytes as 1.2 GB, by powers of 1,000.
func size(bytes int64) string {
	if bytes < 1000 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	value, units := float64(bytes), "kMGTPE"
	unit := -1
	for value >= 999.95 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %cB", value, units[max(unit, 0)])
}

// clock writes 65 s as 1:05.
func clock(d time.Duration) string {
	s := int64(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
