package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newStatus(a *app) *cobra.Command {
	var within time.Duration
	var output string
	var input []string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "One screen: throughput, latency, duplicates, backlog, dead letters",
		Long: `Shows what was loaded within the last minutes (--last), how late it was, what is
waiting in the folder, and the dead letters by code. Event latency is from an
event's own time to its row, pipeline latency from the file's modification to its
commit. docs/performance_metrics.md has the queries for psql.`,
		Example: `  cartstream status
  cartstream status --last 1h --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if within <= 0 {
				return fmt.Errorf("--last is %s, must be more than 0s", within)
			}
			settings, err := a.settingsWith(input)
			if err != nil {
				return err
			}
			s, err := pipeline.ReadStatus(cmd.Context(), settings, pipeline.DatabaseOf(settings), within)
			if err != nil {
				return failed(err)
			}
			if output == "json" {
				return failed(writeJSON(a.stdout, s))
			}
			return failed(writeStatus(a.stdout, s))
		},
	}
	durationFlag(cmd, &within, "last", 5*time.Minute, "how far back to look, as 10m, 1h or \"2 days\"")
	cmd.Flags().StringArrayVar(&input, "input", nil, "pattern of the files (may be given several times; default: streaming.input of the settings)")
	outputFlag(cmd, &output)
	return cmd
}

func writeStatus(w io.Writer, s *pipeline.Status) error {
	t := newTable(w)
	t.row("Last %s:", s.Until.Sub(s.Since))
	t.row("  throughput\t%s records a second (%s in %s)", perSecond(s.RecordsPerSecond), count(s.Records, "record"), countOf(s.Batches, "batch", "batches"))
	t.row("  inserted\t%d", s.Inserted)
	if s.Updated+s.Stale > 0 {
		t.row("  updated\t%d, and %d that were older than what is there", s.Updated, s.Stale)
	}
	t.row("  duplicates\t%d (%.2f%%)", s.Duplicates, 100*s.DuplicateRate)
	t.row("  dead letters\t%d (%.2f%%)", s.DeadLetters, 100*s.DeadLetterRate)
	for _, d := range []struct {
		name string
		*pipeline.Distribution
	}{{"batch time", &s.BatchSeconds}, {"pipeline latency", &s.PipelineLatency}, {"event latency", s.EventLatency}} {
		if d.Distribution == nil {
			continue
		}
		t.row("  %s\taverage %s, p50 %s, p99 %s, max %s", d.name, took(d.Average), took(d.P50), took(d.P99), took(d.Max))
	}
	oldest := ""
	if s.Backlog.Files > 0 {
		oldest = ", the oldest " + took(s.Backlog.OldestSeconds) + " old"
	}
	t.row("Backlog:\t%s, %s%s", count(s.Backlog.Files, "file"), size(s.Backlog.Bytes), oldest)
	if len(s.DeadLettersByCode) == 0 {
		t.row("Dead letters:\tnone")
	}
	for i, c := range s.DeadLettersByCode {
		name := ""
		if i == 0 {
			name = "Dead letters:"
		}
		t.row("%s\t%d %s, the latest %s", name, c.Count, c.Code, stamp(c.Latest))
	}
	return t.Flush()
}

// perSecond writes a rate, a small one with what is behind the point.
func perSecond(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.2g", rate)
	}
	return thousands(int64(rate))
}

// took writes seconds as people say them: 0.12s, 3m20s, 41h, 1030 days.
func took(seconds float64) string {
	const hour, day = 3600, 24 * 3600
	switch {
	case seconds < 60:
		return fmt.Sprintf("%.2fs", seconds)
	case seconds < 2*hour:
		return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
	case seconds < 3*day:
		return fmt.Sprintf("%.0fh", seconds/hour)
	default:
		return fmt.Sprintf("%.0f days", seconds/day)
	}
}
