package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// options are what the command line says.
type options struct {
	rows, rounds         int
	only                 []string
	list, peers, short   bool
	program, pgBin       string
	json, svg, markdown  string
	command              string // what was typed, but for the names of files
	latencyFiles         int
	idleSeconds, pyspark int
}

// The size of --short.
const (
	shortRows   = 100_000
	shortRounds = 3
)

func newCommand(stdout, stderr io.Writer) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure Cartstream against its bars, and beside other loaders",
		Long: `Measures Cartstream against the bars of the project, or beside other loaders.

It builds the program, makes its data with a seed, and starts a PostgreSQL of its
own with the default postgresql.conf: an installed one where there is one, else the
one that the project brings. All of it is removed at the end. Run it in the
project's folder, on a machine with nothing else to do; the whole takes an hour and
20 GB in the folder for temporary files (TMPDIR).`,
		Example: `  go run ./bench                                  all bars
  go run ./bench --list                           what there is to measure
  go run ./bench --only one-file,small-files      some of it
  go run ./bench --peers --rounds 3 --svg peers.svg --markdown peers.md
  go run ./bench --short                          a minute, to see that nothing broke
  go run ./bench --only one-file --rows 20000 --rounds 1 --pg-bin embedded`,
		Args:         cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := o.choose(cmd.Flags())
			if err != nil {
				return err
			}
			if o.list {
				list(stdout, chosen)
				return nil
			}
			return run(cmd.Context(), o, chosen, stdout, stderr)
		},
	}
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	f := cmd.Flags()
	f.IntVar(&o.rows, "rows", 1_000_000, "rows of the files that are loaded; all other sizes go with it")
	f.IntVar(&o.rounds, "rounds", 5, "how many turns each candidate has")
	f.StringSliceVar(&o.only, "only", nil, "scenarios to run, by name, with commas in between")
	f.BoolVar(&o.list, "list", false, "list the scenarios")
	f.BoolVar(&o.peers, "peers", false, "measure beside other loaders instead; what it takes is brought to the user's cache")
	f.BoolVar(&o.short, "short", false, fmt.Sprintf("%d rows, %d rounds, without what takes long", shortRows, shortRounds))
	f.StringVar(&o.program, "program", "", "the program to measure (default: built from the sources)")
	f.StringVar(&o.pgBin, "pg-bin", "", `folder of PostgreSQL's programs, or "embedded" for the one that the project brings (default: the newest installed)`)
	f.StringVar(&o.json, "json", "", "file to write the figures to")
	f.StringVar(&o.svg, "svg", "", "file to draw rows a second to")
	f.StringVar(&o.markdown, "markdown", "", "file to write the table to")
	cmd.AddCommand(newCeiling(), newParse(stdout))
	return cmd
}

// choose checks the flags and returns the scenarios that they ask for.
func (o *options) choose(flags *pflag.FlagSet) ([]scenario, error) {
	o.latencyFiles, o.idleSeconds, o.pyspark = 40, 150, 60
	if o.short {
		o.latencyFiles, o.idleSeconds, o.pyspark = 10, 5, 20
		if !flags.Changed("rows") {
			o.rows = shortRows
		}
		if !flags.Changed("rounds") {
			o.rounds = shortRounds
		}
	}
	if o.rows < leastRows {
		return nil, fmt.Errorf("--rows is %d, must be %d or more", o.rows, leastRows)
	}
	if o.rounds < 1 {
		return nil, fmt.Errorf("--rounds is %d, must be 1 or more", o.rounds)
	}
	o.command = typed(flags)
	var chosen []scenario
	for _, s := range scenarios() {
		if o.wants(s) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.name == name }) {
			return nil, fmt.Errorf("--only: there is no scenario %q; --list shows those that there are", name)
		}
	}
	return chosen, nil
}

func (o *options) wants(s scenario) bool {
	if len(o.only) > 0 {
		return slices.Contains(o.only, s.name)
	}
	return s.peers == o.peers && (!o.short || !s.slow)
}

// typed is the command, without the files, whose names mean nothing elsewhere.
func typed(flags *pflag.FlagSet) string {
	words := []string{"go run ./bench"}
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "json", "svg", "markdown", "program", "pg-bin":
		default:
			words = append(words, "--"+f.Name)
			if f.Value.Type() != "bool" {
				words = append(words, strings.Trim(f.Value.String(), "[]"))
			}
		}
	})
	return strings.Join(words, " ")
}

func list(w io.Writer, chosen []scenario) {
	for _, s := range chosen {
		fmt.Fprintf(w, "%-18s %s\n", s.name, s.what)
	}
}
