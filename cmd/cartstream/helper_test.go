//go:build e2e

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/generator"
	"github.com/cartstream/cartstream/internal/embeddedpg"
	"github.com/cartstream/cartstream/internal/pgtest"
)

// bound is how long anything that must happen may take on a slow machine.
const bound = 90 * time.Second

// cartstream is the path of the program, built from this folder.
var cartstream string

func TestMain(m *testing.M) {
	embeddedpg.RunChildIfAsked()
	pgtest.Main(withProgram{m})
}

// withProgram builds the program before the tests and removes it after them.
type withProgram struct{ *testing.M }

func (w withProgram) Run() int {
	dir, err := os.MkdirTemp("", "cartstream-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cartstream = filepath.Join(dir, "cartstream")
	build := exec.Command("go", "build", "-tags", "e2e", "-o", cartstream, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return w.M.Run()
}

// scene is a folder and a database, and what is run in them.
type scene struct {
	*testing.T
	dir string
	// url is how the processes reach the database, admin how the test looks
	// into it.
	url, admin string
	// environment is added to that of the processes.
	environment []string
}

// newScene has an empty folder and an empty database, which the processes use
// as its owner, without any other right.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := sceneAt(t, "")
	s.url, s.admin = pgtest.Owned(t)
	return s
}

func sceneAt(t *testing.T, url string) *scene {
	t.Helper()
	return &scene{T: t, dir: t.TempDir(), url: url, admin: url}
}

// onEachRunner runs a test on each runner.
func onEachRunner(t *testing.T, test func(t *testing.T, runner string)) {
	for _, runner := range []string{"direct", "prism"} {
		t.Run(runner, func(t *testing.T) { test(t, runner) })
	}
}

// checksOften has the processes check every second what they check every minute.
func (s *scene) checksOften() { s.environment = append(s.environment, "E2E_RECHECK=1s") }

// path is that of a file in the scene's folder.
func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// write writes a file whole, as a good neighbour does: under a hidden name that
// is renamed at the end.
func (s *scene) write(name, content string) {
	s.Helper()
	path := s.path(name)
	temp := filepath.Join(filepath.Dir(path), ".writing")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(temp, []byte(content), 0o644); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		s.Fatal(err)
	}
}

// generate has the generator write files of so many events into in/, with all
// kinds of faults, and returns its manifest, which is written to manifest.json.
func (s *scene) generate(events, batch int) generator.Manifest {
	s.Helper()
	s.run(exitDone, "generate", "--output", "in", "--interval", "0", "--seed", "7",
		"--count", fmt.Sprint(events), "--batch-size", fmt.Sprint(batch),
		"--duplicate-rate", "0.02", "--invalid-rate", "0.01", "--corrupt-rate", "0.01", "--future-rate", "0.005",
		"--manifest", "manifest.json")
	m, err := generator.ReadManifest(s.path("manifest.json"))
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// loadAll loads what is in in/ now.
func (s *scene) loadAll(want int) *process {
	s.Helper()
	return s.run(want, "run", "--available-now", "--input", "in/*")
}

// verifyManifest has the program check the database against the manifest and
// against the files, all of which are there. Those of another table are left
// out.
func (s *scene) verifyManifest() {
	s.Helper()
	p := s.run(exitDone, "verify", "--files", "--manifest", "manifest.json")
	if text := p.stdout.String(); !strings.Contains(text, "Everything adds up.") || strings.Contains(text, "not checked  /") {
		s.Fatalf("verify: %s", p)
	}
}

// query returns the rows of a query, the columns of each parted by " | ".
func (s *scene) query(sql string, args ...any) []string {
	s.Helper()
	rows, err := s.tryQuery(sql, args...)
	if err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func (s *scene) tryQuery(sql string, args ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = fmt.Sprint(v)
		}
		return strings.Join(texts, " | "), err
	})
}

// expect compares the rows of a query.
func (s *scene) expect(sql string, want ...string) {
	s.Helper()
	if got := s.query(sql); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.Errorf("%s\ngot:\n%s\nwant:\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// count returns the number that a query gives, 0 while what it asks about does
// not exist or the server does not answer.
func (s *scene) count(sql string) int {
	rows, err := s.tryQuery(sql)
	var n int
	if err == nil && len(rows) == 1 {
		_, _ = fmt.Sscan(rows[0], &n)
	}
	return n
}

// eventually waits until something is so.
func (s *scene) eventually(what string, isSo func() bool) {
	s.Helper()
	for end := time.Now().Add(bound); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("never came: %s", what)
		}
	}
}

// loadUnfinished has files loaded at once that end in the middle of something.
func (s *scene) loadUnfinished() {
	s.environment = append(s.environment, "CARTSTREAM_STREAMING_UNFINISHED_WAIT=0s")
}

const (
	countRows   = `select count(*) from user_events`
	countRanges = `select count(*) from cartstream.ranges`
	countLoaded = `select count(*) from cartstream.load_history where status = 'loaded'`
)

// process is the program at work.
type process struct {
	*scene
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{}
}

// start starts the program in the scene's folder.
func (s *scene) start(args ...string) *process {
	s.Helper()
	p := &process{scene: s, cmd: exec.Command(cartstream, args...), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.launch()
	return p
}

// launch starts what p.cmd says, and ends it with the test.
func (p *process) launch() {
	p.Helper()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, p.stdout, p.stderr
	p.cmd.Env = append(plainEnvironment(), "DATABASE_URL="+p.url)
	p.cmd.Env = append(p.cmd.Env, p.environment...)
	if err := p.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	p.Cleanup(func() {
		if p.Failed() {
			p.Logf("what it said: %s", p)
		}
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
}

// plainEnvironment is that of the test without what names a database.
func plainEnvironment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "DATABASE_URL=") {
			env = append(env, v)
		}
	}
	return env
}

// run runs the program to its end, which must be with this exit status.
func (s *scene) run(want int, args ...string) *process {
	s.Helper()
	p := s.start(args...)
	p.endsWith(want)
	return p
}

func (p *process) signal(sig syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.Fatalf("%v: %s", err, p)
	}
}

// endsWith waits for the end.
func (p *process) endsWith(want int) {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(bound):
		p.Fatalf("still runs: %s", p)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		p.Fatalf("ended with %s, want exit status %d: %s", p.cmd.ProcessState, want, p)
	}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill9 ends the process as the kernel does when memory runs out.
func (p *process) kill9() {
	p.Helper()
	p.signal(syscall.SIGKILL)
	<-p.ended
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		p.Fatalf("the process ended before it was killed: %s", p)
	}
}

// says waits until the process has logged a text.
func (p *process) says(text string) {
	p.Helper()
	for end := time.Now().Add(bound); !strings.Contains(p.stderr.String(), text); time.Sleep(5 * time.Millisecond) {
		if p.hasEnded() && !strings.Contains(p.stderr.String(), text) {
			p.Fatalf("ended without saying %q: %s", text, p)
		}
		if time.Now().After(end) {
			p.Fatalf("never said %q: %s", text, p)
		}
	}
}

// mustSay checks what a process that has ended logged.
func (p *process) mustSay(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if !strings.Contains(p.stderr.String(), text) {
			p.Errorf("did not say %q: %s", text, p)
		}
	}
}

func (p *process) String() string {
	return fmt.Sprintf("%s\n--- stdout\n%s--- stderr\n%s", p.cmd, p.stdout, p.stderr)
}
