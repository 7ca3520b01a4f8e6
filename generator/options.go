package generator

import (
	"fmt"
	"math"
	"time"
)

// The defaults of DefaultOptions.
const (
	defaultOutputPath = "data/incoming"
	defaultBatchSize  = 100
	defaultInterval   = 5 * time.Second
)

// Options says what Run writes. DefaultOptions has the defaults; the zero value
// is not valid.
type Options struct {
	// OutputPath is the folder the files go to; made when it is missing.
	OutputPath string
	// BatchSize is the number of events in a file.
	BatchSize int
	// Interval lies between the starts of two files. 0: no pause.
	Interval time.Duration
	// Files ends the run after so many files. 0: no bound.
	Files int64
	// Count ends the run after so many events; the last file is shorter when
	// they don't divide. 0: no bound.
	Count int64
	// Rate, in events a second, paces the files instead of Interval. 0: Interval
	// does.
	Rate float64
	// Seed decides the events. 0: one is drawn, and stands in the manifest.
	Seed uint64
	// Start is the time of the first file, in microseconds; the clock of later
	// files counts on from it by Interval or Rate and not by the time that
	// passes. It may not lie in the future. Zero: the real clock.
	Start time.Time
	// Gzip compresses the files, whose names then end in .csv.gz.
	Gzip bool
	// DuplicateRate is the share of records (0 to 1) that repeat an earlier valid
	// one, as it was. A record has one flaw at most, so the four rates sum up to
	// 1 or less.
	DuplicateRate float64
	// InvalidRate is the share of well-formed records that break a rule.
	InvalidRate float64
	// CorruptRate is the share of records that are no proper CSV record.
	CorruptRate float64
	// FutureRate is the share of records with a time in the year 2099.
	FutureRate float64
	// Manifest is the file the manifest is written to at the end, whatever was
	// there before. Empty: none is written, and Run's Manifest names no files.
	Manifest string
}

// DefaultOptions returns 100 events every 5 seconds into data/incoming, without
// end and without flaw.
func DefaultOptions() Options {
	return Options{OutputPath: defaultOutputPath, BatchSize: defaultBatchSize, Interval: defaultInterval}
}

// OptionError is a field of Options with a value that is not allowed.
type OptionError struct {
	// Field is the name of the field in Options.
	Field string
	// Problem says what it is and what it may be.
	Problem string
}

// Error implements error.
func (e *OptionError) Error() string { return "generator: " + e.Field + " " + e.Problem }

// Validate returns an *OptionError for the first field that has an impossible
// value, or nil.
func (o Options) Validate() error {
	if o.OutputPath == "" {
		return &OptionError{"OutputPath", "is empty, must name a folder"}
	}
	if err := o.validateBounds(); err != nil {
		return err
	}
	if err := o.validateStart(); err != nil {
		return err
	}
	return o.validateRates()
}

func (o Options) validateBounds() error {
	switch {
	case o.BatchSize < 1:
		return &OptionError{"BatchSize", fmt.Sprintf("is %d, must be 1 or more", o.BatchSize)}
	case o.Interval < 0:
		return &OptionError{"Interval", fmt.Sprintf("is %v, must be 0 (no pause) or more", o.Interval)}
	case o.Files < 0:
		return &OptionError{"Files", fmt.Sprintf("is %d, must be 0 (no bound) or more", o.Files)}
	case o.Count < 0:
		return &OptionError{"Count", fmt.Sprintf("is %d, must be 0 (no bound) or more", o.Count)}
	case !(o.Rate >= 0) || math.IsInf(o.Rate, 1): // written so that NaN is caught
		return &OptionError{"Rate", fmt.Sprintf("is %v, must be 0 (no bound) or more events a second", o.Rate)}
	}
	return nil
}

func (o Options) validateStart() error {
	if o.Start.IsZero() {
		return nil
	}
	if now := time.Now(); o.Start.After(now) {
		return &OptionError{"Start", fmt.Sprintf("is %s, must not be later than now (%s): its events would lie in the future",
			o.Start.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339))}
	}
	if o.Start.Before(earliestStart) {
		return &OptionError{"Start", fmt.Sprintf("is %s, must be %s or later",
			o.Start.UTC().Format(time.RFC3339Nano), earliestStart.Format(time.RFC3339))}
	}
	return nil
}

func (o Options) validateRates() error {
	var sum float64
	for _, r := range []struct {
		field string
		value float64
	}{
		{"DuplicateRate", o.DuplicateRate},
		{"InvalidRate", o.InvalidRate},
		{"CorruptRate", o.CorruptRate},
		{"FutureRate", o.FutureRate},
	} {
		if !(r.value >= 0 && r.value <= 1) { // written so that NaN is caught
			return &OptionError{r.field, fmt.Sprintf("is %v, must be between 0 and 1", r.value)}
		}
		sum += r.value
	}
	// Decimal shares that sum up to 1 on paper may pass it by a bit in binary.
	if sum > 1+1e-9 {
		return &OptionError{"DuplicateRate", fmt.Sprintf("and InvalidRate, CorruptRate and FutureRate sum up to %v, must be 1 or less", sum)}
	}
	return nil
}
