package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// report is what a run of the harness found.
type report struct {
	Machine  machine   `json:"machine"`
	Outcomes []outcome `json:"outcomes"`
}

// outcome is what became of a scenario: its measures, or why there are none, or not
// all.
type outcome struct {
	Scenario string    `json:"scenario"`
	What     string    `json:"what"`
	Measures []measure `json:"measures,omitempty"`
	Skipped  string    `json:"skipped,omitempty"`
	Failure  string    `json:"failure,omitempty"`
}

// write writes the text to stdout, and the files that are wanted.
func (r report) write(o options, stdout io.Writer) error {
	r.writeText(stdout)
	for _, f := range []struct {
		path  string
		bytes func() ([]byte, error)
	}{
		{o.json, r.json}, {o.svg, r.chart}, {o.markdown, r.markdown},
	} {
		if f.path == "" {
			continue
		}
		content, err := f.bytes()
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r report) json() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

// failure names the scenarios that failed; a figure below its bar is none.
func (r report) failure() error {
	var failed []string
	for _, o := range r.Outcomes {
		if o.Failure != "" {
			failed = append(failed, o.Scenario)
		}
	}
	if failed == nil {
		return nil
	}
	return errors.New("these scenarios failed, as said above: " + strings.Join(failed, ", "))
}

func (r report) writeText(w io.Writer) {
	fmt.Fprintln(w, r.Machine)
	for _, o := range r.Outcomes {
		fmt.Fprintln(w)
		for _, m := range o.Measures {
			m.writeText(w)
		}
		if o.Skipped != "" {
			fmt.Fprintf(w, "%s: %s\n    skipped: %s\n", o.Scenario, o.What, o.Skipped)
		}
		if o.Failure != "" {
			fmt.Fprintf(w, "%s: %s\n    failed: %s\n", o.Scenario, o.What, o.Failure)
		}
	}
}

func (m measure) writeText(w io.Writer) {
	fmt.Fprintln(w, m.What)
	for _, s := range m.Series {
		fmt.Fprintf(w, "    %-34s %s %s\n", s.Name, s, s.Unit)
	}
	if m.Note != "" {
		fmt.Fprintf(w, "    (%s)\n", m.Note)
	}
	fmt.Fprintf(w, "    %s", withUnit(m.Value, m.Unit))
	if m.Verdict != "" {
		fmt.Fprintf(w, "   bar %s   beyond %s   %s", number(m.Bar), number(m.Beyond), m.Verdict)
	}
	fmt.Fprintln(w)
}

// String has the least, the median and the largest value.
func (s series) String() string {
	if len(s.Values) == 1 {
		return number(s.Median)
	}
	return number(s.Min) + " / " + number(s.Median) + " / " + number(s.Max)
}

func withUnit(v float64, unit string) string {
	if unit == times {
		return number(v) + unit
	}
	return number(v) + " " + unit
}

// number has three digits or more, and commas between thousands.
func number(v float64) string {
	decimals := 0
	switch size := math.Abs(v); {
	case v == math.Trunc(v):
	case size < 10:
		decimals = 2
	case size < 100:
		decimals = 1
	}
	return message.NewPrinter(language.English).Sprintf("%.*f", decimals, v)
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return number(float64(n)) + " " + what
}
