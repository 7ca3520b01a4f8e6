//go:build e2e && runners

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// service is a script of deploy/ at work.
type service struct {
	*process
	endpoint string
	// rest is the address of Flink's REST service, or of several of them.
	rest string
}

// needJava leaves a test out where there is no Java; where CI runs, that is a
// failure.
func needJava(t *testing.T) {
	t.Helper()
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", program)
			}
			t.Skipf("%s is missing: nothing is tested on Flink and Spark", program)
		}
	}
}

// deployed is the path of a script in deploy/.
func deployed(t *testing.T, script string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "deploy", script))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// deploy runs a script of deploy/ until the test ends, and waits until it says
// what it says when it is ready.
func (s *scene) deploy(script, ready string, args ...string) *process {
	s.Helper()
	p := &process{scene: s, cmd: exec.Command(deployed(s.T, script), args...), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.launch()
	s.Cleanup(p.stop)
	for end := time.Now().Add(10 * time.Minute); !strings.Contains(p.stderr.String(), ready); time.Sleep(20 * time.Millisecond) {
		if p.hasEnded() || time.Now().After(end) { // the first start fetches
			s.Fatalf("is not ready: %s", p)
		}
	}
	return p
}

// stop ends a script as a person does, and checks that nothing is left of it.
func (p *process) stop() {
	if p.hasEnded() {
		return
	}
	group := members(p.cmd.Process.Pid)
	p.signal(sigterm)
	select {
	case <-p.ended:
	case <-time.After(bound):
		p.Errorf("still runs after SIGTERM: %s", p)
	}
	for _, pid := range group {
		if isAlive(pid) {
			p.Errorf("process %d outlives %s", pid, p.cmd.Path)
		}
	}
}

// members are a process and all that it has started and they have.
func members(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		children[parent] = append(children[parent], child)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// isAlive tells whether a process is there and not only waits to be noticed.
func isAlive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(text[bytes.LastIndexByte(text, ')'):], []byte(") Z"))
}

// workers are the workers that a job server or a TaskManager has started.
func (p *process) workers() (pids []int) {
	for _, pid := range members(p.cmd.Process.Pid) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if bytes.Contains(text, []byte("\x00--worker=true\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func kill9(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill -9 %d: %v", pid, err)
	}
}

// freePorts are n ports, one after the other, that nobody listens on.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port, taken := first.Addr().(*net.TCPAddr).Port, []net.Listener{first}
		for i := 1; i < n && err == nil; i++ {
			var next net.Listener
			if next, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i)); err == nil {
				taken = append(taken, next)
			}
		}
		for _, l := range taken {
			l.Close()
		}
		if err == nil {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// flink starts a job server of Flink's that runs each job in itself.
func (s *scene) flink() *service {
	s.Helper()
	rest := freePorts(s.T, 5)
	port := rest + 4
	v := &service{endpoint: fmt.Sprintf("127.0.0.1:%d", port), rest: fmt.Sprintf("127.0.0.1:%d-%d", rest, rest+3)}
	v.process = s.deploy("flink/jobserver", "ready on", "--port", strconv.Itoa(port), "--artifact-port", "0", "--expansion-port", "0",
		"--rest-ports", fmt.Sprintf("%d-%d", rest, rest+3))
	return v
}

// spark starts a job server of Spark's that runs each job in itself.
func (s *scene) spark() *service {
	s.Helper()
	return s.sparkAt(freePorts(s.T, 1))
}

func (s *scene) sparkAt(port int) *service {
	s.Helper()
	v := &service{endpoint: fmt.Sprintf("127.0.0.1:%d", port)}
	v.process = s.deploy("spark/jobserver", "ready on", "--port", strconv.Itoa(port), "--artifact-port", "0", "--expansion-port", "0")
	return v
}

// loopback and process are the environments that workers are tested in.
const (
	inLoopback = "LOOPBACK"
	inProcess  = "PROCESS"
)

// on are the flags of a run on a job server. Workers that are processes find the
// database by a file.
func (s *scene) on(v *service, runner, environment string) []string {
	s.Helper()
	args := []string{"--runner", runner, "--endpoint", v.endpoint, "--environment_type", environment}
	if v.rest != "" {
		args = append(args, "--flink-rest", v.rest)
	}
	if environment == inProcess {
		if err := os.WriteFile(s.path("database.url"), []byte(s.url+"\n"), 0o600); err != nil {
			s.Fatal(err)
		}
		args = append(args, "--environment_config", fmt.Sprintf(`{"command": %q, "env": {"DATABASE_URL_FILE": %q}}`, boot(s.T), s.path("database.url")))
	}
	return args
}

// boot is the path of Beam's boot program.
func boot(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(deployed(t, "boot"))
	var said bytes.Buffer
	cmd.Stderr = &said
	path, err := cmd.Output()
	if err != nil {
		t.Fatalf("deploy/boot: %v\n%s", err, &said)
	}
	return strings.TrimSpace(string(path))
}
