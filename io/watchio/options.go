package watchio

import (
	"fmt"
	"time"

	"github.com/cartstream/cartstream/internal/files"
)

const (
	defaultTriggerInterval    = 10 * time.Second
	defaultMaxFilesPerTrigger = 5
	// minTriggerInterval keeps an interval of 0 from being a busy loop.
	minTriggerInterval = 10 * time.Millisecond
	// maxInFlight bounds what is handed on and not loaded: the sink's two batches and what
	// it collects meanwhile. More would only have what comes later wait longer.
	maxInFlight = 1000
	// retryBackoff is the least time between two tries of a file that could not
	// be read.
	retryBackoff = 30 * time.Second
)

// ClockTick is how far the time that a kernel writes to a file may lie behind the
// clock: a WithSince that means now is to be so much earlier.
const ClockTick = 10 * time.Millisecond

// settings travel to the workers.
type settings struct {
	Patterns           []string
	Run                string
	Fingerprint        string
	TriggerInterval    time.Duration
	MaxFilesPerTrigger int
	// MaxBytesPerTrigger is 0 for no bound.
	MaxBytesPerTrigger int64
	MinimumAge         time.Duration
	LatestFirst        bool
	// Since is in microseconds since 1970-01-01 UTC; 0 for all files.
	Since    int64
	Blocking bool
}

// Option changes how Watch, OnTicks, Batches or List works.
type Option func(*settings)

// WithRun names the run whose control (draining, failure) is obeyed. The
// default is the run "".
func WithRun(id string) Option { return func(s *settings) { s.Run = id } }

// WithPatterns adds patterns to the first one. A file that several of them match
// is one file, as long as they give it one path: the same folder written
// absolutely and relatively gives two.
func WithPatterns(more ...string) Option {
	return func(s *settings) { s.Patterns = append(s.Patterns, more...) }
}

// WithFingerprint gives the fingerprint of the worker's own way to split
// files, the one that a Work without a fingerprint is split with. A file in
// flight for which the ledger has another is handed on again with the
// ledger's: without this option that is every file still being loaded, once.
func WithFingerprint(own string) Option { return func(s *settings) { s.Fingerprint = own } }

// WithTriggerInterval sets the time from one poll's beginning to the next one's;
// 10 s by default. 0 polls without pause, but for 10 ms. A file that is renamed into
// a local folder does not wait for it, where the kernel has events (Linux), and
// neither does what one look has left to the next because of a bound.
func WithTriggerInterval(d time.Duration) Option {
	return func(s *settings) { s.TriggerInterval = d }
}

// WithMaxFilesPerTrigger bounds how many files a look of Watch or Batches hands on; 5 by
// default. While files wait, the next look follows at once. List has no such bound.
func WithMaxFilesPerTrigger(n int) Option {
	return func(s *settings) { s.MaxFilesPerTrigger = n }
}

// WithMaxBytesPerTrigger bounds the size of the files that a look of Watch or Batches hands
// on, together; by default, and with 0, it is unbounded. The first file of a look
// is handed on whatever its size. A file that does not fit waits for the next
// look, and those after it do too. List has no such bound.
func WithMaxBytesPerTrigger(n int64) Option {
	return func(s *settings) { s.MaxBytesPerTrigger = n }
}

// WithMinimumAge leaves a file alone until its modification time is so long ago
// by the worker's clock; by default it is not. It is for files that are written
// in place: one that grows is younger with every write. List leaves younger
// files to a later run and logs how many.
func WithMinimumAge(d time.Duration) Option { return func(s *settings) { s.MinimumAge = d } }

// WithLatestFirst hands on the files that were modified last before the others:
// where new data matters more than a backlog. By default it is the oldest first.
func WithLatestFirst(latest bool) Option { return func(s *settings) { s.LatestFirst = latest } }

// WithSince leaves files alone that were modified before t, but for those that a
// load has begun: the ledger knows them. No state is kept for that. What is left
// alone is counted in the log, also a file that comes later with an earlier
// modification time, as one does that was moved or copied with its time.
//
// A modification time in whole seconds counts as the end of its second, because
// some stores tell no more.
func WithSince(t time.Time) Option { return func(s *settings) { s.Since = t.UnixMicro() } }

// WithIncludeExisting is true by default. With false only what comes after this
// call is loaded, which is to be made at the run's beginning: it is WithSince of now. A job that a runner
// resumes from its checkpoint keeps that time. A program that is started anew
// begins another run with a later time: files that came while none ran, and those
// that no load had begun when the last one ended, are left alone then. To have
// them loaded, keep the time of the first run and give it to WithSince.
func WithIncludeExisting(include bool) Option {
	if include {
		return func(s *settings) { s.Since = 0 }
	}
	return WithSince(time.Now().Add(-ClockTick))
}

// WithBlocking is for the direct runner, which can't resume a DoFn: with true, Watch
// then polls within one call until the run drains. By default a call ends as
// soon as it has handed something on, and asks to be resumed.
func WithBlocking(blocking bool) Option { return func(s *settings) { s.Blocking = blocking } }

// newSettings panics on what can't work: that is a bug of the graph. Check tells
// beforehand whether a pattern can.
func newSettings(pattern string, opts []Option) settings {
	s := settings{
		Patterns: []string{pattern}, TriggerInterval: defaultTriggerInterval, MaxFilesPerTrigger: defaultMaxFilesPerTrigger,
	}
	for _, opt := range opts {
		opt(&s)
	}
	if err := s.validate(); err != nil {
		panic(err)
	}
	return s
}

func (s settings) validate() error {
	for _, pattern := range s.Patterns {
		if err := Check(pattern); err != nil {
			return fmt.Errorf("watchio: %w", err)
		}
	}
	switch {
	case s.TriggerInterval < 0:
		return fmt.Errorf("watchio: the trigger interval is %v, but must be 0 or more", s.TriggerInterval)
	case s.MaxFilesPerTrigger < 1:
		return fmt.Errorf("watchio: max files per trigger is %d, but must be 1 or more", s.MaxFilesPerTrigger)
	case s.MaxBytesPerTrigger < 0:
		return fmt.Errorf("watchio: max bytes per trigger is %d, but must be 0, for no bound, or more", s.MaxBytesPerTrigger)
	case s.MinimumAge < 0:
		return fmt.Errorf("watchio: the minimum age is %v, but must be 0 or more", s.MinimumAge)
	}
	return nil
}

// Check tells whether a pattern can be watched. Patterns are those of
// filepath.Match for each part of a path, and ** as a whole part for folders of
// any depth; a scheme, as in gs://bucket/in/*.csv, names a file system of Beam.
func Check(pattern string) error {
	_, err := files.Parse(pattern)
	return err
}

// patterns parses what validate has checked. A file system that tells no times
// can't be asked for files of an age.
func (s settings) patterns() ([]files.Pattern, error) {
	var patterns []files.Pattern
	for _, pattern := range s.Patterns {
		p, err := files.Parse(pattern)
		if err == nil && (s.MinimumAge > 0 || s.Since != 0) {
			err = p.Timed()
		}
		if err != nil {
			return nil, fmt.Errorf("watchio: %w", err)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// young reports whether a file is to be left alone for now.
func (s settings) young(modified int64, now time.Time) bool {
	return s.MinimumAge > 0 && modified > now.Add(-s.MinimumAge).UnixMicro()
}

// early reports whether a file was modified before the time of WithSince.
func (s settings) early(modified int64) bool {
	const second = 1_000_000
	if s.Since == 0 {
		return false
	}
	if modified%second == 0 {
		modified += second - 1
	}
	return modified < s.Since
}
