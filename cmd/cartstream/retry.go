package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newRetry(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "retry FILE",
		Short: "Have a file that failed as a whole loaded again",
		Long: `Takes back that a file failed (a missing column, a broken archive), so that the
pipeline loads it again, or to its end: the next run, or within a minute one that
is running. A file that is written anew needs no retry: it is another version.`,
		Example: `  cartstream history --state failed
  cartstream retry /srv/incoming/orders.csv`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			settings, err := a.settings()
			if err != nil {
				return err
			}
			n, err := pipeline.RetryFile(cmd.Context(), settings, pipeline.DatabaseOf(settings), args[0])
			if err != nil {
				return failed(err)
			}
			if output == "json" {
				return failed(writeJSON(a.stdout, map[string]any{"file": args[0], "versions": n}))
			}
			_, err = fmt.Fprintf(a.stdout, "%s of %s will be loaded again: by the next run, or within a minute by one that is running.\n", plural(n, "version"), args[0])
			return failed(err)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
