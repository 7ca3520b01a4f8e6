package csvio

import (
	"fmt"
	"strconv"
	"strings"
)

// splitVersion names the rules of this package by which files are cut. It
// changes whenever the same file and limits would give other ranges.
const splitVersion = "csv1"

// Fingerprint returns, as readable text, what decides where the ranges of a
// file begin and what its records mean: the version of the splitting, the
// limits, and a hash of T's columns.
//
// It panics when T's csv tags are wrong.
func Fingerprint[T any](opts ...Option) string {
	return newOptions(opts).limits.fingerprint(mustSchema[T]())
}

func (l limits) fingerprint(s *schema) string {
	return fmt.Sprintf("%s;range_bytes=%d;range_records=%d;record_bytes=%d;schema=%s",
		splitVersion, l.RangeBytes, l.RangeRecords, l.RecordBytes, s.hash())
}

// parseFingerprint returns the limits that a file version was begun with. The
// schema in it does not matter to the split.
func parseFingerprint(text string) (limits, error) {
	version, rest, _ := strings.Cut(text, ";")
	if version != splitVersion {
		return limits{}, fmt.Errorf("fingerprint %q: the version of the splitting is %q, this program's is %q: "+
			"finish the file with the program it was begun with, or load it anew", text, version, splitVersion)
	}
	var l limits
	numbers := map[string]*int64{"range_bytes": &l.RangeBytes, "range_records": &l.RangeRecords, "record_bytes": &l.RecordBytes}
	for part := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(part, "=")
		to, known := numbers[name]
		if !known {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return limits{}, fmt.Errorf("fingerprint %q: %s: %w", text, name, err)
		}
		*to = n
	}
	if err := l.check(); err != nil {
		return limits{}, fmt.Errorf("fingerprint %q: %w", text, err)
	}
	return l, nil
}
