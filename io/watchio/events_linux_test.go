package watchio

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// moveIn makes a file that comes into a folder by a rename.
func moveIn(t testing.TB, path, content string, age int) record.File {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	hidden := filepath.Join(filepath.Dir(path), ".hidden")
	f := write(t, hidden, content, age)
	check(t, os.Rename(hidden, path))
	f.Path = path
	return f
}

// An hour passes between two polls: what is handed on before comes of events.
func TestARenamedFileIsHandedOnBeforeThePoll(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		for name, c := range map[string]struct{ pattern, there, comes string }{
			"in a folder":                    {"in/*.csv", "in/a.csv", "in/b.csv"},
			"in one of several folders":      {"*/*.csv", "in/a.csv", "in/b.csv"},
			"in a folder that comes with it": {"*/*.csv", "in/a.csv", "new/b.csv"},
			"at some depth":                  {"**/*.csv", "in/x/a.csv", "in/x/b.csv"},
			"in a folder that comes deep":    {"**/*.csv", "in/x/a.csv", "in/x/y/b.csv"},
			"by its name":                    {"in/[b].csv", "in/b.csv", "in/b.csv"},
			"in a folder that is linked to":  {"link/*.csv", "link/a.csv", "link/b.csv"},
		} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				check(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755))
				link(t, dir, "elsewhere", "link")
				ledger, _ := newLedger(t)
				first := write(t, filepath.Join(dir, c.there), "a", 1)
				j := r.watch(t, filepath.Join(dir, c.pattern), ledger, nil, WithTriggerInterval(time.Hour))
				eventually(t, "the file that is there", func() bool { return len(j.all()) == 1 })
				second := moveIn(t, filepath.Join(dir, c.comes), "bb", 2)
				eventually(t, "the file that comes", func() bool { return len(j.all()) == 2 })
				j.control.Drain(time.Minute)
				check(t, j.end(t))
				wantFiles(t, j.files(), first, second)
			})
		}
	})
}

// followed is a watcher with events whose first look is done. Its next listing is
// not due for a minute.
func followed(t *testing.T, pattern string, opts ...Option) *watcher {
	dir := t.TempDir()
	w := watcherOf(t, dir, filepath.Join(dir, pattern), append([]Option{WithTriggerInterval(time.Hour)}, opts...)...)
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	w.fn.poller.follow(t.Name())
	w.want()
	w.rest()
	return w
}

// rest has the latest listing have taken long enough that the next is not due.
func (w *watcher) rest() {
	w.t.Helper()
	p := w.fn.poller
	p.names.took, p.full.took = time.Hour, time.Hour
	if complete, err := p.events.Complete(); !complete || err != nil {
		w.t.Fatalf("events are complete: %v, %v", complete, err)
	}
}

// mark has a file come, and returns when that is told: what happened before is, too.
func (w *watcher) mark(name string) record.File {
	w.t.Helper()
	f := moveIn(w.t, filepath.Join(w.dir, name), "mark", 1000)
	eventually(w.t, "the event", func() bool { return w.fn.poller.events.Has(f.Path) })
	return f
}

// poll is trigger when a poll is due.
func (w *watcher) poll(files ...record.File) {
	w.t.Helper()
	w.duePoll()
	w.want(files...)
}

func (w *watcher) wantListings(names, full pace) {
	w.t.Helper()
	if p := w.fn.poller; p.names != names || p.full != full {
		w.t.Error("the folder was listed")
	}
}

func TestAPollLooksAtWhatHasChangedOnly(t *testing.T) {
	w := followed(t, "*.csv")
	names, full := w.fn.poller.names, w.fn.poller.full
	inPlace := w.write("a.csv", "a", 1)
	comes := w.mark("b.csv")
	w.want(inPlace, comes)
	w.poll()
	w.memory.loaded(inPlace, comes)
	w.poll()
	w.wantInFlight()
	w.memory.asked = 0
	w.poll()
	again := w.write("a.csv", "aaa", 2)
	mark := w.mark("c.csv")
	w.poll(again, mark)
	if w.memory.asked != 2 {
		t.Errorf("the ledger was asked about %d files, 2 of them new", w.memory.asked)
	}
	w.wantListings(names, full)
}

func TestWhatWaitsIsLookedAtAgain(t *testing.T) {
	w := followed(t, "*.csv", WithMaxFilesPerTrigger(2), WithMinimumAge(time.Hour))
	names, full := w.fn.poller.names, w.fn.poller.full
	failed := w.write("failed.csv", "f", 0)
	w.memory.set(failed, record.FileState{Status: record.StatusFailed})
	var files []record.File
	for i := range 3 {
		files = append(files, w.write(fmt.Sprint(i, ".csv"), "x", i))
	}
	young := filepath.Join(w.dir, "young.csv")
	check(t, os.WriteFile(young, []byte("y"), 0o600))
	mark := w.mark("z.csv")
	w.want(files[0], files[1])
	w.poll(files[2], mark)
	w.memory.loaded(append(files, mark)...)
	check(t, os.Chtimes(young, epoch, epoch))
	w.memory.set(failed, record.FileState{})
	last := w.mark("zz.csv")
	w.passTrust()
	w.fn.Settings.MaxFilesPerTrigger = 3
	w.poll(failed, versionNow(t, young), last)
	w.wantListings(names, full)
}

func TestALostEventIsMadeUpForByAListing(t *testing.T) {
	w := followed(t, "*.csv")
	fresh := w.write("a.csv", "a", 1)
	mark := w.mark("b.csv")
	w.fn.poller.events.Named(true) // lost
	w.poll()
	w.fn.poller.names.began = w.fn.poller.names.began.Add(-longestNames)
	w.poll(fresh, mark)
	w.memory.loaded(fresh, mark)
	w.poll()
	w.fn.poller.full.began = time.Time{}
	w.poll()
	w.rest()

	again := w.write("a.csv", "aa", 2)
	w.memory.loaded(w.mark("c.csv"))
	w.fn.poller.events.Named(true)
	w.many()
	w.fn.poller.names.began = w.fn.poller.names.began.Add(-longestNames)
	w.poll() // The name is known, and its inode.
	w.fn.poller.full.began = w.fn.poller.full.began.Add(-longestFiles)
	w.poll(again)
}

// many has so many files known that they are not all looked at each time.
func (w *watcher) many() {
	for i := range uint64(few + 1) {
		w.fn.poller.known.done[i] = version{}
	}
}

func TestWithoutEventsEachPollListsNames(t *testing.T) {
	w := newWatcher(t)
	known := w.write("a.csv", "a", 1)
	w.memory.loaded(known)
	w.want()
	w.many()
	w.fn.poller.full.took = time.Hour
	full := w.fn.poller.full
	fresh := w.write("b.csv", "b", 2)
	w.want(fresh)
	w.memory.loaded(fresh)
	replaced := moveIn(t, known.Path, "aa", 3)
	w.want(replaced)
	if w.fn.poller.full != full {
		t.Error("all files were looked at")
	}
	w.memory.loaded(replaced)
	w.want()
	w.want()
	again := w.write("a.csv", "aaa", 4)
	w.want() // The name is known, and its inode.
	w.fn.poller.full.began = full.began.Add(-longest)
	w.want(again)
	// It is in flight at a listing of names too, though these are what they were.
	w.fn.poller.full.took = time.Hour
	w.want()
	w.wantInFlight(again)
}

// What events have named is looked at by a listing of names too: that skips what it
// knows by name and inode.
func TestAListingOfNamesTakesWhatWasNamed(t *testing.T) {
	w := followed(t, "*.csv", WithTriggerInterval(24*time.Hour))
	known := w.write("a.csv", "a", 1)
	w.memory.loaded(known)
	for range 2 {
		w.fn.poller.full = pace{}
		w.poll()
	}
	w.many()
	w.fn.poller.full = pace{began: time.Now(), took: time.Hour}
	w.fn.poller.names.began = time.Now().Add(-longestNames)
	again := w.write("a.csv", "aa", 2)
	w.poll(again, w.mark("b.csv"))
}

// A listing that events ask for has to rest a while, the longer the more it took.
func TestListingsThatEventsAskForAreBounded(t *testing.T) {
	w := followed(t, "**/*.csv", WithTriggerInterval(24*time.Hour))
	check(t, os.Mkdir(filepath.Join(w.dir, "sub"), 0o755))
	eventually(t, "the event", w.fn.poller.events.Lost)
	if wait := w.fn.wait(time.Now()); wait < 9*time.Hour {
		t.Errorf("after a listing of an hour the next comes after %s", wait)
	}
	w.fn.poller.names.took = time.Nanosecond
	if wait := w.fn.wait(time.Now()); wait > 0 {
		t.Errorf("after a short listing the next comes after %s", wait)
	}
}

func TestABurstIsNotListed(t *testing.T) {
	const burst = 5000
	w := followed(t, "*.csv", WithMaxFilesPerTrigger(burst), WithBlocking(true))
	names, full := w.fn.poller.names, w.fn.poller.full
	control := runctl.Of(t.Name())
	var mu sync.Mutex
	handed := map[string]int{}
	ended := make(chan error, 1)
	go func() {
		_, err := w.call(func(work record.Work) {
			w.memory.loaded(work.File)
			mu.Lock()
			defer mu.Unlock()
			handed[work.File.Path]++
		})
		ended <- err
	}()
	for i := range burst {
		moveIn(t, filepath.Join(w.dir, fmt.Sprint(i, ".csv")), "x", i)
	}
	eventually(t, "all files", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(handed) == burst
	})
	control.Drain(time.Minute)
	check(t, <-ended)
	w.wantListings(names, full)
	for path, n := range handed {
		if n != 1 {
			t.Errorf("%s was handed on %d times", path, n)
		}
	}
}

func TestAFolderThatGoesAndComes(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		in := filepath.Join(dir, "in")
		ledger, _ := newLedger(t)
		j := r.watch(t, filepath.Join(in, "*.csv"), ledger, nil, WithTriggerInterval(20*time.Millisecond))
		var want []record.File
		for i := range 3 { // made later, and twice again
			for range 2 {
				want = append(want, moveIn(t, filepath.Join(in, fmt.Sprint(len(want), ".csv")), "x", i))
				eventually(t, "the file", func() bool { return len(j.all()) == len(want) })
			}
			check(t, os.RemoveAll(in))
		}
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		wantFiles(t, j.files(), want...)
	})
}

// As when fs.inotify.max_user_watches is reached: each listing may name another folder.
func TestTroubleWithEventsIsToldOnceAndSoIsItsEnd(t *testing.T) {
	dir := t.TempDir()
	w := watcherOf(t, dir, filepath.Join(dir, "**", "*.csv"))
	defer runctl.Forget(t.Name())
	p := w.fn.poller
	p.follow(t.Name())
	working := p.events
	failing, err := files.NewEvents(p.globs)
	check(t, err)
	failing.Close()
	logged := recordLogs(t)
	for i := range 6 {
		p.events = []*files.Events{failing, working}[i/3]
		p.full = pace{} // list
		if i == 2 {
			check(t, os.RemoveAll(filepath.Join(dir, "0")))
		}
		w.want(w.write(fmt.Sprintf("%d/a.csv", i), "a", i))
	}
	logged.want(t, "WARN File notifications fail; polling each trigger interval", "INFO File notifications work again")
}

// What comes while files wait takes its place among them, without a listing.
func TestArrivalTakesItsPlaceInTheBacklog(t *testing.T) {
	for name, c := range map[string]struct {
		latest bool
		age    int
		place  int
	}{
		"newer, oldest first": {false, 9, 4},
		"older, oldest first": {false, -1, 1},
		"newer, latest first": {true, 9, 1},
		"older, latest first": {true, -1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, "*.csv", WithMaxFilesPerTrigger(1), WithLatestFirst(c.latest))
			var want []record.File
			for i := range 4 {
				want = append(want, w.write(fmt.Sprint(i, ".csv"), "x", i))
			}
			if c.latest {
				slices.Reverse(want)
			}
			w.fn.poller.full = pace{} // a listing finds them
			w.poll(want[0])
			names, full := w.fn.poller.names, w.fn.poller.full
			comes := moveIn(t, filepath.Join(w.dir, "comes.csv"), "x", c.age)
			eventually(t, "the event", func() bool { return w.fn.poller.events.Has(comes.Path) && w.fn.poller.events.Arrived() })
			for _, f := range slices.Insert(want, c.place, comes)[1:] {
				w.want(f)
			}
			w.wantListings(names, full)
		})
	}
}
