//go:build e2e

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/generator"
	"github.com/cartstream/cartstream/internal/embeddedpg"
)

// What comes in a round: small files, enough that the new primary gives the
// numbers of lost entries to other files, and one file of several ranges.
const (
	smallPerRound, smallEvents = 80, 250
	largeEvents                = 120_000
)

// The primary is lost at a random moment of a load, or when all is loaded, and a
// standby that lacks the last commits takes its place. The same process loads
// again what was lost: every good row is stored exactly once.
func TestFailovers(t *testing.T) {
	rounds := numberFrom(t, "CHAOS_FAILOVERS", 3)
	onPrism := (rounds + 2) / 3
	for _, c := range []struct {
		runner string
		rounds int
	}{{"direct", rounds - onPrism}, {"prism", onPrism}} {
		t.Run(c.runner, func(t *testing.T) {
			f := newFailovers(t, c.rounds)
			f.failovers(c.rounds, "--runner", c.runner)
			f.process.signal(sigterm)
			f.process.endsWith(exitDone)
			f.verifyManifest()
		})
	}
}

// takeover is a way in which clients get from the lost primary to the new one.
type takeover struct {
	name string
	// do promotes the standby and returns the former primary when no client is
	// connected to it any more.
	do func(f *failover) (former *embeddedpg.Server)
}

var takeovers = []takeover{
	{"connections are reset", func(f *failover) *embeddedpg.Server {
		former := f.promote()
		f.gateway.Reset()
		return former
	}},
	{"the primary crashes", func(f *failover) *embeddedpg.Server {
		if err := f.pair.Primary.Kill(); err != nil {
			f.Fatal(err)
		}
		f.moment()
		return f.promote()
	}},
	{"connections hang", func(f *failover) *embeddedpg.Server {
		f.gateway.Freeze()
		former := f.promote()
		time.Sleep(time.Duration(f.IntN(3000)) * time.Millisecond)
		f.gateway.Reset()
		return former
	}},
	{"open connections stay with the former primary for a while", func(f *failover) *embeddedpg.Server {
		former := f.promote()
		time.Sleep(time.Duration(f.IntN(1500)) * time.Millisecond)
		f.gateway.Reset()
		return former
	}},
}

// failover is a process that loads while primaries are lost.
type failover struct {
	*replicated
	*rand.Rand
	process *process
	// files are all that come, in this order; come is how many have.
	files []generator.File
	come  int
}

// newFailovers has files for so many rounds, and no process yet.
func newFailovers(t *testing.T, rounds int) *failover {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("the moments are drawn with the seed %d", seed)
	f := &failover{replicated: newReplicated(t), Rand: rand.New(rand.NewPCG(seed, 0))}
	large := f.make("to-come", "2026-01-01T00:00:00Z", f.Uint64(), rounds*largeEvents, largeEvents)
	small := f.make("to-come", "2026-02-01T00:00:00Z", f.Uint64(), rounds*smallPerRound*smallEvents, smallEvents)
	f.keep(merge(large, small))
	for i := range large.Files {
		of := small.Files[i*smallPerRound : (i+1)*smallPerRound]
		f.files = slices.Concat(f.files, of[:smallPerRound/4], large.Files[i:i+1], of[smallPerRound/4:])
	}
	return f
}

// failovers starts the process and has one failover after the other.
func (f *failover) failovers(rounds int, args ...string) {
	f.Helper()
	f.process = f.start(slices.Concat([]string{"run", "--input", "in/*", "--config", "quick.yaml"}, args)...)
	f.filesComeUntil(1)
	f.isComplete("at the start", bound)
	order := f.Perm(len(takeovers))
	for round := range rounds {
		f.round(round, takeovers[order[round%len(order)]], f.IntN(3) == 0)
	}
}

// round has a round's files come, and the primary lost meanwhile, or when all
// but one of them are loaded.
func (f *failover) round(round int, how takeover, idle bool) {
	f.Helper()
	begun, until := time.Now(), (smallPerRound+1)*(round+1)
	var former *embeddedpg.Server
	var lost int
	if idle {
		f.filesComeUntil(until - smallPerRound/2)
		f.isComplete("before the failover", bound)
		f.pair.Lag()
		f.filesComeUntil(until - 1)
		f.isComplete("before the failover", bound)
		former, lost = f.fail(how)
		f.filesComeUntil(until)
	} else {
		stop := f.filesComeMeanwhile(until)
		f.moment()
		f.pair.Lag()
		f.moment()
		former, lost = f.fail(how)
		stop()
		f.filesComeUntil(until)
	}
	f.isReached(f.process)
	at := time.Now()
	f.isComplete("after a failover in which "+how.name, recoverBound)
	f.Logf("round %d, idle %t: %s; %d loads or more were lost; complete %v after the new primary was reached, %v after the begin of the round",
		round, idle, how.name, lost, time.Since(at).Round(10*time.Millisecond), time.Since(begun).Round(10*time.Millisecond))
	f.pair.Discard(former)
	f.isExact()
	f.pair.Follow()
}

// fail has the new primary take over, and returns how many loads that one lacks
// at least.
func (f *failover) fail(how takeover) (former *embeddedpg.Server, lost int) {
	f.Helper()
	const loads = `select count(*) from cartstream.loads`
	before := f.count(loads)
	former = how.do(f)
	return former, max(0, before-f.count(loads))
}

// moment lets some time pass: a random one is what this test is about.
func (f *failover) moment() { time.Sleep(time.Duration(f.IntN(500)) * time.Millisecond) }

// filesComeUntil has the files up to this one appear.
func (f *failover) filesComeUntil(until int) {
	f.Helper()
	for f.come < until {
		if err := f.nextFile(); err != nil {
			f.Fatal(err)
		}
	}
}

func (f *failover) nextFile() error {
	name := f.files[f.come].Name
	f.come++
	return os.Rename(f.path("to-come/"+name), f.path("in/"+name))
}

// filesComeMeanwhile has files appear one after the other, until stop is called
// or they are all there.
func (f *failover) filesComeMeanwhile(until int) (stop func()) {
	moments := rand.New(rand.NewPCG(f.Uint64(), 0))
	stopped, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for f.come < until {
			if err := f.nextFile(); err != nil {
				done <- err
				return
			}
			select {
			case <-stopped:
				done <- nil
				return
			case <-time.After(time.Duration(moments.IntN(30)) * time.Millisecond):
			}
		}
		done <- nil
	}()
	return func() {
		f.Helper()
		close(stopped)
		if err := <-done; err != nil {
			f.Fatal(err)
		}
	}
}

// isComplete waits until the files that have come are loaded to the row.
func (f *failover) isComplete(when string, within time.Duration) {
	f.Helper()
	var rows, letters int64
	for _, file := range f.files[:f.come] {
		rows, letters = rows+file.Valid-file.Duplicates, letters+file.Rejected
	}
	want := fmt.Sprintf("%d | %d | %d", f.come, rows, letters)
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		got, err := f.tryQuery(state)
		switch {
		case err == nil && got[0] == want:
			return
		case f.process.hasEnded():
			f.Fatalf("the process ended %s", when)
		case time.Now().After(end):
			f.Errorf("%s: the loaded files, rows and dead letters are %v (%v) after %v, want %s", when, got, err, within, want)
			f.Fatalf("files that are not as they should be:\n%s", strings.Join(f.wrongFiles(), "\n"))
		}
	}
}

// wrongFiles tells of the files whose history or rows are not those of the
// manifest.
func (f *failover) wrongFiles() (wrong []string) {
	for _, file := range f.files[:f.come] {
		got := f.query(`select status, row_parsed, error_count, row_count + duplicate_count,
				(select count(*) from cartstream.dead_letters d where d.file_id = h.file_id)
			from cartstream.load_history h where file_name like '%/' || $1`, file.Name)
		want := fmt.Sprintf("loaded | %d | %d | %d | %d", file.Events, file.Rejected, file.Valid, file.Rejected)
		if !slices.Equal(got, []string{want}) {
			wrong = append(wrong, fmt.Sprintf("%s: %q, want %q", file.Name, got, want))
		}
	}
	return append(wrong, fmt.Sprintf("without their file: %q", f.query(orphans)))
}
