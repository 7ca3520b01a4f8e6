package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/cenkalti/backoff/v5"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/watchio"
	"github.com/cartstream/cartstream/pipeline/jobserver"
)

// The waits between tries of a batch whose job has failed.
const (
	firstRetry   = time.Second
	longestRetry = 30 * time.Second
)

// microBatches submits a bounded job for each batch of files, one after the
// other, until the run drains. Spark has no other way for a pipeline of Beam's.
func (f Flow[T, R]) microBatches(ctx context.Context, control *runctl.Control, server *jobserver.Server) error {
	o := &f.Options
	batches, err := watchio.NewBatches(o.Settings.Streaming.Input[0], ledgerOf[T](*o), watchingOf[T](*o)...)
	if err != nil {
		return err
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = firstRetry, longestRetry
	for n := 1; ; n++ {
		batch, err := batches.Next(ctx)
		if len(batch) == 0 || err != nil {
			return err
		}
		start, before := time.Now(), o.totals(true)
		p, s := beam.NewPipelineWithRoot()
		f.build(s, watchio.Given(s, batch))
		err = o.runJob(ctx, control, server, p)
		failed := (*jobserver.Error)(nil)
		switch {
		case err == nil:
			t := o.totals(true)
			slog.Info(fmt.Sprintf("Micro-batch %d: Processed %d records, inserted %d in %.2fs", n,
				t.Records-before.Records, t.Inserted-before.Inserted, time.Since(start).Seconds()),
				"files", len(batch), "duplicates", t.Duplicates-before.Duplicates, "dead_letters", t.DeadLetters-before.DeadLetters)
			waits.Reset()
			continue
		case !errors.As(err, &failed) && !errors.Is(err, jobserver.ErrCancelled) && !errors.Is(err, jobserver.ErrAway):
			return err
		}
		wait := waits.NextBackOff()
		slog.Warn(fmt.Sprintf("Micro-batch %d failed and is tried again", n), "after", wait.Round(time.Millisecond), "error", err)
		batches.Again()
		if !control.Sleep(ctx, wait) {
			return context.Cause(ctx)
		}
	}
}
