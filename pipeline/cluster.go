package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/watchio"
	"github.com/cartstream/cartstream/pipeline/jobserver"
)

// DefaultEndpoint is where a job server is looked for.
const DefaultEndpoint = "localhost:8099"

// Cluster says how a run is submitted to a job server.
type Cluster struct {
	// Endpoint is the job server's host and port; empty is DefaultEndpoint.
	Endpoint string
	// FlinkREST is the address of Flink's own REST service; empty is
	// jobserver.DefaultFlinkREST.
	FlinkREST string
	// JobName is the beginning of the job's name on the cluster; empty is
	// "cartstream". The user's name and a number follow.
	JobName string
	// Environment says where the workers run; by default in this process.
	Environment jobserver.Environment
	// Parallelism is how many workers there are at a time; 0 is the cluster's own
	// default.
	Parallelism int
	// SavepointPath is the savepoint or checkpoint that a job on Flink goes on from.
	SavepointPath string
	// Async has Run return as soon as the job is submitted.
	Async bool
	// Options are other pipeline options of the runner, by their names. They go
	// over those that the settings give.
	Options map[string]any
}

// Bundles of a run that watches: what they have is committed soon, whatever they
// last, but the runner hands on what comes to a worker only at their end.
const maxBundleTime = 100 * time.Millisecond

func (c Cluster) endpoint() string { return cmp.Or(c.Endpoint, DefaultEndpoint) }

func (c Cluster) loopback() bool {
	return c.Environment.Type == "" || strings.EqualFold(c.Environment.Type, jobserver.Loopback)
}

// Check tells whether a run can be submitted so to the runner.
func (c Cluster) Check(runner string, availableNow bool) error {
	if inProcess[runner] != nil {
		return nil
	}
	errs := []error{jobserver.CheckEndpoint(c.endpoint()), c.Environment.Check()}
	if c.FlinkREST != "" {
		errs = append(errs, jobserver.CheckFlinkREST(c.FlinkREST))
	}
	if c.Parallelism < 0 {
		errs = append(errs, fmt.Errorf("the parallelism is %d, must be 1 or more, or 0 for the cluster's own", c.Parallelism))
	}
	if c.Async && c.loopback() {
		errs = append(errs, errors.New("async has the command end while the job goes on, but with LOOPBACK the job's workers are in it; name another environment type"))
	}
	if c.Async && runner == RunnerSpark && !availableNow {
		errs = append(errs, errors.New("async has the command end while the job goes on, but on spark a run that watches is the command itself; with available-now it is one job"))
	}
	if runner == RunnerSpark && c.SavepointPath != "" {
		errs = append(errs, fmt.Errorf("the savepoint path is %q, but only %s has savepoints", c.SavepointPath, RunnerFlink))
	}
	if runner == RunnerSpark && c.Parallelism > 0 {
		errs = append(errs, fmt.Errorf("the parallelism is %d, but on %s it is that of its master", c.Parallelism, RunnerSpark))
	}
	if _, named := c.Options["job_name"]; named {
		errs = append(errs, errors.New("the option job_name can't be given, because jobs are found by names of their own; job-name is shown as the beginning of it"))
	}
	return errors.Join(errs...)
}

// submission is how a job of the run is submitted.
func (o *Options) submission() jobserver.Submission {
	options := map[string]any{}
	if o.Cluster.Parallelism > 0 {
		options["parallelism"] = o.Cluster.Parallelism
	}
	if o.runner() == RunnerFlink && !o.AvailableNow {
		options["streaming"] = true
		options["checkpointing_interval"] = o.Settings.Streaming.CheckpointInterval.Duration()
		options["max_bundle_time_mills"] = maxBundleTime
		// Or what a checkpoint finds in hand may wait for the next bundle.
		options["finish_bundle_before_checkpointing"] = true
		if path := o.Settings.Streaming.CheckpointPath; path != "" && (!o.elsewhere() || anywhere(path)) {
			options["state_backend"] = "filesystem"
			options["state_backend_storage_path"] = folderURL(path)
		}
	}
	if o.Cluster.SavepointPath != "" {
		options["savepoint_path"] = o.Cluster.SavepointPath
	}
	maps.Copy(options, o.Cluster.Options)
	rest := ""
	if o.runner() == RunnerFlink {
		rest = cmp.Or(o.Cluster.FlinkREST, jobserver.DefaultFlinkREST)
	}
	return jobserver.Submission{FlinkREST: rest, Name: o.Cluster.JobName, Environment: o.Cluster.Environment, Level: o.jobLevel(), Options: options}
}

// microBatched tells that the run is a job for each batch of files.
func (o *Options) microBatched() bool { return o.runner() == RunnerSpark && !o.AvailableNow }

// jobLevel is the level of what is logged of a job: of one among many, a line at
// its end is enough.
func (o *Options) jobLevel() slog.Level {
	if o.microBatched() {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// anywhere tells that a path may mean the same on other machines.
func anywhere(path string) bool { return filepath.IsAbs(path) || strings.Contains(path, "://") }

// folderURL is the URL of a folder: Flink takes no relative paths.
func folderURL(path string) string {
	if strings.Contains(path, "://") {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return "file://" + filepath.ToSlash(path)
}

// onCluster runs the flow on a cluster: as one job, or on Spark, when it
// watches, as a job for each batch of files.
func (f Flow[T, R]) onCluster(ctx context.Context, control *runctl.Control) error {
	o := &f.Options
	server, err := jobserver.Dial(control.Begin(), o.Cluster.endpoint())
	if err != nil {
		return unlessDraining(control, err)
	}
	defer func() { _ = server.Close() }() // nothing is left to be said there
	if o.microBatched() {
		return f.microBatches(ctx, control, server)
	}
	p, s := beam.NewPipelineWithRoot()
	f.build(s, f.files(s))
	return o.runJob(ctx, control, server, p)
}

// unlessDraining is err, or none in a run that drains: then it comes of that.
func unlessDraining(control *runctl.Control, err error) error {
	if control.IsDraining() {
		return nil
	}
	return err
}

// errDetached ends the wait for a job that goes on.
var errDetached = errors.New("the job goes on by itself")

// runJob submits a job and follows it to its end; or, where its workers are
// elsewhere, until the run drains.
func (o *Options) runJob(ctx context.Context, control *runctl.Control, server *jobserver.Server, p *beam.Pipeline) error {
	job, err := server.Submit(control.Begin(), p, o.submission())
	if err != nil {
		return unlessDraining(control, err)
	}
	defer job.Close()
	if o.Cluster.Async {
		o.tellHowToCancel(job)
		return nil
	}
	following, end := context.WithCancelCause(ctx)
	defer end(nil)
	ended := make(chan error, 1)
	go func() { ended <- job.Wait(following) }()
	select {
	case err := <-ended:
		return o.settle(ctx, job, err)
	case <-control.Context().Done(): // a worker in this process has failed
	case <-control.Draining():
		if o.elsewhere() {
			o.tellHowToCancel(job)
			end(errDetached)
			if err := <-ended; !errors.Is(err, errDetached) {
				return err
			}
			return nil
		}
	}
	over, err := o.afterwards(control, ended)
	if !over {
		if err := o.cancel(ctx, job); err != nil {
			return err
		}
		err = <-ended
	}
	err = o.settle(ctx, job, err)
	if over && control.Context().Err() == nil {
		return err
	}
	if !errors.Is(err, jobserver.ErrCancelled) {
		slog.Debug("The job's end", "error", err)
	}
	return context.Cause(control.Context())
}

// The time between two looks at what is in hand, and that for which a job whose
// workers begin nothing more is given to end.
const (
	idlePause = 20 * time.Millisecond
	endBound  = 30 * time.Second
)

// afterwards waits, in a run that drains or has failed, until nothing is in hand
// any more, and in one of which a job has an end until it has ended: then over
// is true, and err the job's end. Jobs of Spark are not to be cancelled as they
// end: one that is interrupted while it closes its context leaves that behind,
// and the job server runs no other any more.
func (o *Options) afterwards(control *runctl.Control, ended <-chan error) (over bool, err error) {
	tick := time.NewTicker(idlePause)
	defer tick.Stop()
	for control.Context().Err() == nil && !control.Idle() {
		select {
		case err := <-ended:
			return true, err
		case <-control.Context().Done():
		case <-tick.C:
		}
	}
	if !o.AvailableNow && !o.microBatched() {
		return false, nil
	}
	select {
	case err := <-ended:
		return true, err
	case <-time.After(endBound):
		return false, nil
	}
}

// cancelBound is how long it may take to cancel a job.
const cancelBound = 45 * time.Second

func (o *Options) cancel(ctx context.Context, job *jobserver.Job) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelBound)
	defer stop()
	if err := job.Cancel(ctx); err != nil {
		return fmt.Errorf("%w; what is not committed is loaded by the next run", err)
	}
	slog.Info("Cancelled the job", "job", job.ID)
	return nil
}

func (o *Options) tellHowToCancel(job *jobserver.Job) {
	slog.Info("The job goes on; this cancels it: cartstream job cancel " + job.ID + " --endpoint " + o.Cluster.endpoint())
}

// settle is the end of a job that has ended by itself: it logs Beam's counters,
// and takes over from them what the workers could not say otherwise.
func (o *Options) settle(ctx context.Context, job *jobserver.Job, err error) error {
	counters, metricsErr := job.Counters(ctx)
	if metricsErr != nil {
		slog.Debug("There are no metrics of the job", "error", metricsErr)
	} else {
		slog.Log(ctx, o.jobLevel(), "Beam's metrics of the job", "job", job.ID, "records", counters["records"], "batches", counters["batches"], "dead_letters", counters["dead_letters"])
	}
	if o.elsewhere() {
		o.unreadable += counters[watchio.UnreadableCounter]
	}
	if failed := (*jobserver.Error)(nil); errors.As(err, &failed) {
		slog.Debug("All that the runner said", "job", failed.ID, "text", failed.Detail)
	}
	return err
}
