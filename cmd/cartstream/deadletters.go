package main

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newDeadLetters(a *app) *cobra.Command {
	var filter pipeline.DeadLetterFilter
	var since, output string
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "The records that could not be loaded, with where they stand and why",
		Long: `Lists the dead letters, the newest first, with file, line, column, code, message
and the record's own bytes. As CSV, for a spreadsheet, a cell that would be taken
for a formula (= + - @) has a ' before it; as JSON, bytes that are no UTF-8 are in
raw_base64.`,
		Example: `  cartstream dead-letters
  cartstream dead-letters --code invalid_number,negative_price --since 24h
  cartstream dead-letters --file 'orders-*.csv' --limit 0 --output csv > to-mend.csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if filter.Limit < 0 {
				return fmt.Errorf("--limit is %d, allowed are 0 (all) and more", filter.Limit)
			}
			if filter.Since, err = parseSince(since, time.Now()); err != nil {
				return err
			}
			write, ok := deadLetterWriters[output]
			if !ok {
				return fmt.Errorf("--output is %q, allowed are table, json and csv", output)
			}
			filter.File = anyFolder(filter.File)
			settings, err := a.settings()
			if err != nil {
				return err
			}
			w := write(a.stdout)
			err = pipeline.EachDeadLetter(cmd.Context(), pipeline.DatabaseOf(settings), filter, w.write)
			if err == nil {
				err = w.end()
			}
			return failed(err)
		},
	}
	f := cmd.Flags()
	f.IntVar(&filter.Limit, "limit", 50, "at most so many; 0 for all")
	f.StringSliceVar(&filter.Codes, "code", nil, "only those of these codes")
	f.StringVar(&filter.File, "file", "", "only of files with this in their path, or whose whole path is like it, with * and ?")
	f.StringVar(&since, "since", "", "only those since: 90m, 24h, 7d, 2026-01-29 or 2026-01-29T10:00:00Z")
	f.StringVar(&output, "output", "table", "table, json or csv")
	complete(cmd, "output", "table", "json", "csv")
	return cmd
}

// deadLetterWriter writes dead letters one by one, however many there are.
type deadLetterWriter struct {
	write func(pipeline.DeadLetter) error
	end   func() error
}

var deadLetterWriters = map[string]func(io.Writer) deadLetterWriter{
	"table": deadLetterTable, "json": deadLetterJSON, "csv": deadLetterCSV,
}

// deadLetterTable writes a paragraph for each: what stands beside each other
// would not fit.
func deadLetterTable(w io.Writer) deadLetterWriter {
	n := 0
	return deadLetterWriter{
		write: func(d pipeline.DeadLetter) error {
			n++
			_, err := fmt.Fprintf(w, "%s: %s%s\n  %s  %s\n  %s\n", printable(d.File), at(&d.Line, d.Column), d.Code,
				stamp(d.Created), printable(d.Message), printable(string(d.Raw)))
			return err
		},
		end: func() error {
			if n > 0 {
				return nil
			}
			_, err := fmt.Fprintln(w, "No dead letter is like that.")
			return err
		},
	}
}

func deadLetterJSON(w io.Writer) deadLetterWriter {
	separator := "[\n"
	return deadLetterWriter{
		write: func(d pipeline.DeadLetter) error {
			item := struct {
				pipeline.DeadLetter

				Raw       *string `json:"raw,omitempty"`
				RawBase64 string  `json:"raw_base64,omitempty"`
			}{DeadLetter: d}
			if text := string(d.Raw); utf8.ValidString(text) {
				item.Raw = &text
			} else {
				item.RawBase64 = base64.StdEncoding.EncodeToString(d.Raw)
			}
			text, err := json.Marshal(item)
			if err == nil {
				_, err = fmt.Fprintf(w, "%s  %s", separator, text)
			}
			separator = ",\n"
			return err
		},
		end: func() error {
			end := "\n]\n"
			if separator == "[\n" {
				end = "[]\n"
			}
			_, err := io.WriteString(w, end)
			return err
		},
	}
}

func deadLetterCSV(w io.Writer) deadLetterWriter {
	c := csv.NewWriter(w)
	terminal := isTerminal(w)
	row := func(cells ...string) error {
		for i, cell := range cells {
			cells[i] = harmless(cell)
			if terminal {
				cells[i] = escape(cells[i], "\n\t")
			}
		}
		return c.Write(cells)
	}
	err := row("id", "table", "file", "line", "byte_offset", "column", "code", "message", "created_at", "raw")
	return deadLetterWriter{
		write: func(d pipeline.DeadLetter) error {
			column := ""
			if d.Column != nil {
				column = *d.Column
			}
			return row(strconv.FormatInt(d.ID, 10), d.Table, d.File, strconv.FormatInt(d.Line, 10), strconv.FormatInt(d.Offset, 10),
				column, d.Code, d.Message, d.Created.UTC().Format(time.RFC3339Nano), strings.ToValidUTF8(string(d.Raw), "\uFFFD"))
		},
		end: func() error {
			c.Flush()
			if err != nil {
				return err
			}
			return c.Error()
		},
	}
}

// harmless keeps a spreadsheet from taking a cell for a formula (OWASP, "CSV
// Injection").
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
