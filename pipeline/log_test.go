package pipeline

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
	"testing"
)

// The log of a program that called Init is its own: nothing of Beam's plans.
func TestInitKeepsBeamOutOfTheLog(t *testing.T) {
	logger, flags := slog.Default(), log.Flags()
	defer func() { slog.SetDefault(logger); log.SetFlags(flags) }()
	text := &bytes.Buffer{}
	Init(slog.NewTextHandler(text, nil))
	p := newPlace(t, RunnerDirect)
	p.add("a.csv")
	p.run(nil)
	slog.With("run", 1).WithGroup("g").Info("of the program")
	log.Print("by package log")
	for _, want := range []string{"Batch 1: Processed 9 records", "of the program", "by package log"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "Plan") || strings.Contains(line, "pipeline") || strings.Contains(line, "Beam") {
			t.Errorf("of Beam: %s", line)
		}
	}
}
