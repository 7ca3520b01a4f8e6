package watchio

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func link(t testing.TB, dir, target, name string) {
	t.Helper()
	check(t, os.Symlink(filepath.Join(dir, target), filepath.Join(dir, name)))
}

func remove(t testing.TB, dir, name string) {
	t.Helper()
	check(t, os.Remove(filepath.Join(dir, name)))
}

func mkfifo(t testing.TB, path string) {
	t.Helper()
	check(t, syscall.Mkfifo(path, 0o644))
}

func replaceDir(s, dir string) string { return strings.ReplaceAll(s, "DIR", dir) }

func rename(from, to string) error { return os.Rename(from, to) }
