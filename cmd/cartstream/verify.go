package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/generator"
	"github.com/cartstream/cartstream/pipeline"
)

var errOff = errors.New("something is off; the findings above say what")

func newVerify(a *app) *cobra.Command {
	var output, manifest string
	var o pipeline.VerifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing is missing: the equation for every file",
		Long: `Checks, for every range of every file and in total, that
records = inserted + updated + duplicates + stale + dead letters, that ranges cover each
file without gap or overlap, that the dead letters are there, and that the table
has all the rows that were inserted. With --manifest also that all files of a
generator's manifest (known by name and size) are in, to the row.

With --files the files of the table are read again, as they were read when they
were loaded, and each record is looked for in the database: its row with its
values, or its dead letter with its line, code and bytes; and nothing may be there
that no record explains. Of a duplicate only the key is looked for, and of all
records once rows were overwritten by upserts. Columns that no field writes
(generated, defaults, filled by triggers) are not compared; a trigger that changes
what was written makes rows differ. Files that are gone or were changed since are
listed as not checked, which is no error. Of files that are still loading, what is
committed is checked.
Exit status 1 when something is off.`,
		Example: `  cartstream verify
  cartstream verify --files
  cartstream verify --manifest manifest.json --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if o.Limit < 1 {
				return fmt.Errorf("--limit is %d, allowed is 1 or more", o.Limit)
			}
			if manifest != "" {
				m, err := generator.ReadManifest(manifest)
				if err != nil {
					return failed(err)
				}
				o.Expected = expectation(m)
			}
			settings, err := a.settings()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			v, err := pipeline.Events(pipeline.Options{Settings: settings, Database: pipeline.DatabaseOf(settings)}).Verify(ctx, &o)
			if ctx.Err() != nil {
				return failed(errors.New("ended by a signal; nothing is proven"))
			}
			if err != nil {
				return failed(err)
			}
			return failed(a.writeVerification(v, output))
		},
	}
	cmd.Flags().StringVar(&manifest, "manifest", "", "manifest of 'cartstream generate' to check against")
	cmd.Flags().BoolVar(&o.Files, "files", false, "read the files again and look for each of their records")
	cmd.Flags().IntVar(&o.Limit, "limit", pipeline.DefaultFindings, "show at most so many findings; all are counted")
	outputFlag(cmd, &output)
	return cmd
}

// expectation is what a load of a manifest's files into an empty table gives.
func expectation(m generator.Manifest) *pipeline.Expectation {
	e := &pipeline.Expectation{Inserted: m.Totals.DistinctIDs, Duplicates: m.Totals.Duplicates, DeadLetters: m.Totals.DeadLetters()}
	for _, f := range m.Files {
		e.Files = append(e.Files, pipeline.ExpectedFile{Name: f.Name, Size: f.Bytes, Records: f.Events, Errors: f.Rejected})
	}
	return e
}

func (a *app) writeVerification(v *pipeline.Verification, output string) error {
	var err error
	if output == "json" {
		err = writeJSON(a.stdout, v)
	} else {
		err = writeFindings(a.stdout, v)
	}
	if err == nil && v.Off > 0 {
		err = errOff
	}
	return err
}

func writeFindings(w io.Writer, v *pipeline.Verification) error {
	if len(v.Findings) > 0 {
		t := newTable(w)
		t.row("OFF\tFILE\tLINE\tKEY\tPROBLEM")
		for _, f := range v.Findings {
			t.row("%s\t%s\t%s\t%s\t%s", f.Kind, printable(cmp.Or(f.File, f.Table, "-")), lineOf(f), printable(cmp.Or(f.Key, "-")), printable(f.Problem))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if v.Reread != nil {
		writeReread(w, v.Reread)
	}
	fmt.Fprintf(w, "%s (%d still loading, %d failed): %d records = %d inserted + %d updated + %d duplicates + %d stale + %d dead letters\n",
		count(v.Files, "file"), v.Loading, v.Failed, v.Records, v.Inserted, v.Updated, v.Duplicates, v.Stale, v.Errors)
	_, err := fmt.Fprintln(w, verdict(v))
	return err
}

func lineOf(f pipeline.Finding) string {
	if f.Line == 0 {
		return "-"
	}
	return fmt.Sprint(f.Line)
}

func writeReread(w io.Writer, r *pipeline.Reread) {
	for _, n := range r.NotChecked {
		fmt.Fprintf(w, "not checked  %s: %s\n", printable(cmp.Or(n.File, n.Table)), printable(n.Reason))
	}
	fmt.Fprintf(w, "%s read again, %s looked for", count(r.Files, "file"), count(r.Records, "record"))
	if r.Pending > 0 {
		fmt.Fprintf(w, "; %d not loaded yet", r.Pending)
	}
	if r.NotCheckedFiles > 0 {
		fmt.Fprintf(w, "; %s not checked", count(r.NotCheckedFiles, "file"))
	}
	fmt.Fprintln(w)
}

func verdict(v *pipeline.Verification) string {
	if v.Off == 0 {
		return "Everything adds up."
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(v.OffByKind)) {
		parts = append(parts, fmt.Sprintf("%d %s", v.OffByKind[kind], kind))
	}
	text := plural(v.Off, "finding") + ": " + strings.Join(parts, ", ")
	if n := int64(len(v.Findings)); n < v.Off {
		text += fmt.Sprintf("; the first %d are above", n)
	}
	return text
}
