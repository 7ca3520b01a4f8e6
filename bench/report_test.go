package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// someReport has all that a report can hold.
func someReport() report {
	ours, theirs := newSeries("cartstream <run>", perSecond, 400_000, 300_000, 350_000), newSeries(`psql \copy`, perSecond, 175_000)
	noted := newRatio("a | b", goal{1.4, 1.8}, ours, newSeries("other & older", perSecond, 500_000))
	noted.Note = "as it is"
	return report{
		Machine: machine{Command: "go run ./bench", Date: "2026-01-29", Cores: 2, System: "linux/amd64", Go: "go1.26.8", Beam: "v2.77.0", PostgreSQL: "15.18"},
		Outcomes: []outcome{
			{Scenario: "one", What: "first", Measures: []measure{newRatio("1,000,000 rows", goal{1.6, 2}, ours, theirs), noted}},
			{Scenario: "two", What: "second", Measures: []measure{newFigure("memory", goal{250, 150}, 260, newSeries("run", "MB", 260))}},
			{Scenario: "three", What: "third", Skipped: "psql is not found"},
			{Scenario: "four", What: "fourth", Failure: "no row came"},
		},
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	r := someReport()
	r.writeText(&b)
	for _, want := range []string{
		"go run ./bench: 2 cores, linux/amd64, PostgreSQL 15.18", "Go 1.26.8, Beam 2.77.0",
		"300,000 / 350,000 / 400,000 rows/s", "2×   bar 1.60   beyond 2   beyond", "260 MB   bar 250   beyond 150   below",
		"0.70×   bar 1.40", "(as it is)", "three: third\n    skipped: psql is not found", "four: fourth\n    failed: no row came",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestMarkdownIsOneTable(t *testing.T) {
	text, err := someReport().markdown()
	if err != nil {
		t.Fatal(err)
	}
	head, table, _ := strings.Cut(string(text), "\n\n")
	if !strings.HasPrefix(head, "`go run ./bench`, 2 cores") {
		t.Errorf("it begins with %s", head)
	}
	rows := strings.Split(strings.TrimSpace(table), "\n")
	for _, row := range rows {
		if n := strings.Count(strings.ReplaceAll(row, `\|`, ""), "|"); n != 8 {
			t.Errorf("%d bars are in %s", n, row)
		}
	}
	want := `| 1,000,000 rows | 300,000 / 350,000 / 400,000 rows/s | psql \copy: 175,000 rows/s | **2×** | 1.60 | 2 | beyond |`
	if len(rows) != 7 || rows[2] != want {
		t.Errorf("got %d rows\n%s\nwant\n%s", len(rows), rows[2], want)
	}
}

func TestChartIsWellFormed(t *testing.T) {
	text, err := someReport().chart()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if chars, is := token.(xml.CharData); is && strings.TrimSpace(string(chars)) != "" {
			texts = append(texts, string(chars))
		}
	}
	// The candidates once each, ours first, then the fastest; nothing that is not in rows a second.
	want := []string{"1,000,000 rows", "cartstream <run>", "350,000", "other & older", "500,000", `psql \copy`, "175,000"}
	if got := strings.Join(texts[:len(texts)-1], "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the texts are\n%s", got)
	}
	if !bytes.Contains(text, []byte(`<rect width="440"`)) || !bytes.Contains(text, []byte(`<rect width="154"`)) {
		t.Errorf("the bars are not 440 and 154 wide in\n%s", text)
	}
}

func TestFilesAreWrittenOnRequest(t *testing.T) {
	o := options{json: filepath.Join(t.TempDir(), "figures.json")}
	if err := someReport().write(o, io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.json)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if m := back.Outcomes[0].Measures[0]; m.Verdict != beyond || m.Bar != 1.6 || m.Series[1].Median != 175_000 {
		t.Errorf("got back %+v", m)
	}
}

func TestOnlyFailuresFail(t *testing.T) {
	r := someReport()
	if err := r.failure(); err == nil || !strings.HasSuffix(err.Error(), ": four") {
		t.Errorf("got %v", err)
	}
	r.Outcomes = r.Outcomes[:3]
	if err := r.failure(); err != nil {
		t.Errorf("a figure below its bar or a scenario that is skipped gives %v", err)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 2: "2", 1.6: "1.60", 0.014: "0.01", 12.34: "12.3", 123.4: "123", 1234567.8: "1,234,568", -1.5: "-1.50",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
