//go:build e2e

package main

import (
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// onTerminal starts the program with a terminal of so many columns for its
// output, and returns the terminal.
func (s *scene) onTerminal(columns uint16, args ...string) (*process, func(columns uint16)) {
	s.Helper()
	p := &process{scene: s, cmd: exec.Command(cartstream, args...), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.cmd.Dir = s.dir
	p.cmd.Env = append(append(plainEnvironment(), "DATABASE_URL="+s.url, "TERM=xterm"), s.environment...)
	terminal, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 24, Cols: columns})
	if err != nil {
		s.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(p.stderr, terminal) // ends with an error when the program has ended
		close(read)
	}()
	go func() {
		_ = p.cmd.Wait()
		<-read
		close(p.ended)
	}()
	s.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = terminal.Close()
	})
	return p, func(columns uint16) {
		if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
			s.Fatal(err)
		}
	}
}

var (
	colour  = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	logLine = regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d\d\d (INF|WRN|ERR) \S`)
)

// wantWholeLines has every line that is not the live one be a whole log line.
func wantWholeLines(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(colour.ReplaceAllString(text, "")) {
		line = strings.TrimRight(line, "\r\n")
		if i := strings.LastIndex(line, eraseLine); i >= 0 {
			line = line[i+len(eraseLine):]
		}
		if line != "" && !logLine.MatchString(line) {
			t.Errorf("no whole line: %q", line)
		}
	}
}

// liveLines are the lines of progress that were shown.
func liveLines(text string) (lines []string) {
	for part := range strings.SplitSeq(text, eraseLine) {
		if strings.Contains(part, "rows") && !logLine.MatchString(part) {
			line, _, _ := strings.Cut(part, "\r\n")
			lines = append(lines, line)
		}
	}
	return lines
}

// A person at a terminal sees how far the run is, and whole log lines above.
func TestProgressOnATerminal(t *testing.T) {
	for _, runner := range []string{"direct", "prism"} {
		t.Run(runner, func(t *testing.T) {
			s := newScene(t)
			s.generate(20_000, 1000)
			s.environment = []string{"NO_COLOR=1"}
			p, resize := s.onTerminal(200, "run", "--runner", runner, "--input", "in/*.csv", "--config", s.quick())
			says := func(what string) func() bool {
				return func() bool { return strings.Contains(p.stderr.String(), what) || p.hasEnded() }
			}
			s.eventually("20 files", says("20 files  20,000 rows  "))
			s.eventually("no backlog", says("backlog 0 files, 0 B"))
			wide := len(p.stderr.String())
			resize(30)
			s.write("in/new.csv", header+events(1, 5))
			s.eventually("the new file", says("21 files  20,005 rows"))
			for _, line := range liveLines(p.stderr.String()[wide:]) {
				if len(line) >= 200 {
					t.Errorf("%d columns: %q", len(line), line)
				}
			}
			s.eventually("a line of the new width", func() bool {
				lines := liveLines(p.stderr.String())
				return len(lines) > 0 && len(lines[len(lines)-1]) < 30
			})
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			p.endsWith(exitDone)
			text := p.stderr.String()
			wantWholeLines(t, text)
			if strings.Contains(text, "\x1b[3") || !strings.HasSuffix(text, "failed_files=0\r\n") {
				t.Errorf("colours, or no good end: %q", text)
			}
		})
	}
}

// A load of what is there has a bar and the time that is left.
func TestBarOnATerminal(t *testing.T) {
	for _, c := range []struct {
		name     string
		generate []string
		files    string
	}{
		{"many files", []string{"--batch-size", "20000"}, " of 20 files"},
		{"one archive", []string{"--batch-size", "400000", "--gzip"}, " of 1 file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.run(exitDone, append([]string{"generate", "--output", "in", "--interval", "0", "--count", "400000"}, c.generate...)...)
			p, _ := s.onTerminal(120, "run", "--available-now", "--input", "in/*")
			p.endsWith(exitDone)
			text := p.stderr.String()
			wantWholeLines(t, text)
			for _, want := range []string{"[====================] 100%", " left  ", c.files} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %q", want, text)
				}
			}
			if !onItsWay.MatchString(text) {
				t.Errorf("no share between 0%% and 100%%: %q", text)
			}
			if !colour.MatchString(text) {
				t.Errorf("no colours: %q", text)
			}
		})
	}
}

// onItsWay is a bar that is neither empty nor full.
var onItsWay = regexp.MustCompile(`\] +[1-9]\d?% `)

// Where nobody looks, or a program does, there is no live line.
func TestNoLiveLine(t *testing.T) {
	for _, c := range []struct {
		name        string
		flags       []string
		environment string
	}{
		{"dumb", nil, "TERM=dumb"},
		{"quiet", []string{"--quiet"}, ""},
		{"json", []string{"--log-format", "json"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.write("in/a.csv", header+events(1, 5))
			s.environment = []string{c.environment}
			p, _ := s.onTerminal(120, append(c.flags, "run", "--available-now", "--input", "in/*.csv")...)
			p.endsWith(exitDone)
			if text := p.stderr.String(); strings.Contains(text, eraseLine) {
				t.Errorf("got %q", text)
			}
		})
	}
}
