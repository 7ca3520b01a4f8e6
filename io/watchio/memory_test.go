package watchio

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() { Register[memoryLedger]() }

// memoryLedger is a ledger by its name: Beam serialises the struct, and what it
// knows stays in the process.
type memoryLedger struct{ Name string }

// memory is what a memoryLedger knows.
type memory struct {
	mu     sync.Mutex
	states map[record.File]record.FileState
	// asked counts files, batches the calls; largest is the largest call.
	asked, batches, largest int
	err                     error
	// onLookup is called first, without the lock.
	onLookup func()
	name     string // of the ledger
}

var memories sync.Map

// newLedger returns the ledger of a test.
func newLedger(t testing.TB) (memoryLedger, *memory) {
	m := &memory{states: map[record.File]record.FileState{}, name: t.Name()}
	memories.Store(t.Name(), m)
	t.Cleanup(func() { memories.Delete(t.Name()) })
	return memoryLedger{Name: t.Name()}, m
}

func (l memoryLedger) Lookup(ctx context.Context, files []record.File) ([]record.FileState, error) {
	v, _ := memories.Load(l.Name)
	m := v.(*memory)
	if m.onLookup != nil {
		m.onLookup()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked, m.batches, m.largest = m.asked+len(files), m.batches+1, max(m.largest, len(files))
	if m.err != nil {
		return nil, m.err
	}
	states := make([]record.FileState, len(files))
	for i, f := range files {
		states[i] = m.states[byTime(f)]
	}
	return states, ctx.Err()
}

func (m *memory) set(f record.File, s record.FileState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[byTime(f)] = s
}

func (m *memory) loaded(files ...record.File) {
	for _, f := range files {
		m.set(f, record.FileState{Status: record.StatusLoaded})
	}
}

// epoch is when the oldest file of a test was written.
var epoch = time.Date(2026, 1, 29, 10, 0, 0, 123456000, time.UTC)

// write makes a file, whose folder is made where it is missing, that was
// written age seconds after epoch.
func write(t testing.TB, path, content string, age int) record.File {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(content), 0o644))
	at := epoch.Add(time.Duration(age) * time.Second)
	check(t, os.Chtimes(path, at, at))
	return versionNow(t, path)
}

// byTime is a version without its inode and change time, which a rename changes.
func byTime(f record.File) record.File {
	f.Inode, f.Changed = 0, 0
	return f
}

// versionNow is the version that a path has.
func versionNow(t testing.TB, path string) record.File {
	t.Helper()
	c, err := files.Probe(record.File{Path: path})
	check(t, err)
	return c.File
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s in vain: %s", what)
		}
	}
}
