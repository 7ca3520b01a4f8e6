package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// command is a program to run.
type command struct {
	path string
	args []string
	env  []string // added to the environment
	dir  string
}

// usage is what a command took, from start to exit.
type usage struct {
	wall, cpu time.Duration // cpu in user and system
	resident  int64         // bytes at the peak
	stdout    []byte
}

// saidBytes of what a command said stand in its error.
const saidBytes = 2000

// run runs the command to its end, which is told to come when ctx ends.
func (c command) run(ctx context.Context) (usage, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Dir, cmd.Env = c.dir, append(neutralEnv(), c.env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopBound
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", filepath.Base(c.path), err, said(stderr.Bytes(), stdout.Bytes()))
	}
	u := usageOf(cmd.ProcessState)
	u.wall, u.stdout = wall, stdout.Bytes()
	return u, nil
}

// usageOf takes the kernel's account. Its peak of memory counts what this process
// held when it started the other, so this one must stay small.
func usageOf(s *os.ProcessState) usage {
	u := usage{cpu: s.UserTime() + s.SystemTime()}
	if r, ok := s.SysUsage().(*syscall.Rusage); ok {
		u.resident = r.Maxrss
		if runtime.GOOS != "darwin" { // there in bytes, elsewhere in KiB (getrusage)
			u.resident *= 1024
		}
	}
	return u
}

func said(outputs ...[]byte) string {
	for _, out := range outputs {
		if text := strings.TrimSpace(string(out)); text != "" {
			return text[max(0, len(text)-saidBytes):]
		}
	}
	return "it said nothing"
}

// neutralEnv is the environment without what would change how candidates work or
// where they connect to.
func neutralEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "PG") || strings.HasPrefix(e, "DATABASE_URL") || strings.HasPrefix(e, "CARTSTREAM_") {
			continue
		}
		env = append(env, e)
	}
	return env
}
