package watchio

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// backlogModel says what a watcher without events is to hand on.
type backlogModel struct {
	*watcher
	random *rand.Rand
	disk   map[string]record.File
	// queued are the files that the watcher has found; flying what it has handed on.
	queued, flying map[record.File]bool
	// loaded is the ledger's knowledge, known what the watcher has seen of it.
	loaded, known map[record.File]bool
	age           int
	polls         int
}

func newBacklogModel(t *testing.T, seed uint64) *backlogModel {
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWatcher(t, WithMaxFilesPerTrigger(1+random.IntN(3)), WithLatestFirst(random.IntN(2) == 0))
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	w.fn.poller.most = 4 + random.IntN(8)
	return &backlogModel{
		watcher: w, random: random, disk: map[string]record.File{},
		queued: map[record.File]bool{}, flying: map[record.File]bool{},
		loaded: map[record.File]bool{}, known: map[record.File]bool{},
	}
}

// write makes a file, or another version of one. Times are not in the order of events.
func (m *backlogModel) write() {
	m.age++
	name := fmt.Sprint(m.random.IntN(40), ".csv")
	f := m.watcher.write(name, fmt.Sprintf("%*d", 1+m.random.IntN(9), m.random.IntN(9)), m.random.IntN(2*m.age))
	m.disk[f.Path] = f
}

// remove deletes a file.
func (m *backlogModel) remove() {
	if f, ok := m.one(func(f record.File) bool { return true }); ok {
		check(m.t, os.Remove(f.Path))
		delete(m.disk, f.Path)
	}
}

// load has the sink load a file that is in flight.
func (m *backlogModel) load() {
	if f, ok := m.one(func(f record.File) bool { return m.flying[f] && !m.loaded[byTime(f)] }); ok {
		m.loaded[byTime(f)] = true
		m.memory.loaded(f)
		runctl.Of(m.t.Name()).Loaded(1, f.Size)
	}
}

// loadElsewhere has another process load a file. That is seen after the next poll.
func (m *backlogModel) loadElsewhere() {
	if f, ok := m.one(func(f record.File) bool { return !m.flying[f] }); ok {
		m.loaded[byTime(f)] = true
		m.memory.loaded(f)
		m.poll()
	}
}

// one chooses a file of the disk.
func (m *backlogModel) one(fits func(record.File) bool) (f record.File, ok bool) {
	var all []record.File
	for _, f := range m.disk {
		if fits(f) {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return f, false
	}
	slices.SortFunc(all, older)
	return all[m.random.IntN(len(all))], true
}

func (m *backlogModel) room() int { return m.fn.poller.most - len(m.flying) }

// poll is a look that lists the folder.
func (m *backlogModel) poll() {
	m.duePoll()
	clear(m.queued)
	for f := range m.flying {
		if m.disk[f.Path] != f {
			delete(m.flying, f)
		}
	}
	m.review()
	for _, f := range m.disk {
		if !m.flying[f] && !m.known[f] {
			m.queued[f] = true
		}
	}
	m.polls++
	m.check()
}

// look is the next look of the watcher.
func (m *backlogModel) look() {
	if len(m.queued) == 0 {
		m.poll()
		return
	}
	if m.room() <= m.fn.poller.most/2 {
		m.review()
	}
	m.check()
}

func (m *backlogModel) review() {
	for f := range m.flying {
		if m.loaded[byTime(f)] {
			m.known[f] = true
			delete(m.flying, f)
		}
	}
}

// check has the watcher look, and compares.
func (m *backlogModel) check() {
	m.t.Helper()
	var want []record.File
	order := m.fn.Settings.order()
	for len(want) < m.fn.Settings.MaxFilesPerTrigger && len(m.queued) > 0 && m.room() > 0 {
		var f record.File
		for q := range m.queued {
			if f.Path == "" || order(q, f) < 0 {
				f = q
			}
		}
		delete(m.queued, f)
		now, there := m.disk[f.Path]
		switch {
		case m.loaded[byTime(f)]:
			m.known[f] = true
		case !there:
		case now != f:
			if !m.flying[now] && !m.known[now] {
				m.queued[now] = true
			}
		default:
			want = append(want, f)
			m.flying[f] = true
		}
	}
	m.fn.poller.reviewed = time.Time{} // a review is due
	listed := m.fn.poller.names
	var got []record.File
	for _, work := range m.trigger() {
		got = append(got, work.File)
	}
	wantFiles(m.t, got, want...)
	if m.polls == 0 && m.fn.poller.names != listed {
		m.t.Error("the folder was listed though files wait")
	}
	m.polls = 0
	waits := m.fn.wait(time.Now()) == 0
	if more := len(m.queued) > 0 && m.room() > 0; more && !waits {
		m.t.Errorf("the next look is not due, though %d files wait", len(m.queued))
	}
	m.checkBacklog()
}

func (m *backlogModel) checkBacklog() {
	m.t.Helper()
	var want runctl.Backlog
	for f := range m.queued {
		addTo(&want, record.Work{File: f})
	}
	for f := range m.flying {
		if !m.loaded[byTime(f)] {
			addTo(&want, record.Work{File: f})
		}
	}
	got, _ := runctl.Of(m.t.Name()).Backlog()
	if got.Files != want.Files || got.Bytes != want.Bytes {
		m.t.Errorf("the backlog is %+v, want %+v", got, want)
	}
}

// TestRandomBacklogIsHandedOnAsTheModelSays has files come, change and go, be loaded
// here and elsewhere, while a backlog is worked off a few files at a time.
func TestRandomBacklogIsHandedOnAsTheModelSays(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newBacklogModel(t, seed)
			for range 20 {
				m.write()
			}
			m.poll()
			for range 120 {
				switch m.random.IntN(12) {
				case 0, 1:
					m.write()
				case 2:
					m.remove()
				case 3, 4, 5:
					m.load()
				case 6:
					m.loadElsewhere()
				case 7:
					m.poll()
				default:
					m.look()
				}
			}
			for range 200 { // all is worked off
				m.look()
				m.load()
				m.load()
				m.load()
			}
			m.poll()
			if len(m.queued) > 0 || m.room() == 0 {
				t.Errorf("%d files wait, and there is room for %d", len(m.queued), m.room())
			}
			for _, f := range m.disk {
				if !m.flying[f] && !m.loaded[byTime(f)] {
					t.Errorf("%s was not handed on", f.Path)
				}
			}
		})
	}
}

func TestFileThatChangesWhileItWaitsIsHandedOnAsItIsNow(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(1))
	first := w.write("a.csv", "a", 1)
	w.write("b.csv", "b", 2)
	w.write("c.csv", "c", 3)
	last := w.write("d.csv", "d", 4)
	w.want(first)
	changed := w.write("b.csv", "bb", 9)
	remove(t, w.dir, "c.csv")
	w.want(last)
	w.want(changed)
	w.want()
	w.wantInFlight(first, last, changed)
}

// A file that changes each time it is to be handed on would otherwise be found changed
// for ever.
func TestFileThatChangesAgainAndAgainWaitsForThePoll(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(1))
	first := w.write("a.csv", "a", 1)
	w.write("b.csv", "b", 2)
	w.want(first)
	content := "b"
	w.memory.onLookup = func() {
		content += "b"
		w.write("b.csv", content, 2)
	}
	w.fn.poller.answers = nil
	w.want()
	if w.fn.poller.more() || len(w.fn.poller.waiting.files) != 1 {
		t.Errorf("waiting are %v", w.fn.poller.waiting.files)
	}
	w.memory.onLookup = nil
	if b, _ := runctl.Of(t.Name()).Backlog(); b.Files != 2 {
		t.Errorf("the backlog is %+v", b)
	}
	w.duePoll()
	w.want(w.write("b.csv", content+"b", 2))
}

func TestFullFlightIsReviewedBySamplesAndTheSinkIsNotKeptWaiting(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(100), WithBlocking(true), WithTriggerInterval(time.Hour))
	w.fn.poller.most = 100
	var files []record.File
	for i := range 150 {
		files = append(files, w.write(fmt.Sprintf("%03d.csv", i), "x", i))
	}
	w.want(files[:100]...)
	if wait := w.fn.wait(time.Now()); wait == 0 || wait > mostPatience {
		t.Errorf("without room, the next look is in %s", wait)
	}
	asked := w.memory.asked
	for range 20 {
		w.fn.poller.reviewed = time.Time{}
		w.want()
	}
	if got := w.memory.asked - asked; got != 20*sampled {
		t.Errorf("%d files were asked about by 20 samples", got)
	}
	if w.fn.poller.patience != mostPatience {
		t.Errorf("the ledger is asked each %s though nothing is loaded", w.fn.poller.patience)
	}
	w.memory.loaded(files[20:60]...)
	w.fn.poller.reviewed = time.Time{}
	w.want(files[100:140]...)
	if w.fn.poller.patience != leastPatience {
		t.Errorf("the ledger is asked each %s though files are loaded", w.fn.poller.patience)
	}
}

// The sink need not wait for more: there is no room for it.
func TestFullFlightIsALull(t *testing.T) {
	w := newWatcher(t, WithBlocking(true), WithTriggerInterval(time.Hour))
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	w.fn.poller.most = 1
	first, second := w.write("a.csv", "a", 1), w.write("b.csv", "b", 2)
	control := runctl.Of(t.Name())
	control.AtLull(func() { w.memory.loaded(first, second) })
	var got []record.File
	_, err := w.call(func(work record.Work) {
		if got = append(got, work.File); len(got) == 2 {
			control.Drain(time.Minute)
		}
	})
	check(t, err)
	wantFiles(t, got, first, second)
}

func TestForgottenHistoryHandsOnEverythingAgain(t *testing.T) {
	w := newWatcher(t, WithMaxFilesPerTrigger(3))
	loaded, failed, flying := w.write("a.csv", "a", 1), w.write("b.csv", "b", 2), w.write("c.csv", "c", 3)
	waiting := w.write("d.csv", "d", 4)
	w.memory.loaded(loaded)
	w.memory.set(failed, record.FileState{Status: record.StatusFailed})
	w.fn.Settings.MaxFilesPerTrigger = 1
	w.want(flying)
	w.memory.set(loaded, record.FileState{})
	w.memory.set(failed, record.FileState{})
	w.fn.Settings.MaxFilesPerTrigger = 9
	w.fn.forget()
	if p := w.fn.poller; p.known.len() != 0 || p.queue.len() != 0 || p.more() || w.fn.wait(time.Now()) > 0 {
		t.Error("something is kept, or the next look is not due")
	}
	w.wantInFlight()
	w.want(loaded, failed, flying, waiting)
}

func TestMicroBatchesFollowEachOtherWhileFilesWait(t *testing.T) {
	dir := t.TempDir()
	ledger, memory := newLedger(t)
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	var all []record.File
	for i := range 9 {
		all = append(all, write(t, filepath.Join(dir, fmt.Sprint(i, ".csv")), "x", i))
	}
	b, err := NewBatches(filepath.Join(dir, "*.csv"), ledger, WithRun(t.Name()), WithMaxFilesPerTrigger(3), WithTriggerInterval(time.Hour))
	check(t, err)
	wantFiles(t, nextFiles(t, b), all[:3]...)
	memory.loaded(all[:3]...)
	wantFiles(t, nextFiles(t, b), all[3:6]...)
	b.Again()
	wantFiles(t, nextFiles(t, b), all[3:6]...)
	memory.loaded(all[3:6]...)
	wantFiles(t, nextFiles(t, b), all[6:]...)
}

// Listing a long queue again and again would take more time the longer it is.
func TestListingsArePacedWhileManyFilesWait(t *testing.T) {
	w := newWatcher(t)
	now := time.Now()
	p := w.fn.poller
	p.names = pace{began: now.Add(-time.Second), took: time.Second}
	p.full = p.names
	if got := p.scope(now, few+1); got != changes {
		t.Errorf("with many files queued, the scope is %d", got)
	}
	if got := p.scope(now, few); got != everything {
		t.Errorf("with few files queued, the scope is %d", got)
	}
	if got := p.scope(now.Add(eagerly*time.Second), few+1); got != everything {
		t.Errorf("after ten times what a listing takes, the scope is %d", got)
	}
}
