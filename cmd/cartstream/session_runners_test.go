//go:build e2e && runners

package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/io/postgresio"
)

// session is a Flink session cluster, and its job server.
type session struct {
	*service
	cluster *process
	dir     string
	ports   []string
}

// newSession starts a cluster, of one TaskManager unless the arguments say
// otherwise.
func newSession(s *scene, args ...string) *session {
	s.Helper()
	rest := freePorts(s.T, 3) // taken apart, two may be the same
	rpc, port := rest+1, rest+2
	v := &session{dir: s.path("flink"), ports: []string{"--port", strconv.Itoa(port), "--artifact-port", "0", "--expansion-port", "0"}}
	v.cluster = s.deploy("flink/cluster", "ready", append(args, "--dir", v.dir, "--rest-port", strconv.Itoa(rest), "--rpc-port", strconv.Itoa(rpc),
		"--checkpoints", s.path("checkpoints"))...)
	v.service = &service{endpoint: fmt.Sprintf("127.0.0.1:%d", port), rest: fmt.Sprintf("127.0.0.1:%d", rest)}
	v.jobServer(s)
	return v
}

func (v *session) jobServer(s *scene) {
	s.Helper()
	v.process = s.deploy("flink/jobserver", "ready on", slices.Concat(v.ports, []string{"--master", v.rest, "--no-upload"})...)
}

// pid is that of a process of the cluster.
func (v *session) pid(s *scene, name string) int {
	s.Helper()
	text, err := os.ReadFile(v.dir + "/" + name + ".pid")
	if err != nil {
		s.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.Fatal(err)
	}
	return pid
}

// The TaskManager, a worker and the job server are killed in the middle of a
// load; the job is cancelled and another one submitted. Nothing is lost, nothing
// comes twice, and what is loaded is not read again.
func TestFlinkSessionIsKilled(t *testing.T) {
	needJava(t)
	s := newScene(t)
	v := newSession(s)
	s.generate(800_000, 20_000) // two files at most in a batch
	come := s.filesToCome()
	s.write("few.yaml", "streaming: {trigger_interval: 500ms, max_files_per_trigger: 2, checkpoint_interval: 1s, checkpoint_path: "+s.path("checkpoints")+"}\n")
	run := slices.Concat([]string{"run", "--input", "in/*", "--config", "few.yaml"}, s.on(v.service, "flink", inProcess))
	p := s.start(run...)
	// inTheMiddle waits until some of the next files are loaded, but not all.
	inTheMiddle := func(kill func()) {
		files := come(8)
		s.eventually("some files", func() bool { return s.count(countLoaded) > files-8 })
		if n := s.count(countLoaded); n >= files {
			t.Errorf("all of %d files are loaded before something is killed", files)
		}
		kill()
	}
	inTheMiddle(func() { kill9(t, v.pid(s, "taskmanager-1")) })
	p.says("Flink restarts the job")
	v.cluster.says("is started again")
	inTheMiddle(func() {
		workers := v.cluster.workers()
		if len(workers) == 0 {
			t.Fatal("there is no worker to kill")
		}
		kill9(t, workers[0])
	})
	inTheMiddle(func() { kill9(t, v.process.cmd.Process.Pid) })
	s.loaded(24)
	s.eventually("the end of the job server's own process", func() bool {
		l, err := net.Listen("tcp", v.endpoint)
		if err == nil {
			l.Close()
		}
		return err == nil
	})
	v.jobServer(s)
	p.endsWith(exitFailed) // the new job server does not know its job
	p.mustSay("the job may go on in the cluster")
	inTheMiddle(func() {
		s.run(exitDone, "job", "cancel", p.jobOf(), "--endpoint", v.endpoint, "--flink-rest", v.rest).mustSay("Cancelled the job")
	})
	s.eventually("no worker", func() bool { return len(v.cluster.workers()) == 0 })
	s.hasGone()
	loaded := s.query(`select file_name from cartstream.load_history where status = 'loaded'`)
	var again *process
	read := s.filesRead("in", func() {
		again = s.start(run...)
		come(8)
		s.loaded(40)
	})
	for _, name := range read {
		if slices.Contains(loaded, s.path("in/"+name)) {
			t.Errorf("%s was loaded and is read again", name)
		}
	}
	t.Logf("%d files were loaded before the second job, %d read by it", len(loaded), len(read))
	s.run(exitDone, "job", "cancel", again.jobOf(), "--endpoint", v.endpoint)
	s.verifyManifest()
}

// filesToCome takes the files out of in/, and returns what has the next n
// appear there, and tells how many have.
func (s *scene) filesToCome() func(n int) (come int) {
	s.Helper()
	entries, err := os.ReadDir(s.path("in"))
	if err == nil {
		err = os.Rename(s.path("in"), s.path("to-come"))
	}
	if err == nil {
		err = os.Mkdir(s.path("in"), 0o755)
	}
	if err != nil {
		s.Fatal(err)
	}
	next := 0
	return func(n int) int {
		for ; n > 0; n, next = n-1, next+1 {
			name := entries[next].Name()
			if err := os.Rename(s.path("to-come/"+name), s.path("in/"+name)); err != nil {
				s.Fatal(err)
			}
		}
		return next
	}
}

// Ranges are spread over the workers of two TaskManagers: more batches are under
// way at the same time than one worker has connections.
func TestFlinkSpreadsRanges(t *testing.T) {
	needJava(t)
	s := newScene(t)
	v := newSession(s, "--taskmanagers", "2", "--slots", "1")
	s.generate(200_000, 10_000)
	release := s.gate(0)
	p := s.start(slices.Concat([]string{"run", "--available-now", "--input", "in/*", "--parallelism", "2"}, s.on(v.service, "flink", inProcess))...)
	s.held(postgresio.DefaultConnections + 1)
	release()
	p.endsWith(exitDone)
	s.verifyManifest()
}
