// Package pipeline is what this product is: events of a shop, their rules,
// their table, the settings, and the graph that brings them from CSV files into
// PostgreSQL.
package pipeline

import (
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/io/watchio"
	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	watchio.Register[postgresio.Ledger]()
	register.Function1x0(ignoreRange)
}

// Options say how the graph of a run is built.
type Options struct {
	Settings Settings
	// Run names the run; its parts in one process find each other by it.
	Run      string
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
}

// Build builds the graph: one straight line, so that every runner fuses all
// from Read to Load and the records of a range stay together and in order.
func Build(s beam.Scope, o Options) {
	var files beam.PCollection
	if o.AvailableNow {
		files = watchio.List(s, o.Settings.Streaming.Input[0], o.ledger(), o.watching()...)
	} else {
		files = watchio.Watch(s, o.Settings.Streaming.Input[0], o.ledger(), o.watching()...)
	}
	ranges := csvio.Split[Event](s, files, o.reading()...)
	ranges = beam.Reshuffle(s, ranges)
	records := csvio.Read[Event](s, ranges, o.reading()...)
	records = transforms.Validate(s, records, EventRules{FutureTolerance: o.Settings.Validation.FutureTolerance.Duration()})
	committed := postgresio.Load[Event](s, records, o.Settings.Postgres.Table, append(o.Settings.Postgres.sink(),
		postgresio.WithRun(o.Run), postgresio.WithDatabase(o.Database), postgresio.WithRetryFor(o.retryFor()))...)
	if o.runner() == RunnerPrism {
		beam.ParDo0(s, ignoreRange, beam.Reshuffle(s, committed))
	}
}

// ignoreRange, in a stage of its own, gives the stage that loads an output.
// Prism (2.77.0) waits for the end of a stage without outputs in a loop that
// takes a whole CPU an instance: stage.Execute selects from DataWait, which
// B.Init has closed when OutputCount is 0.
func ignoreRange(record.Range) {}
