package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newRun(a *app) *cobra.Command {
	var availableNow bool
	var runner, output string
	var input []string
	var drainTimeout time.Duration
	var cluster *clusterFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the pipeline: load files as they appear, or what is there now",
		Long: `Loads the files of a pattern into PostgreSQL, as they appear, until it is stopped.
SIGINT and SIGTERM drain: no new file is begun, what is in hand is committed.

Runners are direct and prism, in this process, and the clusters flink and spark,
through a job server of Beam's. Where a cluster has the workers in other processes
(--environment-type), a signal ends this command and not the job.`,
		Example: `  DATABASE_URL=postgres://me@localhost/shop cartstream run
  cartstream run --available-now --input 'F/*.csv'
  cartstream run --runner flink --endpoint localhost:8099
  cartstream run --runner flink --environment-type PROCESS --environment-config /opt/beam/boot --async
  cartstream run --runner spark --available-now --runner-option bundle_size=10`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := a.settingsWith(input)
			if err != nil {
				return err
			}
			if err := pipeline.CheckRunner(settings, runner); err != nil {
				return fmt.Errorf("--runner: %w", err)
			}
			on, err := cluster.of(cmd, runner, availableNow)
			if err != nil {
				return err
			}
			if err := errors.Join(checkDrainTimeout(drainTimeout), checkOutput(output)); err != nil {
				return err
			}
			return a.run(cmd.Context(), output, pipeline.Options{
				Settings: settings, Database: pipeline.DatabaseOf(settings),
				AvailableNow: availableNow, DrainTimeout: drainTimeout, Runner: runner, Cluster: on,
			})
		},
	}
	cmd.Flags().BoolVar(&availableNow, "available-now", false, "load what is there, then end; exit status 1 when a file can't be loaded that had not failed before, or is left to a later run")
	cmd.Flags().StringArrayVar(&input, "input", nil, "pattern of the files, in quotes (may be given several times; default: streaming.input of the settings)")
	cmd.Flags().StringVar(&runner, "runner", pipeline.RunnerDirect, "Beam runner: direct, prism, flink or spark")
	cluster = addClusterFlags(cmd)
	drainTimeoutFlag(cmd, &drainTimeout)
	outputFlag(cmd, &output)
	cmd.Flags().Lookup("output").Usage = "what is written to stdout at the end: table (nothing) or json (the totals)"
	complete(cmd, "runner", pipeline.Runners()...)
	return cmd
}

// run prepares the database and runs the pipeline until a signal comes or all is
// loaded.
func (a *app) run(ctx context.Context, output string, o pipeline.Options) error {
	drain, stop := drainOnSignal()
	defer stop()
	preparing, cancel := untilClosed(ctx, drain)
	defer cancel()
	if err := pipeline.Events(o).Prepare(preparing); err != nil {
		return endedEarly(err, drain)
	}
	totals, err := a.load(ctx, o, drain)
	if output == "json" {
		err = errors.Join(err, writeJSON(a.stdout, totals))
	}
	return failed(err)
}

func drainTimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	durationFlag(cmd, timeout, "drain-timeout", pipeline.DefaultDrainTimeout,
		"after SIGINT or SIGTERM, how long to go on committing what is in hand")
}

func checkDrainTimeout(timeout time.Duration) error {
	if timeout <= 0 {
		return fmt.Errorf("--drain-timeout is %s, must be more than 0s", timeout)
	}
	return nil
}

// load runs the pipeline, shows its progress, and logs what it did.
func (a *app) load(ctx context.Context, o pipeline.Options, drain <-chan struct{}) (pipeline.Totals, error) {
	start := time.Now()
	slog.Info("Loading "+strings.Join(o.Settings.Streaming.Input, ", ")+" into "+o.Settings.Postgres.Table, "available_now", o.AvailableNow)
	tell, end := a.follow(o.AvailableNow)
	o.Progress = tell
	totals, err := pipeline.Events(o).Run(ctx, drain)
	end()
	seconds := time.Since(start).Seconds()
	slog.Info(fmt.Sprintf("Done: %s loaded, %s in %.1fs (%.0f a second)",
		plural(totals.Files, "file"), plural(totals.Records, "record"), seconds, float64(totals.Records)/seconds),
		"inserted", totals.Inserted, "updated", totals.Updated, "stale", totals.Stale, "duplicates", totals.Duplicates, "dead_letters", totals.DeadLetters,
		"failed_files", totals.FailedFiles)
	if err == nil && o.AvailableNow && totals.FailedFiles+totals.UnreadableFiles+totals.ChangedRows > 0 {
		err = notAll(totals)
	}
	return totals, err
}

// notAll says that something of what was there was not loaded.
func notAll(t pipeline.Totals) error {
	var what []string
	if t.FailedFiles > 0 {
		what = append(what, "can't be loaded as a whole: "+count(t.FailedFiles, "file"))
	}
	if t.UnreadableFiles > 0 {
		what = append(what, "left or could not be read: "+countOf(t.UnreadableFiles, "file or folder", "files or folders"))
	}
	if t.ChangedRows > 0 {
		what = append(what, "wrong since an earlier load: "+count(t.ChangedRows, "row"))
	}
	return fmt.Errorf("%s; the log above and 'cartstream history' say why", strings.Join(what, ", "))
}

// untilClosed returns a context that ends when done is closed.
func untilClosed(parent context.Context, done <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// endedEarly is the error of a preparation: none when a signal ended it.
func endedEarly(err error, drain <-chan struct{}) error {
	select {
	case <-drain:
		slog.Info("Stopped before anything was begun")
		return nil
	default:
		return failed(err)
	}
}
