//go:build unix

package generator

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary starts itself as a generator that may be killed or limited.
const (
	childFolder = "GENERATOR_TEST_FOLDER"
	childLimit  = "GENERATOR_TEST_FILE_LIMIT"
	childBatch  = 3000
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		os.Exit(child(folder))
	}
	os.Exit(m.Run())
}

// child generates until it is ended, and prints the error of its run.
func child(folder string) int {
	if os.Getenv(childLimit) != "" {
		// Ignored, the signal becomes the error of the write.
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 200 << 10, Max: 200 << 10}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := DefaultOptions()
	o.OutputPath, o.Interval, o.Start, o.BatchSize = folder, 0, start, childBatch
	if _, err := Run(ctx, o, slog.New(slog.DiscardHandler)); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func startChild(t *testing.T, folder string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childFolder+"="+folder), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// waitForFiles waits until more than n visible files are there.
func waitForFiles(t *testing.T, folder string, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		names, err := filepath.Glob(filepath.Join(folder, "events_*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) > n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files after 30 s, want more than %d", len(names), n)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestKilledInTheMiddleLeavesNoHalfFile(t *testing.T) {
	folder := t.TempDir()
	for range 5 {
		cmd := startChild(t, folder)
		waitForFiles(t, folder, len(contents(t, folder)))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its error says that it was killed
		for name, text := range contents(t, folder) {
			checkWhole(t, name, text, childBatch)
		}
	}
}

func TestSIGTERMEndsWellAndLeavesNothingHidden(t *testing.T) {
	folder := t.TempDir()
	cmd := startChild(t, folder)
	waitForFiles(t, folder, 0)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for name, text := range contents(t, folder) {
		checkWhole(t, name, text, childBatch)
	}
	checkNothingHidden(t, folder)
}

// TestNoRoomForAFile has the system refuse to let a file grow, as a full disk
// does.
func TestNoRoomForAFile(t *testing.T) {
	folder := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder, childLimit+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("ended with %v: %s", err, out)
	}
	for _, want := range []string{folder, ".tmp_events_20260129_100000_000001.csv: file too large", "fewer events to a file"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("message %q does not say %q", out, want)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestReaderNeverSeesHalfAFile looks at each file at the moment it appears.
func TestReaderNeverSeesHalfAFile(t *testing.T) {
	for _, zip := range []bool{false, true} {
		o := options(t)
		o.Files, o.BatchSize, o.Gzip = 100, 1500, zip
		done := make(chan error, 1)
		go func() {
			_, err := Run(t.Context(), o, slog.New(slog.DiscardHandler))
			done <- err
		}()
		seen := map[string]bool{}
		for running := true; running; {
			select {
			case err := <-done:
				running = false
				if err != nil {
					t.Error(err)
				}
			default:
			}
			readNew(t, o, seen)
		}
		if len(seen) != int(o.Files) {
			t.Errorf("%d files seen, want %d", len(seen), o.Files)
		}
	}
}

func readNew(t *testing.T, o Options, seen map[string]bool) {
	t.Helper()
	entries, err := os.ReadDir(o.OutputPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if seen[name] || strings.HasPrefix(name, ".") {
			continue
		}
		seen[name] = true
		text, err := os.ReadFile(filepath.Join(o.OutputPath, name))
		if err != nil {
			t.Fatal(err)
		}
		if o.Gzip {
			text = unzip(t, text)
		}
		checkWhole(t, name, text, o.BatchSize)
	}
}
