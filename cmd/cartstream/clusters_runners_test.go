//go:build e2e && runners

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// clusterCase is a test on a job server. on are the flags of a run there.
type clusterCase struct {
	name string
	// environments are those whose difference matters.
	environments []string
	test         func(s *scene, v *service, on []string)
}

// onCluster starts a job server and runs the cases on it, one after the other.
func onCluster(t *testing.T, runner string, start func(*scene) *service, cases []clusterCase) {
	needJava(t)
	v := start(sceneAt(t, ""))
	for _, c := range cases {
		for _, environment := range c.environments {
			t.Run(c.name+"/"+environment, func(t *testing.T) {
				s := newScene(t)
				c.test(s, v, s.on(v, runner, environment))
			})
		}
	}
}

var (
	anywhere  = []string{inLoopback, inProcess}
	here      = []string{inLoopback}
	elsewhere = []string{inProcess}
)

func TestFlink(t *testing.T) {
	onCluster(t, "flink", (*scene).flink, []clusterCase{
		{"what is there", anywhere, loadsWhatIsThere},
		{"PostgreSQL is away", anywhere, waitsForPostgreSQL},
		{"files come and a signal drains", here, drainsOnSignal},
		{"the job goes on until it is cancelled", elsewhere, goesOnUntilCancelled},
		{"the command does not wait", elsewhere, doesNotWait},
		{"the cause of a failure", elsewhere, tellsTheCause},
		{"the workers' database is another one", elsewhere, refusesAnotherDatabase},
		{"a table that is gone", here, endsWhenTheTableIsGone},
	})
}

func TestSpark(t *testing.T) {
	onCluster(t, "spark", (*scene).spark, []clusterCase{
		{"what is there", anywhere, loadsWhatIsThere},
		{"PostgreSQL is away", anywhere, waitsForPostgreSQL},
		{"files come and a signal drains", anywhere, drainsMicroBatches},
		{"kills", elsewhere, microBatchesAreKilled},
		{"the cause of a failure", elsewhere, tellsTheCause},
	})
}

// All that is there, with faults of all kinds, is loaded to the row, and the
// password stays out of the logs; no copy of a worker is left.
func loadsWhatIsThere(s *scene, v *service, on []string) {
	s.generate(200_000, 10_000)
	copies := copiesOfWorkers()
	p := s.run(exitDone, slices.Concat([]string{"run", "--available-now", "--input", "in/*.csv", "--log-level", "debug"}, on)...)
	if left := copiesOfWorkers(); len(left) > len(copies) {
		s.Errorf("copies of workers are left: %q, before there were %q", left, copies)
	}
	p.mustSay("Submitted a job", "The job is running", "The job is done", "Beam's metrics of the job", "records=200000", "Done: 20 files loaded, 200000 records")
	s.verifyManifest()
	if secret := "of-a-test"; strings.Contains(p.stderr.String()+v.stderr.String(), secret) {
		s.Errorf("a log has the password: %s", p)
	}
}

// copiesOfWorkers are those that Beam's boot program has made.
func copiesOfWorkers() []string {
	copies, _ := filepath.Glob("/tmp/bin[0-9]*/worker")
	return copies
}

// While PostgreSQL is away for 20 s the job waits.
func waitsForPostgreSQL(s *scene, v *service, on []string) {
	server := pgtest.Server(s.T)
	s.url, s.admin = server.URL(), server.URL()
	if err := os.WriteFile(s.path("database.url"), []byte(s.url), 0o600); err != nil {
		s.Fatal(err)
	}
	s.generate(600_000, 10_000)
	s.run(exitDone, "migrate")
	p := s.start(slices.Concat([]string{"run", "--available-now", "--input", "in/*"}, on)...)
	s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
	if err := server.Kill(); err != nil {
		s.Fatal(err)
	}
	time.Sleep(20 * time.Second) // the case itself
	if p.hasEnded() {
		s.Fatalf("ended while PostgreSQL was away: %s", p)
	}
	if err := server.Restart(); err != nil {
		s.Fatal(err)
	}
	p.endsWith(exitDone)
	s.verifyManifest()
}

// comes has a file with so many good events appear, which no other has.
func (s *scene) comes(name string, events int) {
	s.Helper()
	var b strings.Builder
	b.WriteString(header)
	for n := range events {
		fmt.Fprintf(&b, "%s,U,P,N,C,view,,2024-01-29 10:00:00\n", id(len(name)*1_000_000+int(name[len(name)-1])*10_000+n))
	}
	s.write("in/"+name, b.String())
}

func (s *scene) loaded(files int) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d files", files), func() bool { return s.count(countLoaded) == files })
}

func drainsOnSignal(s *scene, v *service, on []string) {
	s.comes("a", 100)
	p := s.start(slices.Concat([]string{"run", "--input", "in/*", "--config", s.quick()}, on)...)
	s.loaded(1)
	s.comes("b", 100)
	s.loaded(2)
	p.signal(sigterm)
	p.endsWith(exitDone)
	p.mustSay("Draining", "Cancelled the job", "Done: 2 files loaded, 200 records")
	s.hasNoJob(v)
	s.run(exitDone, "verify", "--files").mustSay()
}

// hasNoJob checks that Flink does nothing any more.
func (s *scene) hasNoJob(v *service) {
	s.Helper()
	jobs := s.run(exitDone, "job", "list", "--endpoint", v.endpoint).stdout.String()
	if strings.Contains(jobs, "RUNNING") {
		s.Errorf("a job goes on: %s", jobs)
	}
	s.eventually("no worker", func() bool { return len(v.workers()) == 0 })
}

// jobOf is the id of the job that a process has submitted.
func (p *process) jobOf() string {
	p.Helper()
	p.says("Submitted a job")
	_, rest, _ := strings.Cut(p.stderr.String(), "Submitted a job job=")
	return strings.Fields(rest)[0]
}

func goesOnUntilCancelled(s *scene, v *service, on []string) {
	s.comes("a", 100)
	run := slices.Concat([]string{"run", "--input", "in/*", "--config", s.quick()}, on)
	p := s.start(run...)
	s.loaded(1)
	p.signal(sigterm)
	p.endsWith(exitDone)
	p.mustSay("The job goes on; this cancels it: cartstream job cancel "+p.jobOf(), "Done: 1 file loaded, 100 records")
	s.comes("b", 100)
	s.loaded(2)
	s.run(exitDone, "job", "cancel", p.jobOf(), "--endpoint", v.endpoint).mustSay("Cancelled the job")
	s.hasNoJob(v)
	s.comes("c", 100)
	var again *process
	read := s.filesRead("in", func() {
		again = s.start(run...)
		s.loaded(3)
	})
	if !slices.Equal(read, []string{"c"}) {
		s.Errorf("the next job read %q, want c alone", read)
	}
	s.run(exitDone, "job", "cancel", again.jobOf(), "--endpoint", v.endpoint)
	again.endsWith(exitFailed)
	again.mustSay("the job was cancelled; what it had not committed is loaded by the next run")
	s.hasNoJob(v)
	s.run(exitDone, "verify", "--files")
}

func doesNotWait(s *scene, v *service, on []string) {
	s.comes("a", 100)
	p := s.run(exitDone, slices.Concat([]string{"run", "--available-now", "--async", "--input", "in/*"}, on)...)
	p.mustSay("The job goes on")
	s.loaded(1)
	s.eventually("the job's end", func() bool {
		for line := range strings.Lines(s.run(exitDone, "job", "list", "--endpoint", v.endpoint).stdout.String()) {
			if fields := strings.Fields(line); fields[0] == p.jobOf() {
				return fields[2] == "DONE"
			}
		}
		return false
	})
}

func tellsTheCause(s *scene, v *service, on []string) {
	s.comes("a", 100)
	on = slices.Clone(on)
	on[slices.Index(on, "--environment_config")+1] = "/there/is/no/boot"
	p := s.run(exitFailed, slices.Concat([]string{"run", "--available-now", "--input", "in/*"}, on)...)
	last := p.stderr.String()[strings.LastIndex(p.stderr.String(), "Error: "):]
	if want := `Cannot run program "/there/is/no/boot": error=2, No such file or directory`; !strings.Contains(last, want) || strings.Count(last, "\n") != 1 {
		s.Errorf("the last line is %q, want it to have %q", last, want)
	}
}

// Workers whose environment names another database load nothing into it.
func refusesAnotherDatabase(s *scene, v *service, on []string) {
	s.comes("a", 100)
	s.run(exitDone, "migrate")
	other := newScene(s.T)
	other.run(exitDone, "migrate")
	if err := os.WriteFile(s.path("database.url"), []byte(other.url), 0o600); err != nil {
		s.Fatal(err)
	}
	p := s.run(exitFailed, slices.Concat([]string{"run", "--available-now", "--input", "in/*"}, on)...)
	p.mustSay("the environment of this worker names another database than the command has prepared: 127.0.0.1")
	other.expect(countRows, "0")
	s.expect(countRows, "0")
}

// What no retry mends ends the run, though Flink would try for ever.
func endsWhenTheTableIsGone(s *scene, v *service, on []string) {
	s.comes("a", 100)
	p := s.start(slices.Concat([]string{"run", "--input", "in/*", "--config", s.quick()}, on)...)
	s.loaded(1)
	s.query("drop table user_events")
	s.comes("b", 100)
	p.endsWith(exitFailed)
	p.mustSay(`Error: the pipeline ended`, `relation "public.user_events" does not exist`)
	s.hasNoJob(v)
}

// A job server that goes away between two micro-batches is waited for.
func TestSparkJobServerIsAway(t *testing.T) {
	needJava(t)
	s, port := newScene(t), freePorts(t, 1)
	v := sceneAt(t, "").sparkAt(port)
	s.comes("a", 100)
	p := s.start(slices.Concat([]string{"run", "--input", "in/*", "--config", s.quick()}, s.on(v, "spark", inLoopback))...)
	s.loaded(1)
	p.says("Micro-batch 1")
	v.stop()
	s.comes("b", 100)
	p.says("failed and is tried again")
	sceneAt(t, "").sparkAt(port)
	s.loaded(2)
	p.signal(sigterm)
	p.endsWith(exitDone)
	p.mustSay("Done: 2 files loaded, 200 records")
}

func drainsMicroBatches(s *scene, v *service, on []string) {
	s.comes("a", 100)
	p := s.start(slices.Concat([]string{"run", "--input", "in/*", "--config", s.quick()}, on)...)
	s.loaded(1)
	p.says("Micro-batch 1: Processed 100 records, inserted 100")
	jobs := func() int {
		return strings.Count(s.run(exitDone, "job", "list", "--endpoint", v.endpoint).stdout.String(), "\n")
	}
	before := jobs()
	time.Sleep(500 * time.Millisecond) // ten looks
	if now := jobs(); now != before {
		s.Errorf("%d jobs for an empty folder", now-before)
	}
	s.comes("b", 100)
	s.loaded(2)
	p.signal(sigterm)
	p.endsWith(exitDone)
	p.mustSay("Done: 2 files loaded, 200 records")
	s.run(exitDone, "verify", "--files")
}

// Workers are killed within a micro-batch, the command between two and within
// one. In the end all is there, once.
func microBatchesAreKilled(s *scene, v *service, on []string) {
	s.write("quick.yaml", "streaming: {trigger_interval: 50ms, max_files_per_trigger: 4}\n")
	run := slices.Concat([]string{"run", "--input", "in/*", "--config", "quick.yaml"}, on)
	s.generate(200_000, 10_000)
	release := s.gate(1)
	p := s.start(run...)
	s.held(1)
	for _, pid := range v.workers() {
		kill9(s.T, pid)
	}
	p.says("failed and is tried again")
	release()
	s.eventually("more", func() bool { return s.count(countRanges) > 4 })
	p.kill9() // within one
	p = s.start(run...)
	s.loaded(20)
	p.says("Micro-batch ")
	p.kill9() // between two
	p = s.start(run...)
	p.says("Loading")
	p.signal(sigterm)
	p.endsWith(exitDone)
	p.mustSay("Done: 0 files loaded, 0 records")
	s.verifyManifest()
}
