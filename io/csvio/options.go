package csvio

import (
	"fmt"
)

// The defaults of the options.
const (
	defaultMaxRangeBytes   = 8 << 20
	defaultMaxRangeRecords = 50_000
	defaultMaxRecordBytes  = 1 << 20

	// DefaultMaxExpansion is that of WithMaxExpansion.
	DefaultMaxExpansion = 200
)

// Option sets one thing about Split, Read or Fingerprint. Give all three the
// same options.
type Option func(*options)

// WithRun names the run (see runctl) whose draining and failing Split and Read
// obey.
func WithRun(id string) Option { return func(o *options) { o.run = id } }

// WithMaxRangeBytes bounds a range in bytes, 8 MiB by default. Only a single
// record that is longer than the bound makes a range that is.
func WithMaxRangeBytes(n int64) Option { return func(o *options) { o.limits.RangeBytes = n } }

// WithMaxRangeRecords bounds a range in records, 50,000 by default.
func WithMaxRangeRecords(n int64) Option { return func(o *options) { o.limits.RangeRecords = n } }

// WithMaxRecordBytes bounds a record in bytes before its newline, 1 MiB by
// default. A longer line is a fault: record_too_large. Of a longer record of several lines
// the first is one: malformed_csv.
func WithMaxRecordBytes(n int64) Option { return func(o *options) { o.limits.RecordBytes = n } }

// WithMaxExpansion bounds the content of a compressed file to n times its size, 200
// times by default, and 1 MiB at least; 0 is no bound. A file beyond it fails
// (too_large_archive) after the ranges before that place.
func WithMaxExpansion(n int) Option { return func(o *options) { o.maxExpansion = n } }

// WithDialect says how the files are written, DefaultDialect() by default. It
// panics where the graph is built when the dialect's Validate, or ValidateFor
// T, has something to say.
func WithDialect(d Dialect) Option { return func(o *options) { o.dialect = d } }

type options struct {
	run     string
	limits  limits
	dialect Dialect
	// maxExpansion is that of WithMaxExpansion.
	maxExpansion int
}

// limits are the numbers that decide where ranges begin.
type limits struct {
	RangeBytes, RangeRecords, RecordBytes int64
}

// newOptions applies opts to the defaults. It panics on values that make no
// sense, as building a graph does.
func newOptions(opts []Option) options {
	o := options{
		limits: limits{
			RangeBytes: defaultMaxRangeBytes, RangeRecords: defaultMaxRangeRecords, RecordBytes: defaultMaxRecordBytes,
		},
		dialect: DefaultDialect(), maxExpansion: DefaultMaxExpansion,
	}
	for _, opt := range opts {
		opt(&o)
	}
	err := o.limits.check()
	if o.maxExpansion < 0 {
		err = fmt.Errorf("the expansion of an archive is bounded to %d times its size, want 0 or more", o.maxExpansion)
	}
	if err == nil {
		err = o.dialect.Validate()
	}
	if err != nil {
		panic(fmt.Errorf("csvio: %w", err))
	}
	return o
}

// maxRecordBytes keeps the buffers, which are a little larger, in an int.
const maxRecordBytes = 1 << 30

func (l limits) check() error {
	switch {
	case l.RangeBytes < 1:
		return fmt.Errorf("the bound of a range is %d bytes, want 1 or more", l.RangeBytes)
	case l.RangeRecords < 1:
		return fmt.Errorf("the bound of a range is %d records, want 1 or more", l.RangeRecords)
	case l.RecordBytes < 1 || l.RecordBytes > maxRecordBytes:
		return fmt.Errorf("the bound of a record is %d bytes, want 1 to %d", l.RecordBytes, maxRecordBytes)
	}
	return nil
}
