package pipeline

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// folderModel is a folder of files, and what must be loaded of it: each content that a
// path has had, once.
type folderModel struct {
	*place
	random *rand.Rand
	// now has the content of each path; loaded has the records of each path and content.
	now    map[string]string
	loaded map[[2]string]int
	next   int
}

// lines are new records.
func (m *folderModel) lines(n int) string {
	var b strings.Builder
	for range n {
		m.next++
		b.WriteString(eventLine(m.next, "name"))
	}
	return b.String()
}

// has notes that a path has a content.
func (m *folderModel) has(name, content string) {
	m.now[name] = content
	m.loaded[[2]string{name, content}] = strings.Count(content, "\n") - 1
}

// any returns a path that exists, or "".
func (m *folderModel) any() string {
	var names []string
	for name := range m.now {
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return names[m.random.IntN(len(names))]
}

func (m *folderModel) fresh() string { m.next++; return fmt.Sprintf("f%d.csv", m.next) }

func (m *folderModel) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *folderModel) path(name string) string { return filepath.Join(m.dir, name) }

// put writes a hidden file with the content, and the modification time if that is not
// zero, and renames it over the path.
func (m *folderModel) put(name, content string, modified time.Time) {
	m.write(".tmp", content)
	if !modified.IsZero() {
		m.must(os.Chtimes(m.path(".tmp"), modified, modified))
	}
	m.must(os.Rename(m.path(".tmp"), m.path(name)))
	m.has(name, content)
}

func (m *folderModel) modified(name string) time.Time {
	info, err := os.Stat(m.path(name))
	m.must(err)
	return info.ModTime()
}

// link makes a link, and removes it when it is loaded: what is done to the file later
// would be done to the link too.
func (m *folderModel) link(link func(from, to string) error, name string) {
	other := "link-" + m.fresh()
	m.must(link(m.path(name), m.path(other)))
	m.has(other, m.now[name])
	m.settled("a link")
	m.must(os.Remove(m.path(other)))
	delete(m.now, other)
}

// folderOperations are what people and programs do to files. Each gets a path that exists.
var folderOperations = map[string]func(m *folderModel, name string){
	"create": func(m *folderModel, _ string) {
		name, content := m.fresh(), eventsHeader+m.lines(3)
		m.write(name, content)
		m.has(name, content)
	},
	"append": func(m *folderModel, name string) {
		more := m.lines(1)
		m.appendTo(name, more)
		m.has(name, m.now[name]+more)
	},
	"rename over it": func(m *folderModel, name string) { m.put(name, eventsHeader+m.lines(2), time.Time{}) },
	"replace it, with size and time": func(m *folderModel, name string) {
		m.put(name, eventsHeader+m.lines(strings.Count(m.now[name], "\n")-1), m.modified(name))
	},
	"copy over it, with size and time": func(m *folderModel, name string) {
		content, at := eventsHeader+m.lines(strings.Count(m.now[name], "\n")-1), m.modified(name)
		m.write(name, content)
		m.must(os.Chtimes(m.path(name), at, at))
		m.has(name, content)
	},
	"hard link":     func(m *folderModel, name string) { m.link(os.Link, name) },
	"symbolic link": func(m *folderModel, name string) { m.link(os.Symlink, name) },
	"rename": func(m *folderModel, name string) {
		other := m.fresh()
		m.must(os.Rename(m.path(name), m.path(other)))
		m.has(other, m.now[name])
		delete(m.now, name)
	},
	"delete": func(m *folderModel, name string) {
		m.must(os.Remove(m.path(name)))
		delete(m.now, name)
	},
	"touch": func(m *folderModel, name string) {
		at := time.Now().Add(-time.Duration(m.random.IntN(1000)) * time.Second)
		m.must(os.Chtimes(m.path(name), at, at))
	},
	"chmod": func(m *folderModel, name string) {
		m.must(os.Chmod(m.path(name), 0o600|os.FileMode(m.random.IntN(2))*0o40))
	},
	"recreate the folder": func(m *folderModel, _ string) {
		m.must(os.RemoveAll(m.dir))
		m.must(os.Mkdir(m.dir, 0o755))
		m.now = map[string]string{}
		m.put(m.fresh(), eventsHeader+m.lines(2), time.Time{})
	},
}

// settled waits until all that the model has is loaded.
func (m *folderModel) settled(operation string) {
	m.Helper()
	want := 0
	for _, n := range m.loaded {
		want += n
	}
	m.eventually(fmt.Sprintf("%d records, after: %s", want, operation), func() bool {
		return m.count(`select coalesce(sum(row_parsed), 0)::int from cartstream.load_history where status = 'loaded'`) >= want
	})
}

// Whatever happens to the files of a folder, each content that a path has had while the
// pipeline looked is loaded, and nothing is loaded twice.
func TestEveryContentOfAFolderIsLoadedOnce(t *testing.T) {
	var names []string
	for name := range folderOperations {
		names = append(names, name)
	}
	slices.Sort(names)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := &folderModel{place: newPlace(t, RunnerDirect), random: rand.New(rand.NewPCG(seed, 14)), now: map[string]string{}, loaded: map[[2]string]int{}}
			end := m.watch()
			folderOperations["create"](m, "")
			m.settled("create")
			order := m.random.Perm(len(names))
			for _, i := range append(order, order[:4]...) {
				name := m.any()
				if name == "" {
					folderOperations["create"](m, "")
					name = m.any()
					m.settled("create")
				}
				folderOperations[names[i]](m, name)
				m.settled(names[i] + " " + name)
			}
			end()
			m.options.AvailableNow = true
			if totals := m.run(nil); totals.Records != 0 {
				t.Errorf("a run more reads %d records", totals.Records)
			}
			want := 0
			for _, n := range m.loaded {
				want += n
			}
			if got := m.count(`select coalesce(sum(row_parsed), 0)::int from cartstream.load_history`); got != want {
				t.Errorf("%d records were read, want %d", got, want)
			}
			m.rowsOfAll()
		})
	}
}

// rowsOfAll compares the rows with the records of all contents.
func (m *folderModel) rowsOfAll() {
	m.Helper()
	lines := map[string]bool{}
	for version := range m.loaded {
		for line := range strings.Lines(strings.TrimPrefix(version[1], eventsHeader)) {
			lines[line] = true
		}
	}
	if got := m.count(countRows); got != len(lines) {
		m.Errorf("%d rows, want %d", got, len(lines))
	}
}
