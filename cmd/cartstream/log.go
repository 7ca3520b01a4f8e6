package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/cartstream/cartstream/pipeline"
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
			Level:       level,
			TimeFormat:  "15:04:05.000",
			NoColor:     os.Getenv("NO_COLOR") != "" || !isTerminal(a.stderr),
			ReplaceAttr: printableAttr,
		})
	case "json":
		handler = slog.NewJSONHandler(a.log, &slog.HandlerOptions{Level: level})
	default:
		return fmt.Errorf("--log-format is %q, allowed are text and json", a.logFormat)
	}
	pipeline.Init(handler)
	return nil
}

// printableAttr escapes an attribute's text. The handler drops what follows ESC or
// a byte that is not UTF-8; on a terminal it writes ESC, also for the text \x1b.
func printableAttr(_ []string, attr slog.Attr) slog.Attr {
	text := ""
	switch v := attr.Value.Resolve(); v.Kind() {
	case slog.KindString:
		text = v.String()
	case slog.KindAny:
		err, ok := v.Any().(error)
		if !ok {
			return attr
		}
		text = err.Error()
	default:
		return attr
	}
	text = strings.ReplaceAll(escape(text, "\n"), `\x1b`, `\x1B`)
	return slog.String(attr.Key, text)
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
