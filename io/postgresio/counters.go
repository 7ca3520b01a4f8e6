package postgresio

import (
	"context"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// namespace is that of Beam's counters.
const namespace = "cartstream"

// Beam's counters, for those who look at a runner's own page. Of records that a
// failed bundle had committed they know nothing: the ledger does.
var (
	batchesCounter    = beam.NewCounter(namespace, "batches")
	rangesCounter     = beam.NewCounter(namespace, "ranges")
	recordsCounter    = beam.NewCounter(namespace, "records")
	insertedCounter   = beam.NewCounter(namespace, "inserted")
	updatedCounter    = beam.NewCounter(namespace, "updated")
	duplicatesCounter = beam.NewCounter(namespace, "duplicates")
	staleCounter      = beam.NewCounter(namespace, "stale")
	deadCounter       = beam.NewCounter(namespace, "dead_letters")
)

// report adds to Beam's counters; ctx is a bundle's.
func (c counts) report(ctx context.Context, ranges, batches int64) {
	if ranges == 0 {
		return
	}
	batchesCounter.Inc(ctx, batches)
	rangesCounter.Inc(ctx, ranges)
	recordsCounter.Inc(ctx, c.records)
	insertedCounter.Inc(ctx, c.inserted)
	updatedCounter.Inc(ctx, c.updated)
	duplicatesCounter.Inc(ctx, c.duplicates)
	staleCounter.Inc(ctx, c.stale)
	deadCounter.Inc(ctx, c.dead)
}
