//go:build e2e && runners && figures

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// figure is a set of measurements of one thing.
type figure []float64

func (f figure) String() string {
	slices.Sort(f)
	return fmt.Sprintf("%.2f / %.2f / %.2f", f[0], f[len(f)/2], f[len(f)-1])
}

// at is the value below which so much of a hundred lies.
func (f figure) at(percent int) float64 {
	slices.Sort(f)
	return f[min(len(f)-1, len(f)*percent/100)]
}

// TestFiguresOfLoading loads a million events with faults on each runner, in
// turns, and tells the time until the first range was begun apart from the rest.
func TestFiguresOfLoading(t *testing.T) {
	const rounds, events = 3, 1_000_000
	source := newScene(t)
	source.generate(events, 10_000)
	flink, spark := sceneAt(t, "").flink(), sceneAt(t, "").spark()
	type row struct {
		name         string
		on           func(*scene) []string
		start, whole figure
		rate         figure
	}
	local := func(runner string) func(*scene) []string {
		return func(*scene) []string { return []string{"--runner", runner} }
	}
	rows := []*row{
		{name: "direct", on: local("direct")},
		{name: "prism", on: local("prism")},
		{name: "flink LOOPBACK", on: func(s *scene) []string { return s.on(flink, "flink", inLoopback) }},
		{name: "flink PROCESS", on: func(s *scene) []string { return s.on(flink, "flink", inProcess) }},
		{name: "spark LOOPBACK", on: func(s *scene) []string { return s.on(spark, "spark", inLoopback) }},
		{name: "spark PROCESS", on: func(s *scene) []string { return s.on(spark, "spark", inProcess) }},
	}
	for round := range rounds + 1 { // the first warms up
		for _, r := range rows {
			s := newScene(t)
			s.run(exitDone, "migrate")
			begin := time.Now()
			s.run(exitDone, slices.Concat([]string{"run", "--available-now", "--input", source.path("in/*")}, r.on(s))...)
			whole := time.Since(begin).Seconds()
			var first, last float64
			if _, err := fmt.Sscan(s.query(`select extract(epoch from min(committed_at - seconds * interval '1 s'))::float8 || ' ' ||
				extract(epoch from max(committed_at))::float8 from cartstream.loads`)[0], &first, &last); err != nil {
				t.Fatal(err)
			}
			if round > 0 {
				r.start = append(r.start, first-float64(begin.UnixMicro())/1e6)
				r.whole = append(r.whole, whole)
				r.rate = append(r.rate, events/(last-first)/1000)
			}
		}
	}
	t.Logf("%d cores; %d events with faults, 100 files, min / median / max of %d", runtime.NumCPU(), events, rounds)
	for _, r := range rows {
		t.Logf("%-15s start-up s %s | thousand rows/s from then on %s | whole command s %s | of direct %.2f",
			r.name, r.start, r.rate, r.whole, r.rate.at(50)/rows[0].rate.at(50))
	}
}

// TestFiguresOfLatency tells the time from the rename of a file to its rows, on a
// quiet system.
func TestFiguresOfLatency(t *testing.T) {
	s, v := newScene(t), sceneAt(t, "").flink()
	s.write("second.yaml", "streaming: {trigger_interval: 1s, checkpoint_path: "+s.path("checkpoints")+"}\n")
	for _, c := range []struct {
		name string
		on   []string
	}{
		{"direct", nil}, {"flink LOOPBACK", s.on(v, "flink", inLoopback)}, {"flink PROCESS", s.on(v, "flink", inProcess)},
	} {
		p := s.start(slices.Concat([]string{"run", "--config", "second.yaml", "--input", "in/*"}, c.on)...)
		var latency figure
		for n := range 41 {
			rows := s.count(countRows)
			s.write(fmt.Sprintf("in/%s-%d", c.name, n), header+id(int(time.Now().UnixNano()%1_000_000_000))+",U,P,N,C,view,,2024-01-29 10:00:00\n")
			begin := time.Now()
			s.eventually("the row", func() bool { return s.count(countRows) > rows })
			if n > 0 { // the first waits for the job
				latency = append(latency, time.Since(begin).Seconds())
			}
			time.Sleep(time.Duration(100+37*n%900) * time.Millisecond) // files come at any moment
		}
		t.Logf("%-15s rename to row: p50 %.3f s, p95 %.3f s, max %.3f s", c.name, latency.at(50), latency.at(95), latency.at(100))
		p.signal(sigterm)
		p.endsWith(exitDone)
		if strings.Contains(c.name, inProcess) {
			s.run(exitDone, "job", "cancel", p.jobOf(), "--endpoint", v.endpoint)
		}
	}
}

// TestFiguresOfCheckpoints tells how large checkpoints are, and how long they
// take, while 20,000 files are loaded.
func TestFiguresOfCheckpoints(t *testing.T) {
	const files = 20_000
	s := newScene(t)
	v := s.flink()
	s.run(exitDone, "generate", "--output", "in", "--interval", "0", "--count", fmt.Sprint(10*files), "--batch-size", "10")
	s.write("quick.yaml", "streaming: {trigger_interval: 200ms, max_files_per_trigger: 50, checkpoint_interval: 2s, checkpoint_path: "+s.path("checkpoints")+"}\n")
	p := s.start(slices.Concat([]string{"run", "--config", "quick.yaml", "--input", "in/*"}, s.on(v, "flink", inLoopback))...)
	sizes := map[int]float64{}
	var durations figure
	for n, end := 0, time.Now().Add(20*time.Minute); n < files; time.Sleep(2 * time.Second) {
		n = s.count(countLoaded)
		size, duration := v.lastCheckpoint(s, p.jobOf())
		sizes[n/5000*5000] = size / 1000
		if size > 0 {
			durations = append(durations, duration/1000)
		}
		if time.Now().After(end) {
			t.Fatalf("%d files are loaded", n)
		}
	}
	t.Logf("checkpoints, kB by files loaded: %v; seconds (min / median / max) %s", sizes, durations)
	p.signal(sigterm)
	p.endsWith(exitDone)
}

// lastCheckpoint is the size in bytes and the duration in milliseconds of the
// job's latest checkpoint.
func (v *service) lastCheckpoint(s *scene, id string) (size, duration float64) {
	s.Helper()
	host, ports, _ := strings.Cut(v.rest, ":")
	var first, last int
	if n, _ := fmt.Sscanf(ports, "%d-%d", &first, &last); n == 1 {
		last = first
	}
	for port := first; port <= last; port++ {
		base := fmt.Sprintf("http://%s:%d/jobs", host, port)
		var overview struct {
			Jobs []struct{ JID, Name string }
		}
		if get(base+"/overview", &overview) != nil {
			continue
		}
		for _, j := range overview.Jobs {
			var checkpoints struct {
				Latest struct {
					Completed struct {
						Size     float64 `json:"state_size"`
						Duration float64 `json:"end_to_end_duration"`
					}
				}
			}
			if strings.HasPrefix(id, j.Name+"_") && get(base+"/"+j.JID+"/checkpoints", &checkpoints) == nil {
				return checkpoints.Latest.Completed.Size, checkpoints.Latest.Completed.Duration
			}
		}
	}
	return 0, 0
}

func get(url string, to any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(to)
}

// TestFiguresOfMemory tells the memory of a TaskManager and of a worker that load
// a file of 5 GB: 1,250,000 records of 4 kB.
func TestFiguresOfMemory(t *testing.T) {
	s := newScene(t)
	v := newSession(s)
	if err := os.MkdirAll(s.path("in"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(s.path("in/large.csv"))
	if err != nil {
		t.Fatal(err)
	}
	w, product := bufio.NewWriter(f), strings.Repeat("x", 4000)
	fmt.Fprint(w, header)
	for n := range 1_250_000 {
		fmt.Fprintf(w, "%s,U,P,%s,C,view,,2024-01-29 10:00:00\n", id(n), product)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	size, _ := f.Seek(0, 1)
	f.Close()
	p := s.start(slices.Concat([]string{"run", "--available-now", "--input", "in/*"}, s.on(v.service, "flink", inProcess))...)
	peak := map[string]int{}
	begin := time.Now()
	for !p.hasEnded() {
		peak["TaskManager"] = max(peak["TaskManager"], resident(v.pid(s, "taskmanager-1")))
		for _, pid := range v.cluster.workers() {
			peak["worker"] = max(peak["worker"], resident(pid))
		}
		time.Sleep(200 * time.Millisecond)
		if time.Since(begin) > 20*time.Minute {
			t.Fatalf("%s", p)
		}
	}
	p.endsWith(exitDone)
	t.Logf("a file of %.1f GB in %.0f s; resident at most, MB: %v", float64(size)/1e9, time.Since(begin).Seconds(), peak)
}

// resident is the most memory that a process has had, in MB.
func resident(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kB int
	_, _ = fmt.Sscan(rest, &kB)
	return kB * 1024 / 1_000_000
}
