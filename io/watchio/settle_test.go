package watchio

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// quickLedger is a memoryLedger that answers for many files at once.
type quickLedger struct {
	memoryLedger
	memory  *memory
	settled *int
}

func (l quickLedger) Settled(_ context.Context, files []record.File) ([]bool, error) {
	*l.settled++
	done := make([]bool, len(files))
	for i, f := range files {
		done[i] = l.memory.states[byTime(f)].Status == record.StatusLoaded
	}
	return done, l.memory.err
}

func TestAStartAsksAboutAllFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	ledger, memory := newLedger(t)
	settled := 0
	p, err := newPoller(newSettings(filepath.Join(dir, "*.csv"), nil), quickLedger{ledger, memory, &settled})
	check(t, err)
	var files []record.File
	for i := range 3010 {
		files = append(files, write(t, filepath.Join(dir, fmt.Sprintf("%04d.csv", i)), "x", i))
	}
	memory.loaded(files[5:3005]...)
	want := slices.Concat(files[:5], files[3005:])
	for look := range 2 {
		l, err := p.look(context.Background(), time.Now())
		check(t, err)
		var got []record.File
		for {
			d, ok, err := l.next(context.Background())
			check(t, err)
			if !ok {
				break
			}
			l.take(d)
			got = append(got, d.work.File)
		}
		wantFiles(t, got, want...)
		if settled != 1 || memory.asked != 10*(look+1) {
			t.Errorf("all files were asked about %d times, and %d by themselves", settled, memory.asked)
		}
	}
	memory.err = context.DeadlineExceeded
	p, err = newPoller(p.settings, p.ledger)
	check(t, err)
	if _, err := p.look(context.Background(), time.Now()); err == nil {
		t.Error("a ledger that can't answer is no error")
	}
}
