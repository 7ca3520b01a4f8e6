//go:build e2e

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cartstream/cartstream/generator"
)

// numberFrom is the number in an environment variable, by which `make chaos`
// asks for more than `make test`.
func numberFrom(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, allowed are whole numbers from 1", variable, text)
	}
	return n
}

// The pipeline is killed at random moments, again and again, while files keep
// coming. In the end everything is there, to the row.
func TestChaos(t *testing.T) {
	for _, c := range []struct {
		name string
		// runners are those of the processes that run at the same time.
		runners []string
	}{
		{"direct", []string{"direct"}},
		{"prism", []string{"prism"}},
		{"two at once", []string{"direct", "prism"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kills := numberFrom(t, "CHAOS_KILLS", 25)
			x := newChaos(t, kills)
			processes := make([]*process, len(c.runners))
			for killed := 0; killed < kills; {
				slot := x.IntN(len(processes))
				if processes[slot] == nil {
					processes[slot] = x.start("run", "--runner", c.runners[slot], "--input", "in/*", "--config", "quick.yaml")
				}
				x.moment()
				x.filesCome(x.IntN(2 * len(x.small) / (kills - killed)))
				x.moment()
				if x.unloaded() {
					killed++
				} else {
					x.filesCome(1) // a kill of one that has nothing to do proves little
				}
				processes[slot].kill9()
				processes[slot] = nil
			}
			for _, p := range processes {
				if p != nil {
					p.signal(sigterm)
					p.endsWith(exitDone)
				}
			}
			x.filesCome(len(x.small))
			x.hasGone()
			x.loadAll(exitDone)
			x.verifyManifest()
			x.loadAll(exitDone).mustSay("Done: 0 files loaded, 0 records")
			t.Logf("%d kills; %s records; rows, dead letters: %s, %s", kills, x.query(`select sum(records)::bigint from cartstream.ranges`)[0],
				x.query(countRows)[0], x.query(`select count(*) from cartstream.dead_letters`)[0])
		})
	}
}

// chaos is a scene in which files come.
type chaos struct {
	*scene
	*rand.Rand
	// small are the files that are still to come.
	small []string
}

// newChaos has half a million events or more in large files that are there, and
// small ones to come.
func newChaos(t *testing.T, kills int) *chaos {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("the moments are drawn with the seed %d", seed)
	x := &chaos{scene: newScene(t), Rand: rand.New(rand.NewPCG(seed, 0))}
	x.quick()
	x.run(exitDone, "migrate")
	large := x.make("in", "2026-01-01T00:00:00Z", x.Uint64(), max(500_000, 40_000*kills), 250_000)
	small := x.make("to-come", "2026-02-01T00:00:00Z", x.Uint64(), 4_000*kills, 500)
	for _, f := range small.Files {
		x.small = append(x.small, f.Name)
	}
	x.keep(merge(large, small))
	return x
}

// make has the generator write files with faults of all kinds.
func (s *scene) make(folder, start string, seed uint64, events, batch int) generator.Manifest {
	s.Helper()
	name := s.path(folder + ".json")
	s.run(exitDone, "generate", "--output", folder, "--interval", "0", "--seed", fmt.Sprint(seed|1), "--start", start,
		"--count", fmt.Sprint(events), "--batch-size", fmt.Sprint(batch), "--manifest", name,
		"--duplicate-rate", "0.02", "--invalid-rate", "0.01", "--corrupt-rate", "0.01", "--future-rate", "0.005")
	m, err := generator.ReadManifest(name)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// merge is the manifest of two runs whose events are of different days.
func merge(a, b generator.Manifest) generator.Manifest {
	a.Files = append(a.Files, b.Files...)
	t, u := &a.Totals, b.Totals
	t.Files, t.Events, t.Valid = t.Files+u.Files, t.Events+u.Events, t.Valid+u.Valid
	t.DistinctIDs, t.Duplicates, t.Future = t.DistinctIDs+u.DistinctIDs, t.Duplicates+u.Duplicates, t.Future+u.Future
	for code, n := range u.Invalid {
		t.Invalid[code] += n
	}
	for code, n := range u.Corrupt {
		t.Corrupt[code] += n
	}
	return a
}

// keep writes manifest.json.
func (s *scene) keep(m generator.Manifest) {
	s.Helper()
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(s.path("manifest.json"), text, 0o644)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// moment lets some time pass: a random one is what this test is about.
func (x *chaos) moment() { time.Sleep(time.Duration(x.IntN(400)) * time.Millisecond) }

// filesCome has the next n files appear.
func (x *chaos) filesCome(n int) {
	x.Helper()
	n = min(n, len(x.small))
	for _, name := range x.small[:n] {
		if err := os.Rename(x.path(filepath.Join("to-come", name)), x.path(filepath.Join("in", name))); err != nil {
			x.Fatal(err)
		}
	}
	x.small = x.small[n:]
}

// unloaded tells whether there is something to do.
func (x *chaos) unloaded() bool {
	x.Helper()
	there, err := os.ReadDir(x.path("in"))
	if err != nil {
		x.Fatal(err)
	}
	return x.count(countLoaded) < len(there)
}
