package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline/jobserver"
)

func newJob(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "The jobs of a job server: list them, cancel one",
		Long:  "Asks a job server of Flink or Spark about the jobs that it was given since it was started.",
		Example: `  cartstream job list --endpoint localhost:8099
  cartstream job cancel cartstream_94cf7a2c-4f4d`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJobList(a), newJobCancel())
	return cmd
}

func newJobList(a *app) *cobra.Command {
	var endpoint, output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The jobs, with their names and states",
		Example: "  cartstream job list --endpoint localhost:8099 --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			return withServer(cmd.Context(), endpoint, func(s *jobserver.Server) error {
				jobs, err := s.Jobs(cmd.Context())
				if err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(a.stdout, jobs)
				}
				return writeJobs(a, jobs)
			})
		},
	}
	endpointFlag(cmd.Flags(), &endpoint)
	outputFlag(cmd, &output)
	return cmd
}

func writeJobs(a *app, jobs []jobserver.JobInfo) error {
	if len(jobs) == 0 {
		slog.Info("The job server has no jobs")
		return nil
	}
	t := newTable(a.stdout)
	t.row("JOB\tNAME\tSTATE")
	for _, j := range jobs {
		t.row("%s\t%s\t%s", printable(j.ID), printable(j.Name), j.State)
	}
	return t.Flush()
}

func newJobCancel() *cobra.Command {
	var endpoint, rest string
	cmd := &cobra.Command{
		Use:   "cancel JOB",
		Short: "Cancel a job; what it has not committed is loaded by the next run",
		Example: `  cartstream job cancel cartstream_94cf7a2c-4f4d
  cartstream job cancel --endpoint flink:8099 cartstream_94cf7a2c-4f4d`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("found %s, allowed is one, as 'cartstream job list' shows them", countOf(int64(len(args)), "job", "jobs"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if rest != "" {
				if err := jobserver.CheckFlinkREST(rest); err != nil {
					return fmt.Errorf("--flink-rest: %w", err)
				}
			}
			return withServer(cmd.Context(), endpoint, func(s *jobserver.Server) error {
				if err := s.Cancel(cmd.Context(), args[0], rest); err != nil {
					return err
				}
				slog.Info("Cancelled the job", "job", args[0])
				return nil
			})
		},
	}
	endpointFlag(cmd.Flags(), &endpoint)
	flinkRESTFlag(cmd.Flags(), &rest, "")
	return cmd
}

// withServer asks a job server.
func withServer(ctx context.Context, endpoint string, ask func(*jobserver.Server) error) error {
	if err := jobserver.CheckEndpoint(endpoint); err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	server, err := jobserver.DialNow(ctx, endpoint)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = server.Close() }() // nothing is left to be said there
	return failed(ask(server))
}
