package watchio

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// withWaits shortens waits that have no option.
func withWaits(change func(*waits)) Option { return func(s *settings) { change(&s.Waits) } }

// openFile appends to a file, which stays open for writing.
func openFile(t *testing.T, path, content string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	check(t, err)
	t.Cleanup(func() { _ = f.Close() }) // most are closed before
	_, err = f.WriteString(content)
	check(t, err)
	return f
}

// fresh writes a file that has changed just now.
func fresh(t *testing.T, path, content string) record.File {
	t.Helper()
	check(t, os.WriteFile(path, []byte(content), 0o644))
	return versionOf(t, path)
}

func versionOf(t *testing.T, path string) record.File {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	return record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
}

// An hour passes between two polls: what is handed on before comes of events.
func TestFileIsHandedOnWhenItAppearsWhole(t *testing.T) {
	for name, appear := range map[string]func(t *testing.T, hidden, path string){
		"renamed": func(t *testing.T, hidden, path string) { check(t, os.Rename(hidden, path)) },
		"linked":  func(t *testing.T, hidden, path string) { check(t, os.Link(hidden, path)) },
		"linked, and its first name removed": func(t *testing.T, hidden, path string) {
			check(t, os.Link(hidden, path))
			check(t, os.Remove(hidden))
		},
		"copied": func(t *testing.T, hidden, path string) {
			check(t, exec.CommandContext(t.Context(), "cp", hidden, path).Run())
		},
		"written in pieces": func(t *testing.T, _, path string) {
			f := openFile(t, path, "")
			for range 3 {
				_, err := f.WriteString("x\n")
				check(t, err)
			}
			check(t, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, r runner) {
				dir := t.TempDir()
				ledger, _ := newLedger(t)
				write(t, filepath.Join(dir, "a.csv"), "a\n", 1)
				fresh(t, filepath.Join(dir, ".hidden"), "x\nx\nx\n")
				j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, nil, WithTriggerInterval(time.Hour))
				eventually(t, "the file that is there", func() bool { return len(j.all()) == 1 })
				path := filepath.Join(dir, "b.csv")
				appear(t, filepath.Join(dir, ".hidden"), path)
				eventually(t, "the file that comes", func() bool { return len(j.all()) == 2 })
				j.control.Drain(time.Minute)
				check(t, j.end(t))
				wantFiles(t, j.files()[1:], versionOf(t, path))
			})
		})
	}
}

func TestFileOpenForWritingIsHeldAndCountsAsBacklog(t *testing.T) {
	w := newWatcher(t)
	path := filepath.Join(w.dir, "a.csv")
	f := openFile(t, path, "a\n")
	closed := w.write("b.csv", "b\n", 1)
	w.want(closed)
	w.wantBacklog(2)
	_, err := f.WriteString("aa\n")
	check(t, err)
	w.want()
	w.wantBacklog(2)
	check(t, os.Rename(path, filepath.Join(w.dir, "c.csv"))) // a rename does not close it
	w.want()
	w.wantBacklog(2)
	check(t, f.Close())
	w.want(versionOf(t, filepath.Join(w.dir, "c.csv")))
	w.want()
}

// A file whose loads are over is opened for writing before it is due again.
func TestFileInFlightThatIsOpenedIsNotHandedOnAgain(t *testing.T) {
	w := newWatcher(t)
	file := w.write("a.csv", "a\n", 1)
	w.want(file)
	w.memory.set(file, record.FileState{Status: record.StatusLoading, Fingerprint: own, UnreadableSince: 7})
	w.age(time.Hour)
	f := openFile(t, file.Path, "")
	w.want()
	check(t, f.Close())
	w.want(file)
}

func TestFileThatStaysOpenIsReportedOnce(t *testing.T) {
	w := newWatcher(t, withWaits(func(s *waits) { s.Report = time.Nanosecond }))
	path := filepath.Join(w.dir, "a.csv")
	check(t, os.WriteFile(path, []byte("a\n"), 0o644))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `exec 3>>"$0"; exec sleep 600`, path)
	check(t, cmd.Start())
	logged := recordLogs(t)
	eventually(t, "the writer", func() bool {
		name, err := os.ReadFile("/proc/" + itoa(cmd.Process.Pid) + "/comm")
		return err == nil && strings.TrimSpace(string(name)) == "sleep"
	})
	for range 3 {
		w.want()
	}
	logged.wantOne(t, "WARN The file stays open for writing", path, "sleep (pid "+itoa(cmd.Process.Pid)+")")
	check(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	w.want(versionOf(t, path))
	logged.want(t, "INFO The file is not open for writing any more "+path)

	f := openFile(t, path, "a\n")
	for range 3 {
		w.want()
	}
	logged.wantOne(t, "WARN The file stays open for writing", path)
	check(t, os.Remove(path))
	w.want()
	logged.want(t, "INFO The file is not open for writing any more "+path)
	check(t, f.Close())
}

// wantOne takes what was logged since the last call: one line that has the parts.
func (l *logs) wantOne(t *testing.T, parts ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, part := range parts {
		if len(l.lines) != 1 || !strings.Contains(l.lines[0], part) {
			t.Errorf("logged %q, want one line with %q", l.lines, part)
		}
	}
	l.lines = nil
}

// asNobody does something as an ordinary user who does not own the files of the test.
func asNobody(t *testing.T, dir string, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	check(t, os.Chmod(filepath.Dir(dir), 0o755))
	ended := make(chan struct{})
	go func() { // Its thread is another user's from now on, and ends with the goroutine.
		defer close(ended)
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Error(errno)
			return
		}
		do()
	}()
	<-ended
}

// Of another user's file nobody knows whether it is closed: it has to be quiet for a
// while, unless it was renamed into place.
func TestFileOfAnotherUserHasToBeQuiet(t *testing.T) {
	const quiet = 300 * time.Millisecond
	w := followed(t, "*.csv", withWaits(func(s *waits) { s.Quiet = quiet }))
	path := filepath.Join(w.dir, "a.csv")
	file := fresh(t, path, "a\n")
	old := w.write("old.csv", "old\n", 1)
	eventually(t, "the events", func() bool { return w.fn.poller.events.Has(file.Path) && w.fn.poller.events.Has(old.Path) })
	asNobody(t, w.dir, func() { w.poll(old) })
	if until := w.fn.poller.waiting.next; until.After(time.UnixMicro(file.Modified).Add(quiet)) {
		t.Errorf("the next look is at %v", until)
	}
	eventually(t, "the end of the wait", func() bool { return w.fn.wait(time.Now()) == 0 })
	asNobody(t, w.dir, func() { w.want(file) })

	fresh(t, filepath.Join(w.dir, ".b"), "b\n")
	moved := filepath.Join(w.dir, "b.csv")
	check(t, rename(filepath.Join(w.dir, ".b"), moved))
	eventually(t, "the event", w.fn.poller.events.Arrived)
	asNobody(t, w.dir, func() { w.want(versionOf(t, moved)) })
}

func TestTextWithoutItsLastLineEndWaits(t *testing.T) {
	const lineEnd = 300 * time.Millisecond
	w := newWatcher(t, withWaits(func(s *waits) { s.LineEnd = lineEnd }))
	whole := fresh(t, filepath.Join(w.dir, "a.csv"), "a\n")
	zipped := fresh(t, filepath.Join(w.dir, "a.gz.csv"), "\x1f\x8b\x08 any byte may be the last")
	half := fresh(t, filepath.Join(w.dir, "b.csv"), "a\nb")
	old := w.write("old.csv", "a\nb", 1)
	w.want(old, whole, zipped)
	w.want()
	w.wantBacklog(4)
	w.fn.poller.polled = time.Now() // the next poll is far
	w.fn.Settings.TriggerInterval = time.Hour
	if wait := w.fn.wait(time.Now()); wait <= 0 || wait > lineEnd {
		t.Errorf("the next look is in %v", wait)
	}
	eventually(t, "the end of the wait", func() bool { return w.fn.wait(time.Now()) == 0 })
	w.want(half)
}

// Whoever names the files of a folder, and knows that nobody writes them, means all that
// is there.
func TestListDoesNotWaitForALineEnd(t *testing.T) {
	dir := t.TempDir()
	ledger, _ := newLedger(t)
	file := fresh(t, filepath.Join(dir, "a.csv"), "a\nb")
	j, err := runners[0].list(t, filepath.Join(dir, "*.csv"), ledger, nil, withWaits(func(s *waits) { s.LineEnd = time.Hour }))
	check(t, err)
	wantFiles(t, j.files(), file)
}

func TestListNamesTheFilesThatItLeaves(t *testing.T) {
	dir := t.TempDir()
	ledger, _ := newLedger(t)
	path := filepath.Join(dir, "open.csv")
	openFile(t, path, "a\n")
	closed := fresh(t, filepath.Join(dir, "a.csv"), "a\n")
	logged := recordLogs(t)
	j, err := runners[0].list(t, filepath.Join(dir, "*.csv"), ledger, nil)
	check(t, err)
	wantFiles(t, j.files(), closed)
	logged.wantOne(t, "WARN Left to a later run", path, "a process has it open for writing", "watchio.test (pid "+itoa(os.Getpid())+")")
	if n := j.control.Left(); n != 1 {
		t.Errorf("%d files are left", n)
	}
}

// List waits for a file of another user until that is quiet, and no longer for one that
// is not.
func TestListWaitsUntilAFileIsQuiet(t *testing.T) {
	dir := t.TempDir()
	ledger, _ := newLedger(t)
	file := fresh(t, filepath.Join(dir, "a.csv"), "a\n")
	fn := &listFn[memoryLedger]{Ledger: ledger, Settings: newSettings(filepath.Join(dir, "*.csv"), []Option{
		WithRun(t.Name()), withWaits(func(s *waits) { s.Quiet = 300 * time.Millisecond }),
	})}
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	asNobody(t, dir, func() {
		var got []record.File
		err := fn.ProcessElement(t.Context(), nil, func(w record.Work) { got = append(got, w.File) })
		if err != nil || len(got) != 1 || byTime(got[0]) != byTime(file) {
			t.Errorf("got %v, %v", lines(got), err)
		}
	})
	if n := runctl.Of(t.Name()).Left(); n != 0 {
		t.Errorf("%d files are left", n)
	}

	fn.Settings.Waits.Quiet, fn.Settings.Waits.LineEnd = time.Hour, 0
	asNobody(t, dir, func() {
		err := fn.ProcessElement(t.Context(), nil, func(w record.Work) { t.Errorf("handed on %v", w) })
		if err != nil {
			t.Error(err)
		}
	})
	if n := runctl.Of(t.Name()).Left(); n != 1 {
		t.Errorf("%d files are left", n)
	}
}

// A status counts what waits, too.
func TestPendingCountsFilesThatMayStillBeWritten(t *testing.T) {
	w := newWatcher(t)
	openFile(t, filepath.Join(w.dir, "a.csv"), "a\n")
	fresh(t, filepath.Join(w.dir, "b.csv"), "b")
	pending, err := Pending(t.Context(), filepath.Join(w.dir, "*.csv"), w.fn.Ledger)
	check(t, err)
	if len(pending) != 2 {
		t.Errorf("got %+v", pending)
	}
}

// A file that ends in the middle of something comes back when it has not changed for so
// long that it is loaded as it is.
func TestUnfinishedFileComesAgainAfterItsWait(t *testing.T) {
	const wait = 300 * time.Millisecond
	w := newWatcher(t, WithUnfinishedWait(wait))
	file := fresh(t, filepath.Join(w.dir, "a.csv"), "a\n\"\n")
	works := w.trigger()
	if len(works) != 1 || byTime(works[0].File) != byTime(file) || !works[0].MayGrow {
		t.Fatalf("got %+v", works)
	}
	w.memory.set(file, record.FileState{Status: record.StatusLoading, Fingerprint: own, UnreadableSince: 7})
	eventually(t, "the file once more", func() bool { works = w.trigger(); return len(works) > 0 })
	if byTime(works[0].File) != byTime(file) || works[0].MayGrow || time.Since(file.ModTime()) < wait {
		t.Errorf("got %+v", works)
	}
	w.memory.set(file, record.FileState{Status: record.StatusLoading, Fingerprint: own, UnreadableSince: 8})
	w.want() // now only time mends it
}

// TestFileThatKeepsGrowing appends to a file that was handed on.
func TestFileThatKeepsGrowingIsHandedOnSeldom(t *testing.T) {
	w := newWatcher(t, withWaits(func(s *waits) { s.Quiet, s.MostQuiet = time.Hour, time.Hour }))
	path := filepath.Join(w.dir, "a.csv")
	w.want(fresh(t, path, "a\n"))
	logged := recordLogs(t)
	appendTo := func() record.File {
		check(t, openFile(t, path, "aaaa\n").Close())
		return versionOf(t, path)
	}
	appendTo()
	w.want()
	logged.want(t)
	appendTo()
	w.want()
	logged.wantOne(t, "WARN The file keeps growing", "streaming.minimum_age", path)
	w.memory.loaded(appendTo()) // by another process
	w.want()
	last := appendTo()
	w.want()
	logged.want(t)
	w.wantBacklog(1)

	// It is handed on in time, though it does not stop, and then after twice that time.
	h := w.fn.poller.holds.paths[path]
	h.loaded = h.loaded.Add(-w.fn.Settings.Waits.Growing)
	w.want(last)
	last = appendTo()
	h.loaded = h.loaded.Add(-w.fn.Settings.Waits.Growing)
	w.want()
	h.loaded = h.loaded.Add(-w.fn.Settings.Waits.Growing)
	w.want(last)

	// One that has stopped is whole.
	last = appendTo()
	w.want()
	w.fn.poller.holds.Quiet, w.fn.poller.holds.MostQuiet = 0, 0
	w.want(last)
}

func TestFileThatIsReplacedIsNotGrowing(t *testing.T) {
	w := followed(t, "*.csv", withWaits(func(s *waits) { s.Quiet, s.MostQuiet = time.Hour, time.Hour }))
	path := filepath.Join(w.dir, "a.csv")
	for range 3 {
		fresh(t, filepath.Join(w.dir, ".a"), "a\n")
		check(t, rename(filepath.Join(w.dir, ".a"), path))
		eventually(t, "the event", w.fn.poller.events.Arrived)
		w.want(versionOf(t, path))
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
