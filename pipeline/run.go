package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/io/watchio"
)

// DefaultDrainTimeout is how long a run that was asked to stop may go on with
// what it has in hand.
const DefaultDrainTimeout = 30 * time.Second

// Run runs the pipeline until everything that is there is loaded (AvailableNow)
// or drain is closed, and returns what was committed. A
// file that can't be loaded as a whole, or not even opened, is no error; the
// totals count it. Files go by their absolute paths, because the ledger knows
// them by path: two folders that are both called "in" are not one.
func (f Flow[T, R]) Run(ctx context.Context, drain <-chan struct{}) (Totals, error) {
	o := &f.Options
	if err := o.check(); err != nil {
		return Totals{}, err
	}
	o.run = uuid.NewString()
	control := runctl.Of(o.run)
	defer runctl.Forget(o.run)
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-drain:
			if !o.elsewhere() {
				slog.Info("Draining: no new file is begun, what is in hand is committed", "at_most", o.drainTimeout())
			}
			control.Drain(o.drainTimeout())
		case <-ctx.Done():
			control.Fail(context.Cause(ctx))
		case <-finished:
		}
	}()
	var err error
	if o.Settings.Streaming.Input, err = absolute(o.Settings.Streaming.Input); err != nil {
		return Totals{}, err
	}
	if err := o.leaveExisting(ctx, ledgerOf[T](*o).BeginWatch); err != nil {
		return Totals{}, fmt.Errorf("the pipeline ended: %w", err)
	}
	if o.elsewhere() {
		if o.Database.Ledger, err = postgresio.LedgerID(ctx, o.Database); err != nil {
			return Totals{}, fmt.Errorf("the pipeline ended: reading the ledger's id: %w", err)
		}
		o.far = &farTotals{ask: ledgerOf[T](*o).RunTotals}
	}
	unchanged, err := o.watchHistory(ctx, ledgerOf[T](*o))
	if err != nil {
		return Totals{}, fmt.Errorf("the pipeline ended: %w", err)
	}
	var telling sync.WaitGroup
	ran := make(chan struct{})
	telling.Go(func() { o.tell(ran) })
	if run := inProcess[o.runner()]; run != nil {
		p, s := beam.NewPipelineWithRoot()
		f.build(s, f.files(s))
		_, err = run(ctx, p)
	} else {
		err = f.onCluster(ctx, control)
	}
	close(ran)
	telling.Wait()
	if failed := control.Err(); failed != nil {
		err = failed
	}
	totals := o.totals(true)
	err = plainError(err)
	if err == nil && !control.IsDraining() {
		err = unchanged(ctx)
	}
	totals.UnreadableFiles += int64(control.Left()) + o.unreadable
	return totals, o.explainEnd(err)
}

// explainEnd says that an error has ended the run.
func (o Options) explainEnd(err error) error {
	switch {
	case errors.Is(err, runctl.ErrDrainBound):
		return fmt.Errorf("the pipeline ended: %w (%s); what was not committed is loaded by the next run", err, o.drainTimeout())
	case err != nil:
		return fmt.Errorf("the pipeline ended: %w", err)
	}
	return nil
}

// errLoadsMissing is the error of a bounded run: it does not list its files again.
var errLoadsMissing = errors.New("the ledger lacks entries that it had when the run began (the database was restored or failed over, or somebody has deleted them): " +
	"run again, to load what is missing")

// watchHistory returns what tells at the end of a bounded run whether the ledger still
// has all that it had. A run that watches finds that out by itself.
func (o *Options) watchHistory(ctx context.Context, ledger postgresio.Ledger) (unchanged func(context.Context) error, err error) {
	if !o.AvailableNow || o.Cluster.Async {
		return func(context.Context) error { return nil }, nil
	}
	before, err := ledger.History(ctx)
	return func(ctx context.Context) error {
		if now, err := ledger.History(ctx); err != nil {
			return err
		} else if now != before {
			return errLoadsMissing
		}
		return nil
	}, err
}

// plainError is the error of a DoFn without what Beam puts around it: its plan, and
// where in that the error came up.
func plainError(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if cause := errors.Unwrap(e); cause != nil && fmt.Sprintf("%T", e) == "*errors.beamError" {
			err = cause
		}
	}
	return err
}

// check tells whether there is anything to run, for those who come by no
// command.
func (o Options) check() error {
	if len(o.Settings.Streaming.Input) == 0 {
		return errors.New("there is no pattern of files: Settings.Streaming.Input is empty")
	}
	return errors.Join(CheckInput(o.Settings.Streaming.Input), CheckRunner(o.Settings, o.runner()), o.Cluster.Check(o.runner(), o.AvailableNow))
}

func ledgerOf[T any](o Options) postgresio.Ledger {
	return postgresio.Ledger{
		Run: o.run, Database: o.Database, Table: o.Settings.Postgres.Table,
		Fingerprint: csvio.Fingerprint[T](o.reading()...), RetryFor: o.retryFor(),
	}
}

func (o Options) reading() []csvio.Option {
	return []csvio.Option{csvio.WithRun(o.run), csvio.WithDialect(o.Settings.CSV), csvio.WithMaxExpansion(o.Settings.Validation.MaxExpansion)}
}

func watchingOf[T any](o Options) []watchio.Option {
	s := o.Settings.Streaming
	options := []watchio.Option{
		watchio.WithRun(o.run), watchio.WithBlocking(o.runner() == RunnerDirect),
		watchio.WithFingerprint(csvio.Fingerprint[T](o.reading()...)),
		watchio.WithTriggerInterval(s.TriggerInterval.Duration()),
		watchio.WithMaxFilesPerTrigger(s.MaxFilesPerTrigger), watchio.WithMaxBytesPerTrigger(s.MaxBytesPerTrigger),
		watchio.WithMinimumAge(s.MinimumAge.Duration()), watchio.WithLatestFirst(s.LatestFirst),
		watchio.WithUnfinishedWait(s.UnfinishedWait.Duration()),
		watchio.WithPatterns(s.Input[1:]...),
	}
	if !o.Since.IsZero() {
		options = append(options, watchio.WithSince(o.Since))
	}
	return options
}

// leaveExisting sets Since to the time of the first run that did not include
// existing files, so that what came while none ran is loaded by the next.
func (o *Options) leaveExisting(ctx context.Context, firstRun func(context.Context, []string, time.Time) (time.Time, error)) (err error) {
	if !o.Settings.Streaming.IncludeExisting {
		o.Since, err = firstRun(ctx, o.Settings.Streaming.Input, time.Now().Add(-watchio.ClockTick))
	}
	return err
}

// absolute makes patterns of local paths absolute.
func absolute(patterns []string) ([]string, error) {
	all := make([]string, len(patterns))
	for i, p := range patterns {
		if strings.Contains(p, "://") {
			all[i] = p
			continue
		}
		var err error
		if all[i], err = filepath.Abs(p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (o Options) drainTimeout() time.Duration { return cmp.Or(o.DrainTimeout, DefaultDrainTimeout) }

func (o Options) retryFor() time.Duration { return o.Settings.Postgres.RetryFor.Duration() }
