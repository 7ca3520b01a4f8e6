package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// execute runs the command with arguments that let nothing be measured.
func execute(args ...string) (string, error) {
	var stdout bytes.Buffer
	cmd := newCommand(&stdout, io.Discard)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return stdout.String(), err
}

func TestListHasWhatWouldRun(t *testing.T) {
	for _, c := range []struct {
		args      []string
		want, not []string
	}{
		{nil, []string{"one-file", "memory", "generate"}, []string{"peers", "ceiling-"}},
		{[]string{"--peers"}, []string{"peers-one-file", "peers-small-files"}, []string{"memory"}},
		{[]string{"--short"}, []string{"one-file", "latency"}, []string{"memory", "peers"}},
		{[]string{"--only", "memory,upsert", "--short"}, []string{"memory", "upsert"}, []string{"one-file"}},
	} {
		out, err := execute(append(c.args, "--list")...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains("\n"+out, "\n"+want) {
				t.Errorf("%v: %s is not in\n%s", c.args, want, out)
			}
		}
		for _, not := range c.not {
			if strings.Contains("\n"+out, "\n"+not) {
				t.Errorf("%v: %s is in\n%s", c.args, not, out)
			}
		}
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"--only", "one-fil", `--only: there is no scenario "one-fil"`},
		{"--rows", "10", "--rows is 10, must be 1000 or more"},
		{"--rounds", "0", "--rounds is 0, must be 1 or more"},
	} {
		if _, err := execute(c.flag, c.value, "--list"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.flag, c.value, err, c.want)
		}
	}
	if _, err := findPrograms(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no initdb and postgres") {
		t.Errorf("an empty folder as --pg-bin: %v", err)
	}
}

func TestCommandIsToldWithoutTheNamesOfFiles(t *testing.T) {
	cmd := newCommand(io.Discard, io.Discard)
	flags := cmd.Flags()
	if err := flags.Parse([]string{"--json", "/home/x.json", "--only", "upsert,one-file", "--short", "--rows", "5000"}); err != nil {
		t.Fatal(err)
	}
	if got := typed(flags); got != "go run ./bench --only upsert,one-file --rows 5000 --short" {
		t.Errorf("got %s", got)
	}
}
