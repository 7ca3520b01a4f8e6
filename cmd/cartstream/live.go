package main

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/cartstream/cartstream/pipeline"
)

// liveLine keeps one line at the bottom of a terminal. What is written to it
// otherwise goes above that line.
type liveLine struct {
	mu   sync.Mutex
	w    io.Writer
	line string
}

const eraseLine = "\r\x1b[K"

// Write implements io.Writer for whole lines.
func (l *liveLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == "" {
		return l.w.Write(p)
	}
	text := append([]byte(eraseLine), p...)
	if _, err := l.w.Write(append(text, l.line...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show replaces the line; an empty one is none.
func (l *liveLine) show(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line != l.line {
		l.line = line
		_, _ = io.WriteString(l.w, eraseLine+line) // a terminal that is gone misses nothing
	}
}

// follow returns what is to be told of a run's progress, and what is to be
// called at its end: a line on a terminal, elsewhere a log line from time to
// time.
func (a *app) follow(availableNow bool) (tell func(pipeline.Progress), end func()) {
	rates := &rates{}
	if !a.live() {
		return logProgress(rates, availableNow), func() {}
	}
	tell = func(p pipeline.Progress) {
		rates.add(time.Now(), p)
		width, _, err := term.GetSize(int(a.stderr.(*os.File).Fd()))
		if err != nil || width < 1 {
			width = 80
		}
		a.log.show(progressLine(p, rates, availableNow, width-1))
	}
	return tell, func() { a.log.show("") }
}

// live tells whether a line that is written anew again and again makes sense.
func (a *app) live() bool {
	return isTerminal(a.stderr) && os.Getenv("TERM") != "dumb" && !a.quiet && a.logFormat == "text"
}

// progressEvery is how often work that goes on is logged.
const progressEvery = 10 * time.Second

func logProgress(rates *rates, availableNow bool) func(pipeline.Progress) {
	last := time.Now()
	var records int64
	return func(p pipeline.Progress) {
		now := time.Now()
		rates.add(now, p)
		if now.Sub(last) < progressEvery {
			return
		}
		last = now
		if p.Records == records {
			return
		}
		records = p.Records
		attrs := []any{"records", p.Records, "files", p.Files, "backlog_files", p.Backlog.Files, "backlog_bytes", p.Backlog.Bytes, "dead_letters", p.DeadLetters}
		if left, known := rates.left(p); known && availableNow {
			attrs = append(attrs, "left", left.Round(time.Second).String())
		}
		slog.Info("Progress", attrs...)
	}
}
