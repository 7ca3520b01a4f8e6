package generator

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestFolderWithoutPermission(t *testing.T) {
	tests := []struct {
		name string
		// path is made of a folder that may not be written in.
		path func(locked string) string
	}{
		{"the folder itself", func(locked string) string { return locked }},
		{"a folder to be made in it", func(locked string) string { return filepath.Join(locked, "in") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			locked := t.TempDir()
			for folder, mode := range map[string]os.FileMode{filepath.Dir(locked): 0o755, locked: 0o555} {
				if err := os.Chmod(folder, mode); err != nil {
					t.Fatal(err)
				}
			}
			o := DefaultOptions()
			o.OutputPath, o.Files = tt.path(locked), 1
			var err error
			asOrdinaryUser(func() { _, err = Run(t.Context(), o, slog.New(slog.DiscardHandler)) })
			if !errors.Is(err, fs.ErrPermission) {
				t.Fatalf("got %v, want that permission is denied", err)
			}
			if want := "let this user read and write in " + locked; !strings.Contains(err.Error(), want) {
				t.Errorf("message %q does not say %q", err, want)
			}
			if entries, err := os.ReadDir(locked); err != nil || len(entries) > 0 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

// asOrdinaryUser runs f on a thread that accesses files as nobody when the
// process is root, whom no mode keeps out. The thread ends with its goroutine.
func asOrdinaryUser(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread()
			const nobody = 65534
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		}
		f()
	}()
	<-done
}
