//go:build e2e

package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// However the same events are cut into files, the manifest agrees to the row.
func TestManifestAgrees(t *testing.T) {
	for _, files := range []struct {
		name          string
		events, batch int
	}{
		{"one file", 100_000, 100_000},
		{"20 files", 100_000, 5_000},
		{"200 files", 20_000, 100},
	} {
		for _, mode := range []string{"what is there now", "continuously"} {
			t.Run(files.name+", "+mode, func(t *testing.T) {
				s := newScene(t)
				m := s.generate(files.events, files.batch)
				if m.Totals.Duplicates == 0 || m.Totals.Future == 0 || m.Totals.Rejected() == m.Totals.Future {
					t.Fatalf("no fault of one kind: %+v", m.Totals)
				}
				if mode == "continuously" {
					p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
					s.eventually("all files", func() bool { return s.count(countLoaded) == len(m.Files) || p.hasEnded() })
					p.signal(sigterm)
					p.endsWith(exitDone)
				} else {
					s.loadAll(exitDone)
				}
				s.verifyManifest()
				s.expect(countRows, fmt.Sprint(m.Totals.DistinctIDs))
				s.expect(`select count(*) from cartstream.dead_letters`, fmt.Sprint(m.Totals.Rejected()))
			})
		}
	}
}

// A generator and a run at once: what is written while the run looks is loaded
// whole.
func TestFilesThatAppearWhileRunning(t *testing.T) {
	s := newScene(t)
	p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
	p.says("The folder does not exist yet")
	m := s.generate(30_000, 100)
	s.eventually("all files", func() bool { return s.count(countLoaded) == len(m.Files) || p.hasEnded() })
	p.signal(sigterm)
	p.endsWith(exitDone)
	s.verifyManifest()
	if n := strings.Count(p.stderr.String(), "does not exist"); n != 1 {
		t.Errorf("warned %d times of a folder that does not exist yet", n)
	}
}

// File names may hold anything; what a terminal or the ledger can't bear is
// shown otherwise.
func TestNamesOfFiles(t *testing.T) {
	names := []struct{ name, inLedger string }{
		{"with space.csv", "with space.csv"},
		{`quotes'".csv`, `quotes'".csv`},
		{"a\nnewline.csv", "a\nnewline.csv"},
		{"latin1-\xe9.csv", `latin1-\xE9.csv`},
		{"ünïcode-日本.csv", "ünïcode-日本.csv"},
		{"escape\x1b[31m.csv", "escape\x1b[31m.csv"},
		{"-dash,comma;semi.csv", "-dash,comma;semi.csv"},
		{"[brackets]{a,b}*?.csv", "[brackets]{a,b}*?.csv"},
		{"100%s%d.csv", "100%s%d.csv"},
	}
	s := newScene(t)
	for i, n := range names {
		s.write("in of/"+n.name, header+event(i+1))
	}
	s.run(exitDone, "run", "--available-now", "--input", "in of/*.csv")
	s.run(exitDone, "run", "--available-now", "--input", "in of/*.csv").mustSay("Done: 0 files loaded")
	for i, n := range names {
		t.Run(n.inLedger, func(t *testing.T) {
			rows := s.query(`select status || row_count from cartstream.load_history where file_name like '%/in of/' || $1`, strings.ReplaceAll(n.inLedger, `\`, `\\`))
			if len(rows) != 1 || rows[0] != "loaded1" {
				t.Errorf("got %v", rows)
			}
			if got := s.count(countRows + ` where event_id = '` + id(i+1) + `'`); got != 1 {
				t.Errorf("%d rows", got)
			}
		})
	}
	if out := s.run(exitDone, "verify", "--files").stdout.String(); !strings.Contains(out, "9 files read again, 9 records looked for\n") {
		t.Error(out)
	}
	out := s.run(exitDone, "history").stdout.String()
	if strings.Contains(out, "\x1b") || strings.Contains(out, "a\nnewline") {
		t.Errorf("history steers the terminal: %q", out)
	}
}

// What a name holds reaches a terminal only as text that can be read, in log
// lines and in dead letters alike; a file gets the dead letters' own bytes.
func TestNamesOfFilesDoNotSteerTheTerminal(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"escape\x1b[31m.csv", "spaced \x1b[32m.csv", `text \x1b[33m.csv`, "csi\u009b34m.csv", "latin1-\xe9-rest.csv", "bell\a.csv"} {
		s.write("in/"+name, header+event(1)+"no event\x1b[35m\n"+strings.Replace(event(2), "129.90", "\x1b[36m", 1))
		s.write("in/failed "+name, "event_id\n")
	}
	steers := regexp.MustCompile(`[\x1b\x{9b}]\[?3[1-7]m|\a`)
	for _, args := range [][]string{
		{"run", "--available-now", "--input", "in/*.csv", "--log-level", "debug"}, {"dead-letters", "--output", "csv"}, {"dead-letters"}, {"history"}, {"verify", "--files"},
	} {
		p, _ := s.onTerminal(120, args...)
		s.eventually("its end", p.hasEnded)
		text := p.stderr.String()
		if steers.MatchString(text) || !strings.Contains(text, `\x1B[31m`) && args[0] != "verify" {
			t.Errorf("%v steers the terminal, or names no file: %q", args, text)
		}
	}
	if text := s.run(exitDone, "dead-letters", "--output", "csv").stdout.String(); !steers.MatchString(text) {
		t.Errorf("the bytes of dead letters are escaped in a file: %q", text)
	}
}

// Other content under the same name is another file: its new rows come in, its
// old ones are duplicates.
func TestFileThatIsReplaced(t *testing.T) {
	s := newScene(t)
	s.write("in/a.csv", header+events(1, 10))
	p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
	s.eventually("10 rows", func() bool { return s.count(countRows) == 10 || p.hasEnded() })
	s.write("in/a.csv", header+events(1, 15))
	s.eventually("15 rows", func() bool { return s.count(countRows) == 15 || p.hasEnded() })
	p.signal(sigterm)
	p.endsWith(exitDone)
	s.expect(`select row_count, duplicate_count from cartstream.load_history order by begun_order`, "10 | 0", "5 | 10")
}

// A file that can't be loaded does not hold up a continuous run.
func TestBadFileDoesNotStopARun(t *testing.T) {
	s := newScene(t)
	s.write("in/a.csv", "event_id,user_id\n"+id(1)+",u\n")
	p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
	p.says("The file can't be loaded")
	s.write("in/b.csv", header+events(1, 5))
	s.eventually("5 rows", func() bool { return s.count(countRows) == 5 || p.hasEnded() })
	p.signal(sigterm)
	p.endsWith(exitDone)
	if n := strings.Count(p.stderr.String(), "The file can't be loaded"); n != 1 {
		t.Errorf("said %d times that the file can't be loaded: %s", n, p)
	}
}

// The password is nowhere to be read: not in logs, not in results, not in the
// arguments that every user of the machine may list.
func TestPasswordIsNotShown(t *testing.T) {
	s := newScene(t)
	s.query(`create role planted login superuser password 'planted-secret'`)
	admin := *s
	t.Cleanup(func() {
		admin.query(`reassign owned by planted to current_user`)
		admin.query(`drop role planted`)
	})
	at := strings.Index(s.url, "@")
	s.url = "postgres://planted:planted-secret" + s.url[at:]
	good := s.url
	s.generate(5_000, 500)
	p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
	s.eventually("all files", func() bool { return s.count(countLoaded) == 10 || p.hasEnded() })
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	p.signal(sigterm)
	p.endsWith(exitDone)
	shown := string(args) + p.String()
	for _, args := range [][]string{{"history"}, {"verify"}, {"migrate"}, {"--log-format", "json", "run", "--available-now", "--input", "in/*"}} {
		shown += s.run(exitDone, args...).String()
	}
	s.url = strings.Replace(good, "@127.0.0.1", "@no such host", 1)
	shown += s.run(exitFailed, "history").String()
	s.url = strings.Replace(good, "planted:", "unknown:", 1)
	shown += s.run(exitFailed, "run").String() + s.run(exitFailed, "verify").String()
	s.url = good
	for _, table := range s.query(`select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables
		where table_schema = 'cartstream' or table_name in ('user_events', 'pg_stat_activity')`) {
		shown += strings.Join(s.query(`select t::text from `+table+` t`), "\n")
	}
	if !strings.Contains(shown, "invalid_uuid") || !strings.Contains(shown, "in/") {
		t.Error("the ledger was not looked through")
	}
	if strings.Contains(shown, "planted-secret") {
		t.Errorf("the password is shown: %s", shown)
	}
}

// A command that asks does not wait for a server that is away.
func TestQuestionWithoutAServer(t *testing.T) {
	s := sceneAt(t, "postgres://somebody:planted@"+closedPort(t)+"/shop?sslmode=disable")
	for _, command := range []string{"history", "verify"} {
		begun := time.Now()
		p := s.run(exitFailed, command)
		p.mustSay("connection refused")
		if strings.Contains(p.stderr.String(), "planted") || time.Since(begun) > 10*time.Second {
			t.Errorf("%s", p)
		}
	}
}
