package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// eventsOf returns the events of patterns below a folder, after a listing.
func eventsOf(t *testing.T, root string, patterns ...string) (*Events, func() *Listing) {
	t.Helper()
	var all []Pattern
	for _, pattern := range patterns {
		p, err := Parse(filepath.Join(root, pattern))
		check(t, err)
		all = append(all, p)
	}
	e, err := NewEvents(all)
	check(t, err)
	t.Cleanup(e.Close)
	list := func() *Listing { return List(t.Context(), all, Look{Events: e}) }
	list()
	return e, list
}

// mark renames a file into a folder that has events, and waits until that is told:
// then all that happened before is.
func mark(t *testing.T, e *Events, folder string) {
	t.Helper()
	write(t, filepath.Join(folder, ".mark"), "x", 0)
	check(t, os.Rename(filepath.Join(folder, ".mark"), filepath.Join(folder, "mark.csv")))
	eventually(t, e, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.named[filepath.Join(folder, "mark.csv")] == renamed
	})
}

// eventually waits for what an event brings about.
func eventually(t *testing.T, e *Events, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-e.Woken():
		case <-time.After(10 * time.Second):
			t.Fatal("waited 10 s in vain for an event")
		}
	}
}

func TestWhatEventsName(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "in", "old.csv"), "x", 0)
	write(t, filepath.Join(root, "in", ".whole"), "x", 0)
	write(t, filepath.Join(root, "other", "moved"), "x", 0)
	in := filepath.Join(root, "in")
	for _, c := range []struct {
		name string
		do   func() error
		// soon may be complete, later is what else is named.
		soon, later []string
	}{
		{"renamed within the folder", func() error { return os.Rename(in+"/.whole", in+"/a.csv") }, []string{"a.csv"}, nil},
		{"moved from another folder", func() error { return os.Rename(root+"/other/moved", in+"/b.csv") }, []string{"b.csv"}, nil},
		{"written in its place", func() error { return os.WriteFile(in+"/c.csv", []byte("x"), 0o600) }, []string{"c.csv"}, nil},
		{"written anew", func() error { return os.WriteFile(in+"/old.csv", []byte("xx"), 0o600) }, []string{"old.csv"}, nil},
		{"another time", func() error { return os.Chtimes(in+"/old.csv", epoch, epoch) }, nil, []string{"old.csv"}},
		{"linked", func() error { return os.Link(in+"/old.csv", in+"/d.csv") }, []string{"d.csv"}, nil},
		{"linked by name", func() error { return os.Symlink("old.csv", in+"/e.csv") }, []string{"e.csv"}, nil},
		{"created and not closed", func() error { return create(t, in+"/g.csv", "") }, nil, []string{"g.csv"}},
		{"other names", func() error { return os.WriteFile(in+"/f.txt", nil, 0o600) }, nil, nil},
		{"hidden names", func() error { return os.WriteFile(in+"/_f.csv", nil, 0o600) }, nil, nil},
		{"a folder, where files only match", func() error { return os.Mkdir(in+"/f.csv", 0o700) }, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := eventsOf(t, root, "in/*.csv")
			check(t, c.do())
			mark(t, e, in)
			if e.Lost() {
				t.Error("a listing is asked for")
			}
			for _, want := range []struct {
				all   bool
				names []string
			}{{false, append(c.soon, "mark.csv")}, {true, c.later}} {
				var names []string
				for _, named := range e.Named(want.all) {
					names = append(names, filepath.Base(named.Path))
				}
				slices.Sort(names)
				slices.Sort(want.names)
				if !slices.Equal(names, want.names) {
					t.Errorf("named (all: %v) are %q, want %q", want.all, names, want.names)
				}
			}
			if complete, err := e.Complete(); !complete || err != nil {
				t.Errorf("complete: %v, %v", complete, err)
			}
		})
	}
}

// create leaves a file open for writing until the test ends.
func create(t *testing.T, path, content string) error {
	f, err := os.Create(path)
	if err == nil {
		t.Cleanup(func() { _ = f.Close() })
		_, err = f.WriteString(content)
	}
	return err
}

func TestWhatOnlyAListingTells(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		do            func(root string) error
		// complete is whether events are after the next listing.
		complete bool
	}{
		{"a folder is made", "in/*/*.csv", func(root string) error { return os.Mkdir(root+"/in/new", 0o700) }, true},
		{"a folder is made at some depth", "in/**", func(root string) error { return os.Mkdir(root+"/in/sub/new", 0o700) }, true},
		{"a folder is moved in", "in/**", func(root string) error { return os.Rename(root+"/other", root+"/in/new") }, true},
		{"a folder is moved away", "in/**", func(root string) error { return os.Rename(root+"/in/sub", root+"/sub") }, true},
		{"the folder is removed", "in/sub/*.csv", func(root string) error { return os.RemoveAll(root + "/in/sub") }, false},
		{"the folder is renamed", "in/sub/*.csv", func(root string) error { return os.Rename(root+"/in/sub", root+"/in/away") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, "in", "sub", "a.csv"), "x", 0)
			write(t, filepath.Join(root, "other", "b.csv"), "x", 0)
			e, list := eventsOf(t, root, c.pattern)
			check(t, c.do(root))
			eventually(t, e, e.Lost)
			list()
			if complete, _ := e.Complete(); e.Lost() || complete != c.complete {
				t.Errorf("after a listing: lost %v, complete %v", e.Lost(), complete)
			}
		})
	}
}

// The kernel tells nothing of what happens above a folder.
func TestAFolderThatIsAnotherOneIsNoticed(t *testing.T) {
	for name, swap := range map[string]func(root string) error{
		"a folder above is renamed": func(root string) error {
			return rename(root+"/a", root+"/b", root+"/c", root+"/a")
		},
		"a link leads elsewhere": func(root string) error {
			return rename(root+"/link", root+"/old", root+"/other", root+"/link")
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, "a", "in", "a.csv"), "x", 0)
			write(t, filepath.Join(root, "c", "in", "b.csv"), "x", 0)
			link(t, root, "a", "link")
			link(t, root, "c", "other")
			pattern := "a/in/*.csv"
			if name == "a link leads elsewhere" {
				pattern = "link/in/*.csv"
			}
			e, list := eventsOf(t, root, pattern)
			check(t, swap(root))
			if complete, _ := e.Complete(); complete {
				t.Error("events are taken for those of the folder that is there now")
			}
			list()
			if complete, _ := e.Complete(); !complete {
				t.Error("events are not those of the folder that was listed")
			}
			mark(t, e, filepath.Dir(filepath.Join(root, pattern)))
		})
	}
}

func rename(names ...string) error {
	for ; len(names) > 0; names = names[2:] {
		if err := os.Rename(names[0], names[1]); err != nil {
			return err
		}
	}
	return nil
}

// A link and the folder that it leads to are two names of what the kernel watches.
func TestAFolderWithTwoNames(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "in", "a.csv"), "x", 0)
	link(t, root, "in", "link")
	e, _ := eventsOf(t, root, "in/*.csv", "link/*.csv")
	mark(t, e, filepath.Join(root, "link"))
	var got []string
	for _, named := range e.Named(false) {
		if !named.Renamed {
			t.Errorf("%s was renamed, which is not told", named.Path)
		}
		got = append(got, named.Path)
	}
	slices.Sort(got)
	if want := []string{filepath.Join(root, "in", "mark.csv"), filepath.Join(root, "link", "mark.csv")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMoreEventsThanAreKeptAskForAListing(t *testing.T) {
	root := t.TempDir()
	e, list := eventsOf(t, root, "*.csv")
	for i := range maxNamed {
		e.happened(filepath.Join(root, fmt.Sprint(i, ".csv")), changed)
	}
	if e.Lost() {
		t.Fatal("a listing is asked for before there are too many")
	}
	mark := filepath.Join(root, "mark.csv")
	e.happened(mark, renamed)
	if !e.Lost() {
		t.Error("no listing is asked for")
	}
	list()
	if e.Lost() {
		t.Error("a listing is asked for after it")
	}
	if left := len(e.Named(true)); left != maxNamed {
		t.Errorf("a listing, which may skip files, leaves %d of the %d names that were kept", left, maxNamed)
	}
}

// The kernel drops events that nobody takes in time, and says so.
func TestAnOverflowAsksForAListing(t *testing.T) {
	root := t.TempDir()
	e, _ := eventsOf(t, root, "*.csv")
	e.source.tell(-1, syscall.IN_Q_OVERFLOW, "")
	if !e.Lost() {
		t.Error("no listing is asked for")
	}
}

func TestFoldersWithoutEventsAreNoticed(t *testing.T) {
	root := t.TempDir()
	e, list := eventsOf(t, root, "in/*.csv")
	if complete, err := e.Complete(); complete || err != nil {
		t.Errorf("a folder that is not there: complete %v, %v", complete, err)
	}
	check(t, os.Mkdir(filepath.Join(root, "in"), 0o755))
	list()
	if complete, err := e.Complete(); !complete || err != nil {
		t.Errorf("the folder that was made: complete %v, %v", complete, err)
	}
	proc, _ := eventsOf(t, "/proc", "*.csv")
	if complete, err := proc.Complete(); complete || err != nil {
		t.Errorf("a file system that may change by itself: complete %v, %v", complete, err)
	}
}

func TestEventsThatAreClosedAreTrouble(t *testing.T) {
	root := t.TempDir()
	e, list := eventsOf(t, root, "*.csv")
	e.Close()
	write(t, filepath.Join(root, "a.csv"), "x", 0)
	if l := list(); len(l.Files) != 1 {
		t.Errorf("listed %v", l.Files)
	}
	if complete, err := e.Complete(); complete || err == nil {
		t.Errorf("complete %v, %v", complete, err)
	}
}

func TestWhatIsKnownIsNotLookedAt(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "known.csv"), "x", 0)
	write(t, filepath.Join(root, "in", "new.csv"), "x", 0)
	link(t, root, "known.csv", "link.csv")
	p, err := Parse(filepath.Join(root, "**"))
	check(t, err)
	info, err := os.Stat(filepath.Join(root, "known.csv"))
	check(t, err)
	list := List(t.Context(), []Pattern{p}, Look{Skip: func(path []byte, inode uint64) bool {
		return string(path) == filepath.Join(root, "known.csv") && inode == info.Sys().(*syscall.Stat_t).Ino
	}})
	var got []string
	for _, f := range list.Files {
		got = append(got, f.Path)
	}
	slices.Sort(got)
	if want := []string{filepath.Join(root, "in", "new.csv"), filepath.Join(root, "link.csv")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
