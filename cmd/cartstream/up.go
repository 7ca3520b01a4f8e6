package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/generator"
	"github.com/cartstream/cartstream/internal/embeddedpg"
	"github.com/cartstream/cartstream/pipeline"
)

func newUp(a *app) *cobra.Command {
	dir := "data"
	var drainTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Everything on this machine: PostgreSQL, the generator and the pipeline",
		Long: `Starts a PostgreSQL of its own, generates shop events into files, and loads them
as they appear. The database is kept under --data, the files where the settings
say; the next start goes on from there.
SIGINT and SIGTERM drain and then stop the database.`,
		Example: `  cartstream up
  cartstream up --config settings.yaml --data /var/tmp/cartstream`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := a.settings()
			if err != nil {
				return err
			}
			if err := checkDrainTimeout(drainTimeout); err != nil {
				return err
			}
			drain, stop := drainOnSignal()
			defer stop()
			return a.up(cmd.Context(), pipeline.Options{Settings: settings, DrainTimeout: drainTimeout}, dir, drain)
		},
	}
	cmd.Flags().StringVar(&dir, "data", dir, "folder of the database")
	drainTimeoutFlag(cmd, &drainTimeout)
	return cmd
}

// stopBound is how long the database may take to end.
const stopBound = time.Minute

func (a *app) up(ctx context.Context, o pipeline.Options, dir string, drain <-chan struct{}) (err error) {
	untilDrain, cancel := untilClosed(ctx, drain)
	defer cancel()
	server, err := embeddedpg.Start(untilDrain, embeddedpg.Options{
		Dir: filepath.Join(dir, "postgres"), PreferPort: 5432, Log: slog.Default(),
	})
	if err != nil {
		return endedEarly(err, drain)
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopBound)
		defer cancel()
		err = errors.Join(err, failed(server.Stop(bounded)))
	}()
	o.Database = pipeline.DatabaseAt(server.URL())
	if err := pipeline.Events(o).Prepare(untilDrain); err != nil {
		return endedEarly(err, drain)
	}
	if _, err := fmt.Fprintf(a.stdout, "PostgreSQL is ready; in another terminal, psql and cartstream find it after\n  %s\n", server.ExportCommand()); err != nil {
		return failed(err)
	}
	return failed(a.generateAndLoad(ctx, o, drain))
}

// generateAndLoad runs both until drain is closed or one of them fails, which
// ends the other.
func (a *app) generateAndLoad(ctx context.Context, options pipeline.Options, drain <-chan struct{}) error {
	untilDrain, endBoth := untilClosed(ctx, drain)
	defer endBoth()
	generated := make(chan error, 1)
	go func() {
		o := generator.DefaultOptions()
		fromSettings(&o, options.Settings, func(string) bool { return false })
		_, err := generator.Run(untilDrain, o, slog.Default())
		if err != nil {
			err = fmt.Errorf("the generator ended: %w", err)
		}
		generated <- err
		endBoth()
	}()
	_, err := a.load(ctx, options, untilDrain.Done())
	endBoth()
	return errors.Join(err, <-generated)
}
