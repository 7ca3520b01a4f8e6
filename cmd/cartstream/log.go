package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// setUpLog sends log lines to stderr: for people, in colour on a terminal
// unless NO_COLOR is set, or as JSON.
func (a *app) setUpLog() error {
	level, err := a.level()
	if err != nil {
		return err
	}
	var handler slog.Handler
	switch a.logFormat {
	case "text":
		handler = tint.NewTextHandler(a.log, &tint.Options{
			Level:      level,
			TimeFormat: "15:04:05.000",
			NoColor:    os.Getenv("NO_COLOR") != "" || !isTerminal(a.stderr),
		})
	case "json":
		handler = slog.NewJSONHandler(a.log, &slog.HandlerOptions{Level: level})
	default:
		return fmt.Errorf("--log-format is %q, allowed are text and json", a.logFormat)
	}
	if !beam.Initialized() {
		beam.Init() // sets a logger of its own, hence first
	}
	slog.SetDefault(slog.New(withoutBeam{handler}))
	return nil
}

func (a *app) level() (level slog.Level, err error) {
	if a.quiet {
		return slog.LevelError, nil
	}
	switch a.logLevel {
	case "debug", "info", "warn", "error":
		err = level.UnmarshalText([]byte(a.logLevel))
		return level, err
	}
	return level, fmt.Errorf("--log-level is %q, allowed are debug, info, warn and error", a.logLevel)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// withoutBeam leaves out what Beam's packages log: plans and progress, which
// are for Beam's own developers, and several pages for each error. What ends a
// run comes back as the run's error.
type withoutBeam struct{ slog.Handler }

// Handle implements slog.Handler.
func (h withoutBeam) Handle(ctx context.Context, r slog.Record) error {
	frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	if strings.HasPrefix(frame.Function, "github.com/apache/beam/") {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h withoutBeam) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withoutBeam{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h withoutBeam) WithGroup(name string) slog.Handler {
	return withoutBeam{h.Handler.WithGroup(name)}
}
