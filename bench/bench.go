package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bench is one run of the harness.
type bench struct {
	options
	stderr  io.Writer
	dir     string // of all that it makes
	module  string // the project's folder
	program string // the one that is measured
	server  *server

	datasets map[dataSpec]*dataset
	// What several scenarios look at is done once.
	oneFileRuns []load
	large       *largeFile
	known       *knownFolder
}

// skipped is the reason why something can't be measured here.
type skipped string

func (s skipped) Error() string { return string(s) }

// stopBound is how long the end of a process may take that was told to end.
const stopBound = 30 * time.Second

// run measures the scenarios and reports them. The error is of the harness or of a
// candidate, never of a figure.
func run(ctx context.Context, o options, chosen []scenario, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "cartstream-bench-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	b := &bench{options: o, stderr: stderr, dir: dir, datasets: map[dataSpec]*dataset{}}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	r := report{Machine: b.describe()}
	for i, s := range chosen {
		b.say("[%d/%d] %s: %s", i+1, len(chosen), s.name, s.what)
		r.Outcomes = append(r.Outcomes, b.outcome(ctx, s))
		if ctx.Err() != nil {
			return errors.New("stopped")
		}
	}
	return errors.Join(r.write(o, stdout), r.failure())
}

// prepare builds the program and starts the server.
func (b *bench) prepare(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("looking for the project's sources: %w; run this in the project's folder", err)
	}
	b.module = strings.TrimSpace(string(out))
	if b.program, err = filepath.Abs(b.options.program); err != nil {
		return err
	}
	if b.options.program == "" {
		b.say("Building the program")
		b.program = filepath.Join(b.dir, "cartstream")
		build := command{path: "go", args: []string{"build", "-o", b.program, "./cmd/cartstream"}, dir: b.module}
		if _, err := build.run(ctx); err != nil {
			return err
		}
	}
	b.server, err = b.startServer(ctx)
	return err
}

// outcome runs a scenario. Whatever happens, the next one can run.
func (b *bench) outcome(ctx context.Context, s scenario) outcome {
	o := outcome{Scenario: s.name, What: s.what}
	measures, err := s.run(b, ctx)
	var reason skipped
	switch {
	case ctx.Err() != nil: // nobody reads on
	case errors.As(err, &reason):
		o.Skipped = string(reason)
		b.say("Skipped: %s: %s", s.name, reason)
	case err != nil:
		o.Failure = err.Error()
		b.say("Failed: %s: %s", s.name, err)
	}
	o.Measures = measures
	return o
}

// close stops the server and removes everything.
func (b *bench) close() error {
	var err error
	if b.server != nil {
		err = b.server.stop()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// say tells on stderr what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
