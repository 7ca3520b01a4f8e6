// Package pipeline is what this product is: the graph that brings records of
// any struct from CSV files into PostgreSQL, its settings, and the events of a
// shop with their rules and their table.
//
// A pipeline for a struct of one's own is a Flow:
//
//	type Rules struct{}
//
//	func (Rules) Apply(now time.Time, o Order) (Order, error) { return o, nil }
//
//	func init() { pipeline.Register[Order, Rules]() }
//
//	flow := pipeline.Flow[Order, Rules]{Options: pipeline.Options{Settings: settings, Database: pipeline.DatabaseOf(settings)}}
//	err := flow.Prepare(ctx)
//	totals, err := flow.Run(ctx, drain)
package pipeline

import (
	"context"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/io/watchio"
	"github.com/cartstream/cartstream/pipeline/jobserver"
	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	watchio.Register[postgresio.Ledger]()
	register.Function1x0(ignoreRange)
}

// Register makes T, with csv and db tags, and its rules known to Beam; call it
// in the init of the file that defines T. It panics when the tags are wrong,
// saying what would be right.
func Register[T any, R transforms.Rules[T]]() {
	csvio.Register[T]()
	postgresio.Register[T]()
	transforms.Register[T]()
	transforms.RegisterRules[T, R]()
}

// Options say how a run goes.
type Options struct {
	Settings Settings
	Database Database
	// Since leaves files alone that were modified before it and that no load has
	// begun; zero for none. Run sets it when existing files are not to be included.
	Since time.Time
	// AvailableNow loads what is there and ends, instead of watching for ever.
	AvailableNow bool
	// DrainTimeout bounds how long a run that is to stop goes on with what it
	// has in hand; 0 means DefaultDrainTimeout.
	DrainTimeout time.Duration
	// Runner is one of the Runner constants; empty is RunnerDirect.
	Runner string
	// Cluster says how a run on Flink or Spark is submitted.
	Cluster Cluster
	// Progress, unless nil, is called four times a second while the pipeline
	// runs, and once at its end.
	Progress func(Progress)

	// run names the run; its parts in one process find each other by it.
	run string
	// far are the totals of workers in other processes; nil where there are none.
	far *farTotals
	// unreadable counts files and folders that those could not open.
	unreadable int64
}

// Flow is a pipeline for records of T, which Register has seen.
type Flow[T any, R transforms.Rules[T]] struct {
	// Rules judge each record; their exported fields go to the workers.
	Rules R
	// Tables are statements that make the table where it is not there.
	Tables  []string
	Options Options
}

// Prepare waits for the database, brings the schema cartstream to this version,
// makes the table if Tables say how, and checks that T fits it: what can't work
// is said before anything is begun.
func (f Flow[T, R]) Prepare(ctx context.Context) error {
	o := f.Options
	if err := o.Database.Wait(ctx); err != nil {
		return err
	}
	if err := postgresio.Migrate(ctx, o.Database, f.Tables...); err != nil {
		return err
	}
	return postgresio.Check[T](ctx, o.Database, o.Settings.Postgres.Table, o.Settings.Postgres.sink()...)
}

// build builds the graph: one straight line, so that every runner fuses all
// from Read to Load and the records of a range stay together and in order.
func (f Flow[T, R]) build(s beam.Scope, files beam.PCollection) {
	o := f.Options
	ranges := csvio.Split[T](s, files, o.reading()...)
	ranges = beam.Reshuffle(s, ranges)
	records := csvio.Read[T](s, ranges, o.reading()...)
	records = transforms.Validate[T](s, records, f.Rules)
	committed := postgresio.Load[T](s, records, o.Settings.Postgres.Table, append(o.Settings.Postgres.sink(),
		postgresio.WithRun(o.run), postgresio.WithDatabase(o.Database), postgresio.WithRetryFor(o.retryFor()),
		postgresio.WithMaxDeadLetters(o.Settings.Validation.MaxDeadLetters))...)
	if o.runner() == RunnerPrism {
		beam.ParDo0(s, ignoreRange, beam.Reshuffle(s, committed))
	}
}

// files are those that the run finds by itself.
func (f Flow[T, R]) files(s beam.Scope) beam.PCollection {
	input, ledger := f.Options.Settings.Streaming.Input[0], ledgerOf[T](f.Options)
	watching := watchingOf[T](f.Options)
	switch {
	case f.Options.AvailableNow:
		return watchio.List(s, input, ledger, watching...)
	case f.Options.runner() == RunnerFlink:
		ticks := jobserver.FlinkTicks(s, watchio.TickInterval(f.Options.Settings.Streaming.TriggerInterval.Duration()))
		return watchio.OnTicks(s, ticks, input, ledger, watching...)
	}
	return watchio.Watch(s, input, ledger, watching...)
}

// ignoreRange, in a stage of its own, gives the stage that loads an output.
// Prism (2.77.0) waits for the end of a stage without outputs in a loop that
// takes a whole CPU an instance: stage.Execute selects from DataWait, which
// B.Init has closed when OutputCount is 0.
func ignoreRange(record.Range) {}
