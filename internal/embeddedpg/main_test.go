package embeddedpg

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperEnv asks the test binary to be a program that starts a server in the
// folder it names, says so, and waits to be killed.
const helperEnv = "EMBEDDEDPG_TEST_HELPER"

func TestMain(m *testing.M) {
	RunChildIfAsked()
	if dir := os.Getenv(helperEnv); dir != "" {
		help(dir)
	}
	// The race detector has every process wait a second before it exits; the
	// many children here need not.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// said is what the helper program says.
type said struct{ Error, URL, Dir, Cache string }

func help(dir string) {
	s, err := Start(context.Background(), Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	out := said{}
	if err != nil {
		out.Error = err.Error()
	} else {
		out = said{URL: s.URL(), Dir: s.Dir, Cache: s.place.Cache}
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err == nil {
		err = s.Stop(context.Background())
	}
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// startHelper runs the helper program and returns it with what it said.
func startHelper(t *testing.T, dir string, change func(*exec.Cmd)) (*exec.Cmd, io.Closer, said) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	cmd.Stderr = os.Stderr
	if change != nil {
		change(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var s said
	if err := json.NewDecoder(stdout).Decode(&s); err != nil {
		t.Fatalf("the helper program said nothing: %v", err)
	}
	return cmd, stdin, s
}

// dataDir returns a folder that the database's user can reach, which t.TempDir
// is not for root.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embeddedpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "postgres")
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// startFails starts a server and returns the error that it must give.
func startFails(t *testing.T, o Options) string {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), o)
	if err == nil {
		stop(t, s)
		t.Fatal("the server started")
	}
	return err.Error()
}

func wantAll(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func queryText(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not so: %s", what)
		}
		time.Sleep(pollInterval)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	out, err := exec.Command("ps", "-o", "ppid=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("ps is not there: %v", err)
		}
		t.Skipf("ps is not there: %v", err)
	}
	parent, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

func mustPid(t *testing.T, dir string) int {
	t.Helper()
	pid, _ := readPidFile(dir)
	if pid == 0 {
		t.Fatalf("no server's pid in %s", dir)
	}
	return pid
}
