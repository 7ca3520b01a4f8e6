package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

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

// printable escapes what would steer a terminal: control characters, bytes that
// are not UTF-8, and other characters that no one sees. Names of files may hold
// all of them.
func printable(s string) string { return escape(s, "") }

// escape is printable, but leaves the given characters as they are.
func escape(s, except string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && !strings.ContainsRune("\n\r\t"+except, r), r == '\x7f':
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case strconv.IsPrint(r), strings.ContainsRune(except, r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		i += size
	}
	return b.String()
}
