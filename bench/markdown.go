package main

import (
	"bytes"
	"fmt"
	"strings"
)

// markdown is the table for docs/performance_metrics.md.
func (r report) markdown() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "`%s`, %s. Min / median / max.\n\n", r.Machine.Command, r.Machine.summary())
	fmt.Fprint(&b, "| what | figures | against | result | bar | beyond | |\n|---|---|---|---|---|---|---|\n")
	for _, o := range r.Outcomes {
		for _, m := range o.Measures {
			m.writeRow(&b)
		}
		if o.Skipped != "" {
			fmt.Fprintf(&b, "| %s | skipped: %s | | | | | |\n", cell(o.What), cell(o.Skipped))
		}
		if o.Failure != "" {
			fmt.Fprintf(&b, "| %s | failed | | | | | |\n", cell(o.What))
		}
	}
	return b.Bytes(), nil
}

func (m measure) writeRow(b *bytes.Buffer) {
	what := m.What
	if m.Note != "" {
		what += " (" + m.Note + ")"
	}
	against, bar, beyond := "", "", ""
	if len(m.Series) > 1 {
		against = fmt.Sprintf("%s: %s %s", m.Series[1].Name, m.Series[1], m.Series[1].Unit)
	}
	if m.Verdict != "" {
		bar, beyond = number(m.Bar), number(m.Beyond)
	}
	fmt.Fprintf(b, "| %s | %s %s | %s | **%s** | %s | %s | %s |\n", cell(what), m.Series[0], m.Series[0].Unit, cell(against), withUnit(m.Value, m.Unit), bar, beyond, m.Verdict)
}

// cell is a text within a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}
