//go:build e2e

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soakTime is how long TestSoak runs; `make soak` asks for more.
func soakTime(t *testing.T) time.Duration {
	text := os.Getenv("SOAK")
	if text == "" {
		return 15 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 10*time.Second {
		t.Fatalf("SOAK is %q, allowed are durations from 10s", text)
	}
	return d
}

// soakSettings give 20,000 events a second.
const soakSettings = `
generator: {output_path: data/incoming, batch_size: 20000, interval_seconds: 1}
streaming: {input: data/incoming/*.csv, trigger_interval: 1s, max_files_per_trigger: 100}
`

// TestSoak runs everything for a while, at 20,000 events a second, while
// connections are ended, the server is made to recover from crashes, and
// rubbish comes between the files. Nothing is lost, and what the process holds
// does not grow: between the second third of the time and the last.
func TestSoak(t *testing.T) {
	long := soakTime(t)
	s := upScene(t)
	s.write("settings.yaml", soakSettings)
	p := s.up("--pprof", "127.0.0.1:0")
	k := &soak{scene: s, process: p, pprof: s.pprofOf(p)}
	for begun, fault := time.Now(), time.Now(); time.Since(begun) < long; time.Sleep(min(long/100, 10*time.Second)) {
		if p.hasEnded() {
			t.Fatalf("it has ended: %s", p)
		}
		if time.Since(fault) > min(long/10, 20*time.Second) {
			k.fault()
			fault = time.Now()
		}
		k.look(time.Since(begun))
	}
	k.report()
	p.signal(sigterm)
	p.endsWith(exitDone)
	k.wantFlat()
	k.wantEverything()
}

// soak is a run that is looked at from outside.
type soak struct {
	*scene
	process *process
	pprof   string
	looks   []look
	faults  map[string]int
}

// look is what the process held at a time.
type look struct {
	at                                    time.Duration
	resident                              int64 // bytes
	goroutines, files, connections, lines int64
	records                               int64
}

var pprofLine = regexp.MustCompile(`Profiles are served at (http://\S+)`)

func (s *scene) pprofOf(p *process) string {
	p.says("Profiles are served at")
	return pprofLine.FindStringSubmatch(p.stderr.String())[1]
}

// look looks; what does not answer, because the server is away, is left out.
func (k *soak) look(at time.Duration) {
	l := look{at: at, lines: int64(strings.Count(k.process.stderr.String(), "\n"))}
	pid := k.process.cmd.Process.Pid
	if statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		pages, _ := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
		l.resident = pages * int64(os.Getpagesize())
	}
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		l.files = int64(len(fds))
	}
	if answer, err := http.Get(k.pprof + "goroutine?debug=1"); err == nil {
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		_, _ = fmt.Sscanf(string(text), "goroutine profile: total %d", &l.goroutines)
	}
	l.connections = int64(k.count(`select count(*) from pg_stat_activity where application_name = 'cartstream'`))
	l.records = int64(k.count(`select sum(records)::bigint from cartstream.loads`))
	if l.records > 0 && l.goroutines > 0 {
		k.looks = append(k.looks, l)
	}
}

// fault does one of the things that happen.
func (k *soak) fault() {
	k.Helper()
	if k.faults == nil {
		k.faults = map[string]int{}
	}
	const ours = `select pid from pg_stat_activity where application_name = 'cartstream' order by random() limit 1`
	switch rand.IntN(4) {
	case 0:
		k.faults["connections ended"]++
		_, _ = k.tryQuery(`select pg_terminate_backend(pid) from (` + ours + `) p`)
	case 1:
		if rows, err := k.tryQuery(ours); err == nil && len(rows) == 1 {
			k.faults["backends killed, from which the server recovers"]++
			pid, _ := strconv.Atoi(rows[0])
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	case 2:
		k.faults["files of rubbish"]++
		k.write(fmt.Sprintf("data/incoming/rubbish-%d.csv", time.Now().UnixNano()), "not,a\nfile,of\nevents,\"\n")
	case 3:
		k.faults["files that come again under another name"]++
		files, _ := filepath.Glob(k.path("data/incoming/events_*.csv"))
		if text, err := os.ReadFile(files[rand.IntN(len(files))]); err == nil {
			k.write(fmt.Sprintf("data/incoming/again-%d.csv", time.Now().UnixNano()), string(text))
		}
	}
}

func (k *soak) report() {
	k.Logf("faults: %v", k.faults)
	for i, l := range k.looks {
		if i%max(1, len(k.looks)/20) == 0 || i == len(k.looks)-1 {
			k.Logf("%6.0f s  %11d records  %4d MB resident  %3d goroutines  %3d files  %d connections",
				l.at.Seconds(), l.records, l.resident/1_000_000, l.goroutines, l.files, l.connections)
		}
	}
}

// wantFlat compares the most of the last third with the most of the second.
func (k *soak) wantFlat() {
	k.Helper()
	n := len(k.looks)
	if n < 9 {
		k.Fatalf("%d looks are too few", n)
	}
	for name, of := range map[string]func(look) int64{
		"goroutines":  func(l look) int64 { return l.goroutines },
		"files":       func(l look) int64 { return l.files },
		"connections": func(l look) int64 { return l.connections },
		"MB resident": func(l look) int64 { return l.resident / 1_000_000 },
	} {
		most := func(looks []look) int64 {
			return of(slices.MaxFunc(looks, func(a, b look) int { return int(of(a) - of(b)) }))
		}
		before, after := most(k.looks[n/3:2*n/3]), most(k.looks[2*n/3:])
		k.Logf("%s: at most %d in the second third, %d in the last", name, before, after)
		if after > before+before/4+10 {
			k.Errorf("%s grow: at most %d in the second third of the time, %d in the last", name, before, after)
		}
	}
	if most := slices.MaxFunc(k.looks, func(a, b look) int { return int(a.resident - b.resident) }); most.resident > 300_000_000 {
		k.Errorf("%d bytes were resident", most.resident)
	}
}

// wantEverything has all files that are there be loaded, once each, but for
// rubbish, and everything add up.
func (k *soak) wantEverything() {
	k.Helper()
	k.write("settings.yaml", strings.NewReplacer("batch_size: 20000", "batch_size: 1", "interval_seconds: 1", "interval_seconds: 60").Replace(soakSettings))
	p := k.up()
	var files []string
	k.eventually("all files are loaded", func() bool {
		if files == nil {
			files, _ = filepath.Glob(k.path("data/incoming/[ea]*.csv"))
		}
		return k.count(`select count(*) from cartstream.load_history where status = 'loaded' and file_name !~ 'rubbish'`) >= len(files) || p.hasEnded()
	})
	k.expect(`select count(*) from cartstream.load_history where status = 'failed' and file_name !~ 'rubbish'`, "0")
	k.expect(`select count(*) from (select file_name from cartstream.files group by 1 having count(*) > 1) twice`, "0")
	k.verifyUp()
	k.Logf("%d files, %d rows, %d duplicates, %d dead letters", len(files), k.count(countRows),
		k.count(`select sum(duplicates)::bigint from cartstream.loads`), k.count(`select count(*) from cartstream.dead_letters`))
	p.signal(sigterm)
	p.endsWith(exitDone)
}
