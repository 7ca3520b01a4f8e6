package watchio

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

const benchFiles = 100_000

// BenchmarkPoll looks at a folder of 100,000 files, of which nothing is due.
func BenchmarkPoll(b *testing.B) {
	p, m, files := benchPoller(b)
	m.loaded(files...)
	benchPoll(b, p, 0)
}

// BenchmarkPollBacklog looks at the same folder when all of it is due.
func BenchmarkPollBacklog(b *testing.B) {
	p, _, _ := benchPoller(b)
	benchPoll(b, p, 5)
}

func benchPoller(b *testing.B) (*poller, *memory, []record.File) {
	dir := b.TempDir()
	ledger, m := newLedger(b)
	files := make([]record.File, benchFiles)
	for i := range files {
		files[i] = write(b, filepath.Join(dir, fmt.Sprintf("events_20260129_100000_%06d.csv", i)), "x", i)
	}
	p, err := newPoller(newSettings(filepath.Join(dir, "*.csv"), nil), ledger)
	check(b, err)
	return p, m, files
}

func benchPoll(b *testing.B, p *poller, want int) {
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		look, err := p.look(context.Background(), time.Now())
		check(b, err)
		n := 0
		for n < max(want, 1) {
			_, ok, err := look.next(context.Background())
			check(b, err)
			if !ok {
				break
			}
			n++
		}
		if n != want {
			b.Fatalf("%d files are due, want %d", n, want)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// cpuTime is what the process has used, in the kernel too. A machine that does
// other things at the time takes longer, but does not use more.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
