package watchio

import (
	"fmt"
	"time"
)

const (
	defaultTriggerInterval    = 10 * time.Second
	defaultMaxFilesPerTrigger = 5
	// minTriggerInterval keeps an interval of 0 from being a busy loop.
	minTriggerInterval = 10 * time.Millisecond
	// maxInFlight bounds the state that is kept between two polls.
	maxInFlight = 1000
	// retryBackoff is the least time between two tries of a file that could not
	// be read.
	retryBackoff = 30 * time.Second
)

// settings travel to the workers.
type settings struct {
	Pattern            string
	Run                string
	Fingerprint        string
	TriggerInterval    time.Duration
	MaxFilesPerTrigger int
	Blocking           bool
}

// Option changes how Watch or List works.
type Option func(*settings)

// WithRun names the run whose control (draining, failure) is obeyed. The
// default is the run "".
func WithRun(id string) Option { return func(s *settings) { s.Run = id } }

// WithFingerprint gives the fingerprint of the worker's own way to split
// files, the one that a Work without a fingerprint is split with. A file in
// flight for which the ledger has another is handed on again with the
// ledger's: without this option that is every file still being loaded, once.
func WithFingerprint(own string) Option { return func(s *settings) { s.Fingerprint = own } }

// WithTriggerInterval sets the time from one poll's beginning to the next one's;
// 10 s by default. 0 polls without pause, but for 10 ms.
func WithTriggerInterval(d time.Duration) Option {
	return func(s *settings) { s.TriggerInterval = d }
}

// WithMaxFilesPerTrigger bounds how many files a poll of Watch hands on; 5 by
// default. List has no such bound.
func WithMaxFilesPerTrigger(n int) Option {
	return func(s *settings) { s.MaxFilesPerTrigger = n }
}

// WithBlocking is for the direct runner, which can't resume a DoFn: with true, Watch
// then polls within one call until the run drains. By default a call ends as
// soon as it has handed something on, and asks to be resumed.
func WithBlocking(blocking bool) Option { return func(s *settings) { s.Blocking = blocking } }

// newSettings panics on what can't work: that is a bug of the graph. Check tells
// beforehand whether a pattern can.
func newSettings(pattern string, opts []Option) settings {
	s := settings{
		Pattern: pattern, TriggerInterval: defaultTriggerInterval, MaxFilesPerTrigger: defaultMaxFilesPerTrigger,
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
	if err := Check(s.Pattern); err != nil {
		return fmt.Errorf("watchio: %w", err)
	}
	if s.TriggerInterval < 0 {
		return fmt.Errorf("watchio: the trigger interval is %v, but must be 0 or more", s.TriggerInterval)
	}
	if s.MaxFilesPerTrigger < 1 {
		return fmt.Errorf("watchio: max files per trigger is %d, but must be 1 or more", s.MaxFilesPerTrigger)
	}
	return nil
}
