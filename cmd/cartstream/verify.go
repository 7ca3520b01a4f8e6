package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/generator"
	"github.com/cartstream/cartstream/pipeline"
)

var errOff = errors.New("something is off; the findings above say what")

func newVerify(a *app) *cobra.Command {
	var output, manifest string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing is missing: the equation for every file",
		Long: `Checks, for every file and in total, that
records = inserted + updated + duplicates + stale + dead letters, that ranges cover each
file without gap or overlap, that the dead letters are there, and that the table
has all the rows that were inserted. With --manifest also that all files of a
generator's manifest (known by name and size) are in, to the row.
Exit status 1 when something is off.`,
		Example: `  cartstream verify
  cartstream verify --manifest manifest.json --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			var expected *pipeline.Expectation
			if manifest != "" {
				m, err := generator.ReadManifest(manifest)
				if err != nil {
					return failed(err)
				}
				expected = expectation(m)
			}
			settings, err := a.settings()
			if err != nil {
				return err
			}
			v, err := pipeline.Verify(cmd.Context(), settings, pipeline.DatabaseOf(settings), expected)
			if err != nil {
				return failed(err)
			}
			return failed(a.writeVerification(v, output))
		},
	}
	cmd.Flags().StringVar(&manifest, "manifest", "", "manifest of 'cartstream generate' to check against")
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
	if err == nil && len(v.Findings) > 0 {
		err = errOff
	}
	return err
}

func writeFindings(w io.Writer, v *pipeline.Verification) error {
	for _, f := range v.Findings {
		if _, err := fmt.Fprintf(w, "OFF  %s %s: %s\n", f.Table, printable(f.File), f.Problem); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d files (%d still loading, %d failed): %d records = %d inserted + %d updated + %d duplicates + %d stale + %d dead letters\n%s\n",
		v.Files, v.Loading, v.Failed, v.Records, v.Inserted, v.Updated, v.Duplicates, v.Stale, v.Errors, verdict(v))
	return err
}

func verdict(v *pipeline.Verification) string {
	if n := len(v.Findings); n > 0 {
		return fmt.Sprintf("%d findings", n)
	}
	return "Everything adds up."
}
