package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newHistory(a *app) *cobra.Command {
	var filter pipeline.HistoryFilter
	var since, output string
	cmd := &cobra.Command{
		Use:   "history [FILE]",
		Short: "What became of each file, or all that is known of one",
		Long: `Lists the files that were begun, the newest first, with what became of their
records. With a FILE: each version of it, its ranges, what held it up, and its
dead letters by reason.`,
		Example: `  cartstream history
  cartstream history --state failed,superseded --since 24h
  cartstream history --file 'orders-*.csv.gz' --limit 0 --output json
  cartstream history /srv/incoming/orders-17.csv`,
		Args:              atMostOneFile,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := checkHistory(&filter, since, time.Now())
			if err == nil {
				err = checkOutput(output)
			}
			if err == nil && len(args) == 1 {
				err = onlyOutput(cmd)
			}
			if err != nil {
				return err
			}
			settings, err := a.settings()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return failed(a.showReport(cmd, pipeline.DatabaseOf(settings), args[0], output))
			}
			return failed(a.showHistory(cmd, pipeline.DatabaseOf(settings), filter, output))
		},
	}
	f := cmd.Flags()
	f.IntVar(&filter.Limit, "limit", 50, "at most so many files; 0 for all")
	f.StringSliceVar(&filter.States, "state", nil, "only files in these states: "+strings.Join(pipeline.FileStates(), ", "))
	f.StringVar(&filter.File, "file", "", "only files with this in their path, or whose whole path is like it, with * and ?")
	f.StringVar(&since, "since", "", "only files with which something happened since: 90m, 24h, 7d, 2026-01-29 or 2026-01-29T10:00:00Z")
	outputFlag(cmd, &output)
	complete(cmd, "state", pipeline.FileStates()...)
	return cmd
}

// onlyOutput refuses flags that choose files where a file is named.
func onlyOutput(cmd *cobra.Command) error {
	for _, name := range []string{"limit", "state", "file", "since"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s chooses files of the list, and does not go with a FILE", name)
		}
	}
	return nil
}

func checkHistory(filter *pipeline.HistoryFilter, since string, now time.Time) (err error) {
	if filter.Limit < 0 {
		return fmt.Errorf("--limit is %d, allowed are 0 (all) and more", filter.Limit)
	}
	for _, s := range filter.States {
		if !slices.Contains(pipeline.FileStates(), s) {
			return fmt.Errorf("--state is %q, allowed are %s", s, strings.Join(pipeline.FileStates(), ", "))
		}
	}
	filter.File = anyFolder(filter.File)
	filter.Since, err = parseSince(since, now)
	return err
}

// anyFolder is a pattern of a path, whatever the folder, where it names none.
func anyFolder(file string) string {
	if strings.ContainsAny(file, "*?") && !strings.HasPrefix(file, "*") && !strings.Contains(file, "/") {
		return "*/" + file
	}
	return file
}

// parseSince reads a moment, or how long before now it is.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	d, err := pipeline.ParseDuration(s)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--since is %q, allowed are a time before now, as 90m, 24h or 7d, a day, as 2026-01-29, and a moment, as 2026-01-29T10:00:00Z", s)
	}
	return now.Add(-d), nil
}

func (a *app) showHistory(cmd *cobra.Command, d pipeline.Database, filter pipeline.HistoryFilter, output string) error {
	files, err := pipeline.History(cmd.Context(), d, filter)
	if err != nil {
		return err
	}
	if output == "json" {
		return writeJSON(a.stdout, files)
	}
	if len(files) == 0 {
		nothing := "No file was loaded yet."
		if len(filter.States) > 0 || filter.File != "" || !filter.Since.IsZero() {
			nothing = "No file is like that."
		}
		_, err := fmt.Fprintln(a.stdout, nothing)
		return err
	}
	return writeHistory(a.stdout, files)
}

func writeHistory(w io.Writer, files []pipeline.FileHistory) error {
	t := newTable(w)
	several := slices.ContainsFunc(files, func(f pipeline.FileHistory) bool { return f.Table != files[0].Table })
	table := func(name string) string {
		if !several {
			return ""
		}
		return printable(name) + "\t"
	}
	t.row("%sFILE\tSTATUS\tRECORDS\tINSERTED\tUPDATED\tDUPLICATES\tSTALE\tERRORS\tLAST LOAD\tFIRST ERROR", table("TABLE"))
	for _, f := range files {
		last := ""
		if f.LastLoad != nil {
			last = stamp(*f.LastLoad)
		}
		t.row("%s%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s",
			table(f.Table), printable(f.File), f.Status, f.Records, f.Inserted, f.Updated, f.Duplicates, f.Stale, f.Errors, last, printable(firstError(f)))
	}
	return t.Flush()
}

// firstError says where and what, as far as it is known.
func firstError(f pipeline.FileHistory) string {
	if f.FirstError == nil {
		return ""
	}
	return at(f.ErrorLine, f.Column) + *f.FirstError
}

// at says where something was, as far as it is known.
func at(line *int64, column *string) string {
	var where []string
	if line != nil {
		where = append(where, fmt.Sprintf("line %d", *line))
	}
	if column != nil {
		where = append(where, "column "+*column)
	}
	if len(where) == 0 {
		return ""
	}
	return strings.Join(where, ", ") + ": "
}
