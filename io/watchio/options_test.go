package watchio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

func TestMinimumAge(t *testing.T) {
	w := newWatcher(t, WithMinimumAge(time.Hour))
	young := w.write("b.csv", "b", 2)
	old := w.write("a.csv", "a", 1)
	touch := func(ago time.Duration) {
		at := time.Now().Add(-ago).Truncate(time.Microsecond)
		check(t, os.Chtimes(young.Path, at, at))
		young.Modified = at.UnixMicro()
	}
	touch(0)
	w.want(old)
	touch(59 * time.Minute)
	w.want()
	touch(-time.Hour) // from the future
	w.want()
	w.wantInFlight(old)
	if w.memory.asked != 2+1 {
		t.Errorf("the ledger was asked about %d files", w.memory.asked)
	}
	touch(61 * time.Minute)
	w.want(young)
	w.want()
}

func TestAFileFromTheFutureIsOldEnoughWithoutAMinimumAge(t *testing.T) {
	w := newWatcher(t)
	w.want(w.write("a.csv", "a\n", int(time.Until(epoch.AddDate(100, 0, 0)).Seconds())))
}

func TestFileFromTheFutureIsToldAndCountsAsBacklog(t *testing.T) {
	logged := recordLogs(t)
	w := newWatcher(t, WithMinimumAge(time.Minute))
	path := filepath.Join(w.dir, "a.csv")
	for year := range 2 {
		at := time.Date(2099+year, 1, 1, 0, 0, 0, 0, time.UTC)
		check(t, os.WriteFile(path, []byte("a"), 0o600))
		check(t, os.Chtimes(path, at, at))
		for range 3 {
			w.want()
			w.wantBacklog(1)
		}
		logged.want(t, fmt.Sprintf("WARN The file waits, because its modification time lies in the future and streaming.minimum_age is set; "+
			"'touch' sets the time to now %s %d-01-01T00:00:00Z 1m0s", path, 2099+year))
	}
	check(t, os.Chtimes(path, epoch, epoch))
	w.want(versionNow(t, path))
	logged.want(t)
}

func TestListNamesFileFromTheFuture(t *testing.T) {
	dir := t.TempDir()
	ledger, _ := newLedger(t)
	path := filepath.Join(dir, "a.csv")
	check(t, os.WriteFile(path, []byte("a"), 0o600))
	at := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	check(t, os.Chtimes(path, at, at))
	logged := recordLogs(t)
	j, err := runners[0].list(t, filepath.Join(dir, "*.csv"), ledger, nil, WithMinimumAge(time.Minute))
	check(t, err)
	wantFiles(t, j.files())
	logged.want(t, "WARN The file waits, because its modification time lies in the future and streaming.minimum_age is set; "+
		"'touch' sets the time to now "+path+" 2099-01-01T00:00:00Z 1m0s",
		"WARN Left to a later run "+path+" its modification time lies in the future: 2099-01-01T00:00:00Z")
}

func TestAListTellsOfWhatIsNotOldEnough(t *testing.T) {
	dir := t.TempDir()
	ledger, _ := newLedger(t)
	logged := recordLogs(t)
	old := write(t, filepath.Join(dir, "a.csv"), "a", 1)
	check(t, os.WriteFile(filepath.Join(dir, "b.csv"), nil, 0o644))
	j, err := runners[0].list(t, filepath.Join(dir, "*.csv"), ledger, nil, WithMinimumAge(time.Hour))
	check(t, err)
	wantFiles(t, j.files(), old)
	logged.want(t, "WARN Left to a later run "+filepath.Join(dir, "b.csv")+" it has changed less than the minimum age ago, 1h0m0s")
}

func TestLatestFirst(t *testing.T) {
	w := newWatcher(t, WithLatestFirst(true), WithMaxFilesPerTrigger(2))
	third := w.write("b.csv", "b", 3)
	first := w.write("a.csv", "a", 9)
	fourth := w.write("d.csv", "d", 1)
	second := w.write("c.csv", "c", 3)
	w.want(first, third) // of one time, by name
	newest := w.write("e.csv", "e", 10)
	w.duePoll()
	w.want(newest, second)
	w.want(fourth)
}

func TestMaxBytesPerTrigger(t *testing.T) {
	cases := []struct {
		name  string
		most  int64
		files int
		sizes []int
		// want holds how many files come with each poll.
		want []int
	}{
		{"what fits", 10, 9, []int{3, 4, 3, 1}, []int{3, 1}},
		{"one byte too many", 9, 9, []int{3, 4, 3, 1}, []int{2, 2}},
		{"a file that is too large comes alone", 5, 9, []int{9, 1, 9, 1}, []int{1, 1, 1, 1}},
		{"a small file does not overtake a large one", 5, 9, []int{3, 9, 1}, []int{1, 1, 1}},
		{"empty files take no room", 3, 9, []int{0, 3, 0, 0, 1}, []int{4, 1}},
		{"no more than the bound of files", 100, 2, []int{1, 1, 1}, []int{2, 1}},
		{"no bound", 0, 9, []int{100, 100, 100}, []int{3}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWatcher(t, WithMaxBytesPerTrigger(c.most), WithMaxFilesPerTrigger(c.files))
			var files []record.File
			for i, size := range c.sizes {
				files = append(files, w.write(fmt.Sprint(i, ".csv"), fmt.Sprintf("%*s", size, ""), i))
			}
			for _, n := range append(c.want, 0) {
				w.want(files[:n]...)
				files = files[n:]
			}
		})
	}
}

func TestFilesFromBeforeTheRunAreLeftAlone(t *testing.T) {
	since := epoch.Add(10 * time.Second)
	w := newWatcher(t, WithSince(since))
	logged := recordLogs(t)
	left := w.write("a.csv", "a", 1)
	w.write("b.csv", "b", 9)
	at := w.write("c.csv", "c", 10)
	after := w.write("d.csv", "d", 11)
	begun := w.write("e.csv", "e", 2)
	unreadable := w.write("f.csv", "f", 3)
	loaded := w.write("g.csv", "g", 4)
	w.memory.set(begun, record.FileState{Status: record.StatusLoading, Fingerprint: "theirs", Done: []record.DoneRange{{Start: 5}}})
	w.memory.set(unreadable, record.FileState{UnreadableSince: 7})
	w.memory.loaded(loaded)
	warning := func(files int, first string) string {
		return fmt.Sprint("WARN Left alone, because files from before that time are not to be loaded ", files, " ", first, " ", since)
	}
	w.want(begun, unreadable, at, after)
	logged.want(t, warning(2, left.Path))
	w.want()
	logged.want(t)
	moved := w.write("moved.csv", "m", 5)
	w.want()
	logged.want(t, warning(1, moved.Path))
	changed := w.write("a.csv", "aa", 12)
	w.want(changed)
	logged.want(t)
	w.restart()
	w.want()
	logged.want(t, warning(2, moved.Path))
}

func TestATimeInWholeSecondsIsTheEndOfItsSecond(t *testing.T) {
	since := time.Date(2026, 1, 29, 10, 0, 0, 500_000_000, time.UTC)
	w := newWatcher(t, WithSince(since))
	for name, at := range map[string]time.Time{
		"a.csv": since.Truncate(time.Second),
		"b.csv": since.Truncate(time.Second).Add(-time.Second),
		"c.csv": since.Add(-time.Microsecond),
		"d.csv": since,
	} {
		check(t, os.Chtimes(w.write(name, "x", 1).Path, at, at))
	}
	works := w.trigger()
	if len(works) != 2 || filepath.Base(works[0].File.Path) != "a.csv" || filepath.Base(works[1].File.Path) != "d.csv" {
		t.Errorf("got %+v", works)
	}
}

func TestExistingFiles(t *testing.T) {
	onEach(t, func(t *testing.T, r runner) {
		dir := t.TempDir()
		ledger, memory := newLedger(t)
		write(t, filepath.Join(dir, "a.csv"), "a", 1)
		begun := write(t, filepath.Join(dir, "b.csv"), "b", 2)
		memory.set(begun, record.FileState{Status: record.StatusLoading, Done: []record.DoneRange{{Start: 1}}})
		j := r.watch(t, filepath.Join(dir, "*.csv"), ledger, nil, WithIncludeExisting(false))
		eventually(t, "the file that a load has begun", func() bool { return len(j.all()) == 1 })
		fresh := filepath.Join(dir, "c.csv")
		check(t, os.WriteFile(fresh, []byte("c\n"), 0o644))
		eventually(t, "the file that comes", func() bool { return len(j.all()) == 2 })
		j.control.Drain(time.Minute)
		check(t, j.end(t))
		if files := j.files(); files[0] != begun || files[1].Path != fresh {
			t.Errorf("got %v", lines(files))
		}
	})
}

func TestExistingFilesAreIncludedUnlessToldOtherwise(t *testing.T) {
	for name, opts := range map[string][]Option{
		"by default": nil, "on demand": {WithIncludeExisting(false), WithIncludeExisting(true)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatcher(t, opts...)
			w.want(w.write("a.csv", "a", 1))
		})
	}
}

func TestSeveralPatterns(t *testing.T) {
	dir := t.TempDir()
	w := watcherOf(t, dir, filepath.Join(dir, "*.csv"), WithPatterns(filepath.Join(dir, "a*"), filepath.Join(dir, "in", "**", "*.txt")))
	both := w.write("a.csv", "a", 1)
	first := w.write("b.csv", "b", 2)
	second := w.write("ab.txt", "ab", 3)
	third := w.write("in/x/y/c.txt", "c", 4)
	w.write("in/.x/y/c.txt", "c", 4)
	w.write("in/x/y/c.csv", "c", 4)
	w.want(both, first, second, third)
	w.want()
}

func TestADeepTreeThatLinksToItselfGivesEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	w := watcherOf(t, dir, filepath.Join(dir, "**", "*.csv"))
	a, b := w.write("a.csv", "a", 1), w.write("in/sub/b.csv", "b", 2)
	link(t, dir, ".", "in/sub/up")
	logged := recordLogs(t)
	w.want(a, b)
	w.want()
	logged.want(t)
}

func TestALedgerIsNotAskedAboutWhatIsLeftAlone(t *testing.T) {
	w := newWatcher(t, WithSince(epoch.Add(time.Hour)))
	for i := range 1500 {
		w.write(fmt.Sprintf("%04d.csv", i), "x", i)
	}
	w.want()
	w.memory.asked = 0
	w.want()
	if w.memory.asked != 0 {
		t.Errorf("asked about %d files again", w.memory.asked)
	}
	pending, err := Pending(context.Background(), filepath.Join(w.dir, "*.csv"), w.fn.Ledger, WithSince(epoch.Add(time.Hour)))
	check(t, err)
	if len(pending) > 0 {
		t.Errorf("%d files are pending", len(pending))
	}
}
