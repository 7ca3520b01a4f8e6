package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/generator"
	"github.com/cartstream/cartstream/pipeline"
)

func newGenerate(a *app) *cobra.Command {
	var o generator.Options
	var start string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write files of generated shop events",
		Long: `Writes CSV files of e-commerce events until it is stopped, or up to --files or
--count. SIGINT and SIGTERM finish the file in hand.`,
		Example: `  cartstream generate
  cartstream generate --output in --batch-size 10000 --interval 0 --count 1000000 \
      --duplicate-rate 0.02 --invalid-rate 0.01 --corrupt-rate 0.01 --manifest manifest.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := a.settings()
			if err != nil {
				return err
			}
			fromSettings(&o, settings, cmd.Flags().Changed)
			if start != "" {
				if o.Start, err = time.Parse(time.RFC3339, start); err != nil {
					return fmt.Errorf("--start is %q, must be a time such as 2026-01-29T10:00:00Z", start)
				}
			}
			if err := o.Validate(); err != nil {
				return asFlag(err)
			}
			drain, stop := drainOnSignal()
			defer stop()
			ctx, cancel := untilClosed(cmd.Context(), drain)
			defer cancel()
			_, err = generator.Run(ctx, o, slog.Default())
			return failed(err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.OutputPath, "output", "", "folder the files go to (default: generator.output_path of the settings)")
	f.IntVar(&o.BatchSize, "batch-size", 0, "events a file (default: generator.batch_size)")
	durationFlag(cmd, &o.Interval, "interval", 0, "from file to file, as 5s or 0.5; 0 for no pause (default: generator.interval_seconds)")
	f.Int64Var(&o.Files, "files", 0, "end after so many files; 0 for no bound")
	f.Int64Var(&o.Count, "count", 0, "end after so many events; 0 for no bound")
	f.Float64Var(&o.Rate, "rate", 0, "events a second, in place of --interval")
	f.Uint64Var(&o.Seed, "seed", 0, "same seed and --start, same bytes; 0 draws one")
	f.StringVar(&start, "start", "", "time of the first file, as 2026-01-29T10:00:00Z (default: now)")
	f.BoolVar(&o.Gzip, "gzip", false, "compress the files (.csv.gz)")
	f.Float64Var(&o.DuplicateRate, "duplicate-rate", 0, "share of events that repeat an earlier one, 0 to 1")
	f.Float64Var(&o.InvalidRate, "invalid-rate", 0, "share of events that break a rule")
	f.Float64Var(&o.CorruptRate, "corrupt-rate", 0, "share of lines that are no proper CSV")
	f.Float64Var(&o.FutureRate, "future-rate", 0, "share of events in the year 2099")
	f.StringVar(&o.Manifest, "manifest", "", "file to write what was generated to, for 'verify --manifest'")
	return cmd
}

// asFlag names the flag in place of the option, which a user never sees.
func asFlag(err error) error {
	var o *generator.OptionError
	if !errors.As(err, &o) {
		return err
	}
	flags := map[string]string{
		"OutputPath": "output", "BatchSize": "batch-size", "Interval": "interval", "Files": "files", "Count": "count",
		"Rate": "rate", "Start": "start", "DuplicateRate": "duplicate-rate", "InvalidRate": "invalid-rate",
		"CorruptRate": "corrupt-rate", "FutureRate": "future-rate",
	}
	problem := o.Problem
	for field, flag := range flags {
		if strings.HasSuffix(field, "Rate") && field != "Rate" {
			problem = strings.ReplaceAll(problem, field, "--"+flag)
		}
	}
	return fmt.Errorf("--%s %s", flags[o.Field], problem)
}

// fromSettings fills in what no flag has set.
func fromSettings(o *generator.Options, s pipeline.Settings, changed func(string) bool) {
	if !changed("output") {
		o.OutputPath = s.Generator.OutputPath
	}
	if !changed("batch-size") {
		o.BatchSize = s.Generator.BatchSize
	}
	if !changed("interval") {
		o.Interval = s.Generator.Interval.Duration()
	}
}
