package files

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// wantWriting probes a path until it has the condition that is wanted.
func wantWriting(t *testing.T, path string, want Writing) {
	t.Helper()
	var got Writing
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c, err := Probe(record.File{Path: path})
		check(t, err)
		if got = c.Writing; got == want {
			return
		}
	}
	t.Fatalf("%s: writing is %d, want %d", path, got, want)
}

func TestFileIsOpenExactlyWhileAProcessHasItOpenForWriting(t *testing.T) {
	for name, flag := range map[string]int{"write only": os.O_WRONLY, "read and write": os.O_RDWR, "append": os.O_WRONLY | os.O_APPEND} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.csv")
			write(t, path, "x\n", 0)
			wantWriting(t, path, WritingClosed)
			reader, err := os.Open(path)
			check(t, err)
			defer reader.Close()
			wantWriting(t, path, WritingClosed)
			writer, err := os.OpenFile(path, flag, 0)
			check(t, err)
			wantWriting(t, path, WritingOpen)
			if got := WritingOf(reader); got != WritingOpen {
				t.Errorf("the open file: writing is %d", got)
			}
			check(t, os.Rename(path, path+".moved"))
			wantWriting(t, path+".moved", WritingOpen)
			check(t, writer.Close())
			wantWriting(t, path+".moved", WritingClosed)
		})
	}
}

func TestWriterIsNamedUntilItIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `exec 3>"$0"; printf 'half' >&3; exec sleep 600`, path)
	check(t, cmd.Start())
	waitFor(t, "the writer", func() bool { return len(Writers(path)) == 1 && Writers(path)[0].Command == "sleep" })
	if got := Writers(path)[0].PID; got != cmd.Process.Pid {
		t.Errorf("the writer is %d, want %d", got, cmd.Process.Pid)
	}
	wantWriting(t, path, WritingOpen)
	check(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	wantWriting(t, path, WritingClosed)
	if got := Writers(path); len(got) > 0 {
		t.Errorf("after its end the writer is %v", got)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s in vain: %s", what)
		}
	}
}

func TestReaderIsNotNamedAsWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	write(t, path, "x\n", 0)
	f, err := os.Open(path)
	check(t, err)
	defer f.Close()
	if got := Writers(path); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

// A writer that opens the file while it is probed waits for some microseconds and no
// longer, and neither process gets a signal that ends it.
func TestProbingDoesNotDisturbWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	write(t, path, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5000 {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = f.WriteString("x\n")
			if err := errors.Join(err, f.Close()); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		select {
		case <-done:
			info, err := os.Stat(path)
			check(t, err)
			if info.Size() != 2*5000 {
				t.Errorf("%d bytes were written, want %d", info.Size(), 2*5000)
			}
			wantWriting(t, path, WritingClosed)
			return
		default:
			_, err := Probe(record.File{Path: path})
			check(t, err)
		}
	}
}

// An ordinary user may not take a lease on the file of another one.
func TestWritingIsUnknownForFilesOfOtherUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	path := filepath.Join(t.TempDir(), "a.csv")
	write(t, path, "x\n", 0)
	for folder := filepath.Dir(path); strings.HasPrefix(folder, os.TempDir()+"/"); folder = filepath.Dir(folder) {
		check(t, os.Chmod(folder, 0o755))
	}
	ended := make(chan struct{})
	go func() { // Its thread is another user's from now on, and ends with the goroutine.
		defer close(ended)
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Error(errno)
			return
		}
		c, err := Probe(record.File{Path: path})
		if err != nil || c.Writing != WritingUnknown || !c.OwnClock {
			t.Errorf("got %+v, %v", c, err)
		}
	}()
	<-ended
}

func TestProbeTellsTheVersionThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	write(t, path, "x\n", 1)
	info, err := os.Stat(path)
	check(t, err)
	c, err := Probe(record.File{Path: path, Size: 7})
	check(t, err)
	if want := versionOf(path, info); c.File != want || c.File.Size != 2 || c.Inode == 0 {
		t.Errorf("got %+v, want %+v with an inode", c, want)
	}
	if _, err := Probe(record.File{Path: path + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
