package jobserver

import (
	"context"
	"log/slog"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
)

// logToRunner has all log lines of this process go to the runner, where those
// of a worker are looked for: Flink shows them in the log of its TaskManager.
func logToRunner() { slog.SetDefault(slog.New(&runnerLog{})) }

// runnerLog is a slog.Handler over the SDK's logger.
type runnerLog struct {
	group string
	attrs []string
}

func (h *runnerLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (h *runnerLog) Handle(ctx context.Context, r slog.Record) error {
	parts := append([]string{r.Message}, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		parts = append(parts, h.word(a))
		return true
	})
	const callDepth = 3 // Handle, slog's log, slog's Info
	log.Output(ctx, severity(r.Level), callDepth, strings.Join(parts, " "))
	return nil
}

func (h *runnerLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	own := &runnerLog{group: h.group, attrs: h.attrs[:len(h.attrs):len(h.attrs)]}
	for _, a := range attrs {
		own.attrs = append(own.attrs, h.word(a))
	}
	return own
}

func (h *runnerLog) WithGroup(name string) slog.Handler {
	return &runnerLog{group: h.group + name + ".", attrs: h.attrs}
}

func (h *runnerLog) word(a slog.Attr) string { return h.group + a.Key + "=" + a.Value.String() }

func severity(level slog.Level) log.Severity {
	switch {
	case level >= slog.LevelError:
		return log.SevError
	case level >= slog.LevelWarn:
		return log.SevWarn
	case level >= slog.LevelInfo:
		return log.SevInfo
	}
	return log.SevDebug
}
