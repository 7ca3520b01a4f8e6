package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// setUpLog sends log lines to stderr: for people, in colour on a terminal
// unless NO_COLOR is set, or as JSON.
func (a *app) setUpLog() error {
	var handler slog.Handler
	switch a.logFormat {
	case "text":
		handler = tint.NewTextHandler(a.stderr, &tint.Options{
			TimeFormat: "15:04:05.000",
			NoColor:    os.Getenv("NO_COLOR") != "" || !isTerminal(a.stderr),
		})
	case "json":
		handler = slog.NewJSONHandler(a.stderr, nil)
	default:
		return fmt.Errorf("--log-format is %q, allowed are text and json", a.logFormat)
	}
	if !beam.Initialized() {
		beam.Init() // sets a logger of its own, hence first
	}
	slog.SetDefault(slog.New(handler))
	beamlog.SetLogger(beamLogger{})
	return nil
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// beamLogger passes Beam's warnings and errors on, and keeps its plans and
// progress, which are for Beam's own developers, to the debug level.
type beamLogger struct{}

// Log implements Beam's Logger.
func (beamLogger) Log(ctx context.Context, severity beamlog.Severity, _ int, message string) {
	level := slog.LevelDebug
	switch {
	case severity >= beamlog.SevError:
		level = slog.LevelError
	case severity == beamlog.SevWarn:
		level = slog.LevelWarn
	}
	slog.Log(ctx, level, message)
}
