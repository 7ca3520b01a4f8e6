package watchio

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// logs records what is logged while a test runs, as "LEVEL message value…".
type logs struct {
	mu    sync.Mutex
	lines []string
}

func recordLogs(t *testing.T) *logs {
	l := &logs{}
	before := slog.Default()
	slog.SetDefault(slog.New(l))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

func (l *logs) Enabled(context.Context, slog.Level) bool { return true }
func (l *logs) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logs) WithGroup(string) slog.Handler            { return l }

func (l *logs) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "error" {
			line += fmt.Sprint(" ", a.Value)
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	// Beam logs here too.
	caller, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	if strings.Contains(caller.Function, "/watchio.") {
		l.lines = append(l.lines, line)
	}
	return nil
}

// want takes what was logged since the last call.
func (l *logs) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Errorf("logged\n  %s\nwant\n  %s", strings.Join(l.lines, "\n  "), strings.Join(want, "\n  "))
	}
	l.lines = nil
}
