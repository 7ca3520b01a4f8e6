package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "table", "table or json")
	complete(cmd, "output", "table", "json")
}

func checkOutput(output string) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("--output is %q, allowed are table and json", output)
	}
	return nil
}

// complete has the shell's completion propose a flag's values.
func complete(cmd *cobra.Command, flag string, values ...string) {
	// It only fails where there is no such flag.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes lines whose cells, parted by tabs, stand below each other.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row writes a line; an error comes with Flush.
func (t table) row(format string, values ...any) { _, _ = fmt.Fprintf(t, format+"\n", values...) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// printable keeps a file's name, which may hold anything, from steering the
// terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
