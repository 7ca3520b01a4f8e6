//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/internal/embeddedpg"
)

// TestMain is the bare loader and the parser too, which the harness starts as
// processes of this program.
func TestMain(m *testing.M) {
	embeddedpg.RunChildIfAsked()
	if len(os.Args) > 1 && (os.Args[1] == ceilingName || os.Args[1] == parseName) {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestHarness measures a little of what does not take long. What a candidate
// loads is counted, so a scenario that works at all has loaded the right rows.
func TestHarness(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd := newCommand(&stdout, &stderr)
	cmd.SetArgs([]string{
		"--pg-bin", embedded, "--rows", "5000", "--rounds", "1",
		"--only", "one-file,ceiling,cpu,parse,start",
		"--json", filepath.Join(out, "figures.json"), "--svg", filepath.Join(out, "figures.svg"), "--markdown", filepath.Join(out, "figures.md"),
	})
	if err := cmd.ExecuteContext(context.Background()); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	text, err := os.ReadFile(filepath.Join(out, "figures.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Outcomes {
		if len(o.Measures) == 0 && !strings.Contains(o.Skipped, "psql") {
			t.Errorf("%s has no measure: %+v", o.Scenario, o)
		}
		for _, m := range o.Measures {
			if m.Value <= 0 || m.Verdict == "" {
				t.Errorf("%s: %+v", o.Scenario, m)
			}
		}
	}
	if r.Machine.PostgreSQL == "" || r.Machine.Beam == "unknown" {
		t.Errorf("measured on %+v", r.Machine)
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "cartstream-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}
