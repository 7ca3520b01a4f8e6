package postgresio_test

import (
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/io/postgresio"
)

// Reading is a row of the table readings.
type Reading struct {
	Sensor string    `db:"sensor_key"`
	Value  *float64  `db:"value"`
	At     time.Time `db:"measured_at"`
}

func init() { postgresio.Register[Reading]() }

// Rows, dead letters and the ledger go into the database that DATABASE_URL
// names; a row whose sensor_key and measured_at are there already is counted and
// left out.
func ExampleLoad() {
	_, s := beam.NewPipelineWithRoot()
	var records beam.PCollection // of *record.Record[Reading], from csvio.Read
	postgresio.Load[Reading](s, records, "public.readings",
		postgresio.WithKey("sensor_key", "measured_at"),
		postgresio.WithFlush(10_000, time.Second))
}
