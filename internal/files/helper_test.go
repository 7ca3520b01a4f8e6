package files

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// epoch is when the oldest file of a test was written.
var epoch = time.Date(2026, 1, 29, 10, 0, 0, 123456789, time.UTC)

// write makes a file, whose folder is made where it is missing, that was
// written age seconds after epoch.
func write(t testing.TB, path, content string, age int) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(content), 0o644))
	at := epoch.Add(time.Duration(age) * time.Second)
	check(t, os.Chtimes(path, at, at))
}

func link(t testing.TB, dir, target, name string) {
	t.Helper()
	check(t, os.Symlink(filepath.Join(dir, target), filepath.Join(dir, name)))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
