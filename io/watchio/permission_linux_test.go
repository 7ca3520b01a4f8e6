package watchio

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

const nobody = 65534

// asOrdinaryUser gives up, for this goroutine and until the test ends, root's
// right to read everything.
func asOrdinaryUser(t *testing.T, dir string) {
	if os.Geteuid() != 0 {
		return
	}
	check(t, os.Chmod(filepath.Dir(dir), 0o755))
	check(t, os.Chmod(dir, 0o755))
	runtime.LockOSThread()
	check(t, syscall.Setfsuid(nobody))
	t.Cleanup(func() {
		check(t, syscall.Setfsuid(0))
		runtime.UnlockOSThread()
	})
}

// asRoot does something with the rights that asOrdinaryUser gave up.
func asRoot(t *testing.T, do func() error) {
	if os.Geteuid() == 0 {
		check(t, syscall.Setfsuid(0))
		defer func() { check(t, syscall.Setfsuid(nobody)) }()
	}
	check(t, do())
}

func TestAFileThatMayNotBeReadIsReportedAndTriedAgain(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(1))
	logged := recordLogs(t)
	closed, open := w.write("a.csv", "a", 1), w.write("b.csv", "b", 2)
	check(t, os.Chmod(closed.Path, 0))
	asOrdinaryUser(t, w.dir)
	w.want(open)
	logged.want(t, "WARN Can't be read for now "+closed.Path)
	w.want()
	logged.want(t)
	w.wantInFlight(open)
	asRoot(t, func() error { return os.Chmod(closed.Path, 0o644) })
	w.want(closed)
	logged.want(t, "INFO Can be read again, or is gone "+closed.Path)
}

func TestAFileThatMayNotBeReadIsForgottenWhenItIsGone(t *testing.T) {
	w := newWatcher(t)
	logged := recordLogs(t)
	closed := w.write("a.csv", "a", 1)
	check(t, os.Chmod(closed.Path, 0))
	asOrdinaryUser(t, w.dir)
	w.want()
	asRoot(t, func() error { return os.Remove(closed.Path) })
	w.want()
	logged.want(t, "WARN Can't be read for now "+closed.Path)
	if n := len(w.fn.poller.unopened.seen); n != 0 {
		t.Errorf("%d files that are gone are remembered", n)
	}
}

func TestAFolderThatMayNotBeReadIsReportedAndTriedAgain(t *testing.T) {
	w := newWatcher(t)
	logged := recordLogs(t)
	file := w.write("a.csv", "a", 1)
	check(t, os.Chmod(w.dir, 0o755))
	w.want(file)
	asOrdinaryUser(t, w.dir)
	asRoot(t, func() error { return os.Chmod(w.dir, 0) })
	w.want()
	w.want()
	logged.want(t, "WARN Can't be read for now "+w.dir)
	w.wantInFlight(file)
	asRoot(t, func() error { return os.Chmod(w.dir, 0o755) })
	w.want()
	logged.want(t, "INFO Can be read again, or is gone "+w.dir)
}
