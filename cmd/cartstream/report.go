package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func (a *app) showReport(cmd *cobra.Command, d pipeline.Database, path, output string) error {
	reports, err := pipeline.Report(cmd.Context(), d, path)
	if err != nil {
		return err
	}
	if len(reports) == 0 {
		return fmt.Errorf("nothing is known of %s; 'cartstream history --file %s' finds files by a part of their path", printable(path), printable(path))
	}
	if output == "json" {
		return writeJSON(a.stdout, reports)
	}
	for i, r := range reports {
		if i > 0 {
			_, _ = fmt.Fprintln(a.stdout) // the next write has the error
		}
		if err := writeReport(a.stdout, r); err != nil {
			return err
		}
	}
	return nil
}

func writeReport(w io.Writer, r pipeline.FileReport) error {
	t := newTable(w)
	t.row("%s into %s", printable(r.File), r.Table)
	t.row("  version\t%d bytes, modified %s", r.Size, stamp(r.Modified))
	t.row("  status\t%s", r.Status)
	t.row("  records\t%d = %d inserted + %d updated + %d duplicates + %d stale + %d dead letters", r.Records, r.Inserted, r.Updated, r.Duplicates, r.Stale, r.Errors)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Outcomes) > 0 {
		t.row("  WHEN\tHELD UP\tBY\tWHY")
		for _, o := range r.Outcomes {
			t.row("  %s\t%s\t%s\t%s", stamp(o.At), o.Status, o.Code, printable(at(o.Line, o.Column)+o.Message))
		}
	}
	if len(r.DeadLetters) > 0 {
		t.row("  DEAD LETTERS\tCODE\tTHE FIRST")
		for _, d := range r.DeadLetters {
			t.row("  %d\t%s\t%s", d.Count, d.Code, printable(at(&d.FirstLine, d.Column)+d.FirstMessage))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t.row("  RANGE\tBYTES\tFROM LINE\tRECORDS\tINSERTED\tUPDATED\tDUPLICATES\tSTALE\tDEAD LETTERS\tCOMMITTED")
	for _, g := range r.Ranges {
		t.row("  %d\t%d to %d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s", g.Index, g.Start, g.End, g.FirstLine,
			g.Records, g.Inserted, g.Updated, g.Duplicates, g.Stale, g.DeadLetters, stamp(g.Committed))
	}
	return t.Flush()
}
