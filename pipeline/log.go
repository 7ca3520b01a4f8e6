package pipeline

import (
	"context"
	"log"
	"log/slog"
	"runtime"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/pipeline/jobserver"
)

// Init readies Beam and sends the log to the handler, without what Beam's own
// packages say. A program calls it at the beginning of its main. In a process
// that a cluster has started as a worker it works, and does not return.
func Init(handler slog.Handler) {
	jobserver.RunWorkerIfAsked()
	if !beam.Initialized() {
		beam.Init()
	}
	// Part of Beam logs by package log. With this flag SetDefault keeps who called.
	log.SetFlags(log.Lshortfile)
	slog.SetDefault(slog.New(withoutBeam{handler}))
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
