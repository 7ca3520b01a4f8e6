//go:build e2e

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// An archive takes as much memory as its window, beside what any file takes,
// as docs/operations.md says.
func TestMemoryOfAnArchiveWithTheLargestWindow(t *testing.T) {
	const window, most = 128 << 20, 250_000_000 + 128<<20
	s := newScene(t)
	s.largeFile("large.csv")
	content, err := os.ReadFile(s.path("large.csv"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil, zstd.WithWindowSize(window), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	s.write("in/a.csv.zst", string(w.EncodeAll(content, nil)))
	s.write("s.yaml", "validation: {max_expansion: 0}\n")
	p := s.start("run", "--available-now", "--input", "in/*", "--config", "s.yaml")
	resident := p.mostResident()
	p.endsWith(exitDone)
	s.expect(countRows, "50000")
	t.Logf("%d MB were resident", resident/1_000_000)
	if resident < window {
		t.Errorf("%d bytes were resident: the window was not used", resident)
	}
	if resident > most {
		t.Errorf("%d bytes were resident, want %d at most", resident, most)
	}
}

// A large file with faults and duplicates takes no more memory than a small one.
func TestMemoryOfALargeFile(t *testing.T) {
	const most = 300_000_000
	onEachRunner(t, func(t *testing.T, runner string) {
		s := newScene(t)
		s.generate(2_500_000, 2_500_000) // 300 MB
		p := s.start("run", "--available-now", "--input", "in/*", "--runner", runner)
		resident := p.mostResident()
		p.endsWith(exitDone)
		t.Logf("%d MB were resident", resident/1_000_000)
		if resident > most {
			t.Errorf("%d bytes were resident, want %d at most", resident, most)
		}
	})
}

// mostResident returns the most that was resident of a process until it ended,
// in bytes. What rusage says may be the parent's.
func (p *process) mostResident() (most int) {
	for !p.hasEnded() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)) // none at the end
		_, after, _ := strings.Cut(string(status), "VmHWM:")
		if _, err := fmt.Sscanf(after, "%d kB", &most); err == nil {
			most <<= 10
		}
		time.Sleep(10 * time.Millisecond)
	}
	return most
}
