package watchio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// own is the fingerprint of the watchers under test.
const own = "own"

// watcher is a watchFn without Beam, one trigger at a time.
type watcher struct {
	t      *testing.T
	fn     *watchFn[memoryLedger]
	rt     *tracker
	memory *memory
	dir    string
}

// newWatcher watches *.csv in a folder of its own.
func newWatcher(t *testing.T, opts ...Option) *watcher {
	dir := t.TempDir()
	return watcherOf(t, dir, filepath.Join(dir, "*.csv"), opts...)
}

func watcherOf(t *testing.T, dir, pattern string, opts ...Option) *watcher {
	ledger, memory := newLedger(t)
	opts = append([]Option{WithRun(t.Name()), WithFingerprint(own)}, opts...)
	w := &watcher{t: t, rt: newTracker(Restriction{}), memory: memory, dir: dir}
	w.fn = &watchFn[memoryLedger]{Settings: newSettings(pattern, opts), Ledger: ledger}
	w.restart()
	return w
}

// restart gives the watcher a new worker in the same process, with the
// restriction it has.
func (w *watcher) restart() { check(w.t, w.fn.Setup()) }

func (w *watcher) write(name, content string, age int) record.File {
	return write(w.t, filepath.Join(w.dir, name), content, age)
}

// duePoll has the next look be a poll.
func (w *watcher) duePoll() {
	w.fn.poller.polled = w.fn.poller.polled.Add(-w.fn.interval())
}

// passTrust has the time pass for which failed files are taken for that.
func (w *watcher) passTrust() {
	p := w.fn.poller
	for f, at := range p.known.failed {
		p.known.failed[f] = at.Add(-failedTrust)
	}
	for path, f := range p.waiting.files {
		f.until = f.until.Add(-failedTrust)
		p.waiting.files[path] = f
	}
	p.waiting.next = p.waiting.next.Add(-failedTrust)
}

// trigger looks once.
func (w *watcher) trigger() []record.Work {
	w.t.Helper()
	var works []record.Work
	control := runctl.Of(w.t.Name())
	n, err := w.fn.trigger(context.Background(), control, w.rt, func(work record.Work) { works = append(works, work) })
	check(w.t, err)
	if n != len(works) {
		w.t.Errorf("trigger says %d, but emitted %d", n, len(works))
	}
	return works
}

// want polls once and says which files are to come of it.
func (w *watcher) want(files ...record.File) {
	w.t.Helper()
	var got []record.File
	for _, work := range w.trigger() {
		got = append(got, work.File)
	}
	wantFiles(w.t, got, files...)
}

func (w *watcher) wantBacklog(files int64) {
	w.t.Helper()
	if b, _ := runctl.Of(w.t.Name()).Backlog(); b.Files != files || b.Bytes == 0 {
		w.t.Errorf("the backlog is %+v, want %d files", b, files)
	}
}

func (w *watcher) wantInFlight(files ...record.File) {
	w.t.Helper()
	var got []record.File
	for _, f := range w.fn.inFlight.all() {
		got = append(got, f.File)
	}
	wantFiles(w.t, got, files...)
}

// age makes what is in flight older.
func (w *watcher) age(d time.Duration) {
	for i := range w.fn.inFlight.files {
		w.fn.inFlight.files[i].Emitted -= d.Microseconds()
	}
}

func TestAFileIsHandedOnOnce(t *testing.T) {
	w := newWatcher(t)
	w.want()
	file := w.write("a.csv", "a", 1)
	w.want(file)
	w.want()
	w.memory.set(file, record.FileState{Status: record.StatusLoading, Fingerprint: own})
	w.want()
	w.wantInFlight(file)
	w.restart()
	w.want()
	w.memory.loaded(file)
	w.want()
	w.wantInFlight()
	w.restart()
	w.want()
}

func TestAnotherVersionIsAnotherFile(t *testing.T) {
	for name, change := range map[string]func(w *watcher) record.File{
		"another size":              func(w *watcher) record.File { return w.write("a.csv", "aa", 1) },
		"another modification time": func(w *watcher) record.File { return w.write("a.csv", "a", 2) },
		"an earlier modification":   func(w *watcher) record.File { return w.write("a.csv", "a", -2) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatcher(t)
			first := w.write("a.csv", "a", 1)
			w.want(first)
			second := change(w)
			w.want(second)
			w.wantInFlight(second)
			w.memory.loaded(second)
			third := w.write("a.csv", "aaaa", 4)
			w.want(third)
		})
	}
}

func TestModificationTimesAreCutToMicroseconds(t *testing.T) {
	w := newWatcher(t)
	file := w.write("a.csv", "a", 1)
	at := file.ModTime().Add(999 * time.Nanosecond)
	check(t, os.Chtimes(file.Path, at, at))
	w.want(file)
}

func TestOldestFirstAndNoMoreThanTheBound(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(2))
	third := w.write("a.csv", "a", 3)
	second := w.write("c.csv", "c", 2)
	first := w.write("b.csv", "b", 2)
	fifth := w.write("d.csv", "d", 9)
	fourth := w.write("e.csv", "e", 8)
	w.want(first, second)
	w.want(third, fourth)
	w.memory.loaded(first, second)
	w.want(fifth)
	w.want()
	w.wantInFlight(third, fourth, fifth)
}

func TestWhatIsLeftAlone(t *testing.T) {
	w := newWatcher(t)
	for _, name := range []string{".tmp_a.csv", "_a.csv", ".csv", "a.txt", "sub/a.csv", "folder.csv/a.csv"} {
		w.write(name, "x", 1)
	}
	check(t, os.Symlink(filepath.Join(w.dir, "sub"), filepath.Join(w.dir, "link.csv")))
	mkfifo(t, filepath.Join(w.dir, "pipe.csv"))
	logged := recordLogs(t)
	w.want()
	logged.want(t)
}

func TestALinkIsTheFileItLeadsTo(t *testing.T) {
	w := newWatcher(t)
	target := w.write("elsewhere/a.txt", "abc", 1)
	link := filepath.Join(w.dir, "a.csv")
	check(t, os.Symlink(target.Path, link))
	w.want(versionNow(t, link))
}

func TestAFileThatAnotherLifeBegan(t *testing.T) {
	w := newWatcher(t)
	file := w.write("a.csv", "a", 1)
	w.memory.set(file, record.FileState{Status: record.StatusLoading, Fingerprint: "earlier", Done: []record.DoneRange{{Start: 7}, {Start: 9}}})
	works := w.trigger()
	if len(works) != 1 || works[0].Fingerprint != "earlier" || !slices.Equal(works[0].Done, []record.DoneRange{{Start: 7}, {Start: 9}}) {
		t.Errorf("got %+v", works)
	}
	w.want()
}

func TestARefusedFileComesAgainWithTheLedgersSplit(t *testing.T) {
	w := newWatcher(t)
	file := w.write("a.csv", "a", 1)
	w.want(file)
	w.memory.set(file, record.FileState{Status: record.StatusLoading, Fingerprint: "theirs", Done: []record.DoneRange{{Start: 5}}})
	works := w.trigger()
	if len(works) != 1 || works[0].Fingerprint != "theirs" || !slices.Equal(works[0].Done, []record.DoneRange{{Start: 5}}) {
		t.Errorf("got %+v", works)
	}
	w.want()
	w.wantInFlight(file)
}

func TestAFileThatCouldNotBeReadComesAgain(t *testing.T) {
	w := newWatcher(t)
	unreadable := func(at int64) record.FileState {
		return record.FileState{Status: record.StatusLoading, Fingerprint: own, UnreadableSince: at}
	}
	file := w.write("a.csv", "a", 1)
	w.memory.set(file, unreadable(100))
	w.want(file)
	w.age(time.Hour)
	w.want() // That failure was known when it was handed on.
	w.memory.set(file, unreadable(200))
	w.want(file)
	w.memory.set(file, unreadable(300))
	w.want() // It was tried a moment ago.
	w.age(29 * time.Second)
	w.want()
	w.age(time.Second)
	w.want(file)
	w.age(time.Hour)
	w.want()
	w.wantInFlight(file)
}

func TestFilesInFlightAreBounded(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(700))
	var files []record.File
	for i := range 1010 {
		files = append(files, w.write(fmt.Sprintf("%04d.csv", i), "x", i))
	}
	w.want(files[:700]...)
	w.want(files[700:1000]...)
	asked := w.memory.asked
	w.fn.poller.reviewed = time.Time{}
	w.want()
	if got := w.memory.asked - asked; got != sampled {
		t.Errorf("with no room, the ledger was asked about %d files", got)
	}
	w.memory.loaded(files[3], files[500], files[900])
	w.duePoll()
	w.want(files[1000:1003]...)
	w.memory.set(files[5], record.FileState{Status: record.StatusLoading, Fingerprint: "theirs"})
	w.duePoll()
	w.want(files[5])
	if n := len(w.fn.inFlight.all()); n != 1000 {
		t.Errorf("%d files are in flight", n)
	}
}

func TestAFileThatIsGoneIsInFlightNoMore(t *testing.T) {
	w := newWatcher(t)
	gone, stays := w.write("a.csv", "a", 1), w.write("b.csv", "b", 2)
	w.want(gone, stays)
	check(t, os.Remove(gone.Path))
	w.want()
	w.wantInFlight(stays)
}

// A folder that can't be read for a while looks as if all its files were gone.
func TestAFolderOutOfReachKeepsItsFilesInFlight(t *testing.T) {
	dir := t.TempDir()
	w := watcherOf(t, dir, filepath.Join(dir, "*", "*.csv"))
	file, other := w.write("in/a.csv", "a", 1), w.write("other/b.csv", "b", 2)
	w.want(file, other)
	check(t, os.Rename(filepath.Join(dir, "in"), filepath.Join(dir, "away")))
	check(t, os.Symlink("in", filepath.Join(dir, "in")))
	check(t, os.Remove(other.Path))
	moved := file
	moved.Path = filepath.Join(dir, "away", "a.csv")
	w.want(moved)
	w.wantInFlight(file, moved)
	check(t, os.Remove(filepath.Join(dir, "in")))
	check(t, os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "in")))
	w.want()
	w.wantInFlight(file)
}

func TestAFailedFileIsAskedAboutAgainInTime(t *testing.T) {
	w := newWatcher(t)
	file := w.write("a.csv", "a", 1)
	w.memory.set(file, record.FileState{Status: record.StatusFailed})
	w.want()
	w.memory.set(file, record.FileState{})
	w.want() // What is known to have failed is taken for that, for a minute.
	w.passTrust()
	w.want(file)
}

func TestTheLedgerIsAskedNoMoreThanNeeded(t *testing.T) {
	w := newWatcher(t)
	var files []record.File
	for i := range 3000 {
		files = append(files, w.write(fmt.Sprintf("%04d.csv", i), "x", i))
	}
	w.memory.loaded(files[:2500]...)
	asked := func(want int) {
		t.Helper()
		if w.memory.asked != want || w.memory.largest > lookupBatch {
			t.Errorf("asked about %d files, at most %d at once; want %d", w.memory.asked, w.memory.largest, want)
		}
		w.memory.asked = 0
	}
	w.want(files[2500:2505]...)
	asked(3000)
	w.want(files[2505:2510]...)
	asked(0)
	w.memory.loaded(files...)
	w.duePoll()
	w.want()
	asked(10 + 490)
	w.want()
	asked(0)
}

func TestBacklogIsAskedAboutAhead(t *testing.T) {
	w := newWatcher(t)
	for i := range 2500 {
		w.write(fmt.Sprintf("%04d.csv", i), "x", i)
	}
	for range 2 * askedAhead / 5 {
		w.trigger()
	}
	if w.memory.asked != 2*askedAhead {
		t.Errorf("asked about %d files to find %d", w.memory.asked, 2*askedAhead)
	}
}

func TestAFullCacheForgetsWhatIsGone(t *testing.T) {
	w := newWatcher(t)
	w.fn.poller.known = newKnown(8)
	var files []record.File
	for i := range 10 {
		files = append(files, w.write(fmt.Sprintf("%d.csv", i), "x", i))
	}
	w.memory.loaded(files...)
	w.want()
	w.memory.asked = 0
	w.want()
	if w.memory.asked != 2 {
		t.Errorf("asked about %d files, though 8 of 10 are cached", w.memory.asked)
	}
	for _, f := range files[:6] {
		check(t, os.Remove(f.Path))
	}
	fresh := w.write("new.csv", "x", 11)
	w.want(fresh)
	w.memory.loaded(fresh)
	w.want()
	w.memory.asked = 0
	w.want()
	if w.memory.asked != 0 {
		t.Errorf("asked about %d files, though there is room for all", w.memory.asked)
	}
}
