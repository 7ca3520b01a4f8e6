package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newMigrate(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make or update the schema cartstream, and make the table user_events",
		Long: `Brings the schema cartstream (ledger, dead letters, views) to this version, and
makes the table user_events where it is that of the settings and not there. 'run'
and 'up' do it too.`,
		Example: `  DATABASE_URL=postgres://me@localhost/shop cartstream migrate`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			settings, err := a.settings()
			if err != nil {
				return err
			}
			o := pipeline.Options{Settings: settings, Database: pipeline.DatabaseOf(settings)}
			if err := pipeline.Events(o).Prepare(cmd.Context()); err != nil {
				return failed(err)
			}
			if output == "json" {
				return failed(writeJSON(a.stdout, map[string]string{"schema": "up to date"}))
			}
			_, err = fmt.Fprintln(a.stdout, "The schema is up to date.")
			return failed(err)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
