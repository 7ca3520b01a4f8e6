//go:build e2e

package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const fastSettings = `
generator: {output_path: data/incoming, batch_size: 50, interval_seconds: 0.1}
streaming: {input: data/incoming/*.csv, trigger_interval: 50ms, max_files_per_trigger: 100}
`

// upScene is a folder that PostgreSQL can reach also where root runs the tests:
// it then runs as nobody.
func upScene(t *testing.T) *scene {
	t.Helper()
	dir, err := os.MkdirTemp("", "cartstream-up-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, dir: dir, url: "postgres://nobody@127.0.0.1:1/not-this-one"}
	s.write("settings.yaml", fastSettings)
	return s
}

var exportLine = regexp.MustCompile(`(?m)^ +(export PGHOST=(\S+) PGPORT=(\d+) PGUSER=(\S+) PGDATABASE=(\S+) PGPASSFILE=(\S+))$`)

// up starts it and connects the scene to its database, as its output says.
func (s *scene) up(flags ...string) *process {
	s.Helper()
	p := s.start(append([]string{"up"}, flags...)...)
	var m []string
	s.eventually("the export command line", func() bool {
		m = exportLine.FindStringSubmatch(p.stdout.String())
		return m != nil || p.hasEnded()
	})
	if m == nil {
		s.Fatalf("%s", p)
	}
	s.url = fmt.Sprintf("postgres://%s@%s:%s/%s?sslmode=disable&passfile=%s", m[4], m[2], m[3], m[5], url.QueryEscape(strings.Trim(m[6], "'")))
	s.admin = s.url
	return p
}

// One command shows everything, Ctrl-C drains, and the next start goes on.
func TestUp(t *testing.T) {
	s := upScene(t)
	p := s.up()
	s.eventually("rows of three files", func() bool { return s.count(countRows) >= 150 || p.hasEnded() })
	s.paste(p, cartstream+" status", "Backlog:")
	if psql, err := exec.LookPath("psql"); err == nil {
		s.paste(p, psql+" -Atc 'select count(*) > 0 from user_events'", "t\n")
	}
	p.signal(sigint)
	p.endsWith(exitDone)
	p.mustSay("Batch 1: Processed", "Done: ")

	p = s.up()
	first := s.query(`select file_name, file_size, load_id::text from cartstream.files join cartstream.ranges using (file_id) join cartstream.loads using (load_id)
		where committed_at < pg_postmaster_start_time()`)
	if len(first) < 3 {
		t.Errorf("the second start finds %d files of the first", len(first))
	}
	kept := s.count(countRows)
	s.eventually("rows of new files", func() bool { return s.count(countRows) >= kept+150 || p.hasEnded() })
	s.expect(`select count(*) from (select file_name from cartstream.files group by 1 having count(*) > 1) twice`, "0")
	s.expect(`select coalesce(sum(duplicates), 0)::bigint from cartstream.range_counts`, "0")
	p.signal(sigterm)
	p.endsWith(exitDone)

	// What is on disk is in the database, but for what the drain left.
	p = s.up()
	var files []string
	s.eventually("all files that were there at the end of the second run are loaded", func() bool {
		if files == nil {
			files, _ = filepath.Glob(s.path("data/incoming/events_*.csv")) // no hidden one
		}
		loaded, _ := s.tryQuery(`select regexp_replace(file_name, '.*/', '') from cartstream.load_history where status = 'loaded'`)
		return !slices.ContainsFunc(files, func(f string) bool { return !slices.Contains(loaded, filepath.Base(f)) }) || p.hasEnded()
	})
	s.verifyUp()
	p.signal(sigint)
	p.endsWith(exitDone)
}

// paste runs a command after what up has printed, in a shell that knows of no
// database and stands elsewhere.
func (s *scene) paste(up *process, command, want string) {
	s.Helper()
	script := strings.TrimSpace(exportLine.FindString(up.stdout.String())) + "\n" + command
	shell := exec.Command("sh", "-c", script)
	shell.Dir, shell.Env = s.TempDir(), plainEnvironment()
	if out, err := shell.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
		s.Errorf("%s: %v\n%s", script, err, out)
	}
}

func (s *scene) verifyUp() {
	s.Helper()
	if p := s.run(exitDone, "verify"); !strings.Contains(p.stdout.String(), "Everything adds up.") {
		s.Errorf("%s", p)
	}
}

// Where another program has the port 5432, another port is taken.
func TestUpWithThePortTaken(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:5432"); err == nil {
		defer l.Close()
	}
	s := upScene(t)
	p := s.up()
	if strings.Contains(s.url, ":5432/") {
		t.Errorf("took the port that is taken: %s", p)
	}
	s.eventually("rows", func() bool { return s.count(countRows) > 0 || p.hasEnded() })
	p.signal(sigterm)
	p.endsWith(exitDone)
}

// A second one in the same folder is told so, and leaves the first alone.
func TestUpTwiceInTheSameFolder(t *testing.T) {
	s := upScene(t)
	p := s.up()
	second := s.run(exitFailed, "up")
	second.mustSay("Error:", filepath.Join(s.dir, "data", "postgres"))
	before := s.count(countRows)
	s.eventually("the first goes on", func() bool { return s.count(countRows) > before || p.hasEnded() })
	p.signal(sigterm)
	p.endsWith(exitDone)
}

// A generator that can't work ends everything, and says why.
func TestUpWithoutPlaceForFiles(t *testing.T) {
	s := upScene(t)
	s.write("data/incoming", "a file stands where the folder should be")
	p := s.run(exitFailed, "up")
	p.mustSay("the generator ended", "data/incoming is a file")
}

// Killed, it leaves no database behind, and the next start goes on.
func TestUpKilled(t *testing.T) {
	s := upScene(t)
	p := s.up()
	s.eventually("rows", func() bool { return s.count(countRows) >= 100 || p.hasEnded() })
	p.kill9()
	s.eventually("the end of its PostgreSQL", func() bool {
		_, err := s.tryQuery("select 1")
		return err != nil
	})
	p = s.up()
	kept := s.count(countRows)
	if kept < 100 {
		t.Errorf("%d rows are left", kept)
	}
	s.eventually("more rows", func() bool { return s.count(countRows) > kept || p.hasEnded() })
	s.verifyUp()
	p.signal(sigint)
	p.endsWith(exitDone)
}
