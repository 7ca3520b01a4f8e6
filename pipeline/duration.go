package pipeline

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const exampleDurations = `10s, 500ms, "10 seconds", "5 min", 1h30m, "2 days", or 10 for seconds`

var (
	oneUnit = regexp.MustCompile(`^(-?[0-9.]+) *([a-z]+)$`)
	// unitWords are time.ParseDuration's units by other names; d has none there.
	unitWords = map[string]string{
		"millisecond": "ms", "milliseconds": "ms", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
		"min": "m", "mins": "m", "minute": "m", "minutes": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
		"day": "d", "days": "d",
	}
)

// ParseDuration reads a time as settings and flags have it: what
// time.ParseDuration takes, in any case; one number with a unit in words, up to
// days of 24 hours; and a number alone, which is seconds.
func ParseDuration(s string) (time.Duration, error) {
	text, times := strings.ToLower(strings.TrimSpace(s)), time.Duration(1)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < math.MaxInt64/1e9 {
		return time.Duration(math.Round(seconds * 1e9)), nil
	}
	if m := oneUnit.FindStringSubmatch(text); m != nil {
		unit := m[2]
		if word, ok := unitWords[unit]; ok {
			unit = word
		}
		if unit == "d" {
			unit, times = "h", 24
		}
		text = m[1] + unit
	}
	d, err := time.ParseDuration(text)
	if err != nil || d.Abs() > math.MaxInt64/times {
		return 0, fmt.Errorf("found %q; allowed is a time, as in %s", shorten(s), exampleDurations)
	}
	return d * times, nil
}
