package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newHistory(a *app) *cobra.Command {
	var limit int
	var output string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "What became of each file, the newest first",
		Example: `  cartstream history
  cartstream history --limit 0 --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return fmt.Errorf("--limit is %d, allowed are 0 (all) and more", limit)
			}
			if err := checkOutput(output); err != nil {
				return err
			}
			settings, err := a.settings()
			if err != nil {
				return err
			}
			files, err := pipeline.History(cmd.Context(), pipeline.DatabaseOf(settings), limit)
			if err != nil {
				return failed(err)
			}
			if output == "json" {
				return failed(writeJSON(a.stdout, files))
			}
			return failed(writeHistory(a.stdout, files))
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many files; 0 for all")
	outputFlag(cmd, &output)
	return cmd
}

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "table", "table or json")
}

func checkOutput(output string) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("--output is %q, allowed are table and json", output)
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeHistory(w io.Writer, files []pipeline.FileHistory) error {
	if len(files) == 0 {
		_, err := fmt.Fprintln(w, "No file was loaded yet.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(format string, values ...any) { _, _ = fmt.Fprintf(t, format+"\n", values...) } // Flush has the error
	row("FILE\tSTATUS\tRECORDS\tINSERTED\tUPDATED\tDUPLICATES\tERRORS\tLAST LOAD\tFIRST ERROR")
	for _, f := range files {
		last := ""
		if f.LastLoad != nil {
			last = f.LastLoad.UTC().Format("2006-01-02 15:04:05Z")
		}
		row("%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s",
			printable(f.File), f.Status, f.Records, f.Inserted, f.Updated, f.Duplicates, f.Errors, last, printable(firstError(f)))
	}
	return t.Flush()
}

// firstError says where and what, as far as it is known.
func firstError(f pipeline.FileHistory) string {
	if f.FirstError == nil {
		return ""
	}
	var where []string
	if f.ErrorLine != nil {
		where = append(where, fmt.Sprintf("line %d", *f.ErrorLine))
	}
	if f.Column != nil {
		where = append(where, "column "+*f.Column)
	}
	if len(where) == 0 {
		return *f.FirstError
	}
	return strings.Join(where, ", ") + ": " + *f.FirstError
}
