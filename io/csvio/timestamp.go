package csvio

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	allowedTimestamp = "a time such as 2006-01-02 15:04:05.123456 (UTC) or 2006-01-02T15:04:05+01:00, in the years 0001 to 9999"
	allowedZoneless  = "a time without a zone, such as 2006-01-02 15:04:05.123456, in the years 0001 to 9999"
)

var errTimestamp = errors.New("not a timestamp")

// The bounds of PostgreSQL: bytes of a time, and hours of a zone
// (src/include/utils/datetime.h, MAXDATELEN, and timestamp.h, MAX_TZDISP_HOUR).
const (
	maxTimeLen   = 128
	maxZoneHours = 15
)

// parseTimestamp reads RFC 3339, with a T or a space between date and time,
// and takes UTC where the zone is missing. The zone may also be written +01 or
// +0100, as PostgreSQL and others do. Digits below the nanosecond are cut, but
// see settleTie. The result is in UTC.
//
// It is written by hand because time.Parse takes three times as long, once for
// each layout.
func parseTimestamp(s string) (time.Time, error) {
	const seconds = len("2006-01-02 15:04:05")
	if len(s) < seconds || len(s) > maxTimeLen || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' || !isDateEnd(s[10]) {
		return time.Time{}, errTimestamp
	}
	var d digitReader
	year, month, day := d.read(s[:4]), d.read(s[5:7]), d.read(s[8:10])
	hour, minute, second := d.read(s[11:13]), d.read(s[14:16]), d.read(s[17:19])
	nanos, zone := d.fraction(s[seconds:])
	east := d.zone(zone)
	if d.bad || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errTimestamp
	}
	unix := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-east)
	if unix < minUnix || unix >= endUnix {
		return time.Time{}, errTimestamp
	}
	return time.Unix(unix, int64(nanos)).UTC(), nil
}

// The first second of the year 1, and of the year 10000.
var (
	minUnix = daysSince1970(1, 1, 1) * 86400
	endUnix = daysSince1970(10000, 1, 1) * 86400
)

// daysSince1970 counts the days in years that begin in March, so that a leap day
// is a year's last: 365 a year, one more each fourth but for three of four
// hundreds, and 153 for five months.
func daysSince1970(year, month, day int) int64 {
	const marchOfYear0 = 719468 // days from 0000-03-01 to 1970-01-01
	if month -= 3; month < 0 {
		month, year = month+12, year-1
	}
	leap := year/4 - year/100 + year/400
	if year < 0 {
		leap = -1 // January and February of the year 0
	}
	return int64(365*year+leap+(153*month+2)/5+day-1) - marchOfYear0
}

// parseDate reads a day, as midnight in UTC.
func parseDate(s string) (time.Time, error) {
	if len(s) != len("2006-01-02") {
		return time.Time{}, errTimestamp
	}
	return parseTimestamp(s + " 00:00:00")
}

// parseZoneless reads a time that has no zone, as UTC.
func parseZoneless(s string) (time.Time, error) {
	const seconds = len("2006-01-02 15:04:05")
	if len(s) > seconds && strings.ContainsAny(s[seconds:], "+-Zz") {
		return time.Time{}, errTimestamp
	}
	return parseTimestamp(s)
}

func isDateEnd(c byte) bool { return c == ' ' || c == 'T' || c == 't' }

// digitReader reads numbers and remembers whether anything was wrong.
type digitReader struct{ bad bool }

// read returns the number that s is, all digits.
func (d *digitReader) read(s string) int {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			d.bad = true
		}
		n = n*10 + int(c)
	}
	return n
}

// fraction reads .123456 at the start of s, if there is one, as nanoseconds.
func (d *digitReader) fraction(s string) (nanos int, rest string) {
	if s == "" || s[0] != '.' {
		return 0, s
	}
	i := 1
	for unit := 100_000_000; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		nanos += int(s[i]-'0') * unit
		unit /= 10
	}
	d.bad = d.bad || i == 1
	if i > len(".123456789") {
		nanos = settleTie(nanos, s[:i])
	}
	return nanos, s[i:]
}

// settleTie returns the nanoseconds to which a fraction was cut, or one more
// where only that rounds to the microsecond to which PostgreSQL rounds the
// fraction. PostgreSQL rounds a double, to even
// (src/backend/utils/adt/datetime.c, ParseFractionalSecond).
func settleTie(nanos int, fraction string) int {
	exact, err := strconv.ParseFloat(fraction, 64)
	if err == nil && math.RoundToEven(exact*1e6) > math.RoundToEven(float64(nanos)/1e9*1e6) {
		return nanos + 1
	}
	return nanos
}

// zone reads the offset from UTC, in seconds to the east.
func (d *digitReader) zone(s string) int {
	if s == "" || s == "Z" || s == "z" {
		return 0
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	} else if s[0] != '+' {
		d.bad = true
	}
	hours, minutes := s[1:], "0"
	switch {
	case len(s) == len("+01:00") && s[3] == ':':
		hours, minutes = s[1:3], s[4:]
	case len(s) == len("+0100"):
		hours, minutes = s[1:3], s[3:]
	case len(s) != len("+01"):
		d.bad = true
		return 0
	}
	h, m := d.read(hours), d.read(minutes)
	d.bad = d.bad || h > maxZoneHours || m > 59
	return sign * (h*60 + m) * 60
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
