//go:build e2e

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What lies in folders and is no proper file: each has its end, none holds up
// the others.
func TestRubbish(t *testing.T) {
	semicolons := strings.NewReplacer(",", ";")
	files := []struct{ name, content, want, message string }{
		{"0 bytes", "", "loaded 0 0 0", ""},
		{"header only", header, "loaded 0 0 0", ""},
		{"only blank lines", "\n\r\n\n", "loaded 0 0 0", ""},
		{"header twice", header + event(1) + header + event(2), "loaded 3 2 1", `found "event_id"; allowed is a UUID`},
		{"another delimiter by mistake", semicolons.Replace(header + events(3, 5)), "failed 0 0 0", `its fields seem to be separated by ";": set csv.delimiter`},
		{"no header", events(3, 5), "failed 0 0 0", "if the file has no header, set csv.header"},
		{"a line of 100 MB", header + event(6) + strings.Repeat("x", 100_000_000) + "\n" + event(7), "loaded 3 2 1", "the line has 100000000 bytes; allowed are 1048576"},
		{"100 MB without a line", strings.Repeat("x", 100_000_000), "failed 0 0 0", "the header is longer than 1048576 bytes"},
		{"wrong encoding", header + event(8) + strings.Replace(event(9), ",", ",M\xfcller ", 1), "loaded 2 1 1", "is not UTF-8"},
		{"zero bytes", strings.Repeat("\x00", 5000), "failed 0 0 0", "it is no text"},
		{"a program", "\x7fELF\x02\x01\x01\x00\x00\xff\xfe", "failed 0 0 0", "the header is not UTF-8"},
		{"a page of the web", "<!DOCTYPE html>\n<html>404</html>\n", "failed 0 0 0", `the required column "event_id" is missing`},
		{"JSON", `{"event_id": 1}` + "\n", "failed 0 0 0", "the header is no CSV"},
		{"a damaged archive", "\x1f\x8b\x08\x00rubbish", "failed 0 0 0", "gzip"},
		{"name with ;-- drop table", header + event(10), "loaded 1 1 0", ""},
		{"name with %s %d %", header + event(11), "loaded 1 1 0", ""},
		{"name with 'quotes' and \"quotes\"", header + event(12), "loaded 1 1 0", ""},
	}
	s := newScene(t)
	s.loadUnfinished()
	for _, f := range files {
		s.write("in/"+f.name+".csv", f.content)
	}
	s.write("elsewhere/file.csv", header+event(13))
	for _, err := range []error{
		os.Mkdir(s.path("in/a folder.csv"), 0o755),
		os.Symlink("nowhere.csv", s.path("in/dangling.csv")),
		os.Symlink("itself.csv", s.path("in/itself.csv")),
		os.Symlink("../elsewhere/file.csv", s.path("in/link.csv")),
		syscall.Mkfifo(s.path("in/pipe.csv"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := s.run(exitFailed, "run", "--available-now", "--input", "in/*.csv")
	p.mustSay("dangling.csv", "itself.csv", "could not be read: 2 files or folders")
	if text := p.stderr.String(); strings.Contains(text, "a folder.csv") || strings.Contains(text, "panic") || len(text) > 20_000 {
		t.Errorf("%s", p)
	}
	for _, f := range files {
		t.Run(f.name, func(t *testing.T) {
			got := s.query(`select concat_ws(' ', status, row_parsed, row_count, error_count), coalesce(first_error_message, '')
				from cartstream.load_history where file_name like '%/' || $1`, f.name+".csv")
			if len(got) != 1 || !strings.HasPrefix(got[0], f.want+" | ") || !strings.Contains(got[0], f.message) || len(got[0]) > 600 {
				t.Errorf("got %q, want %q … %q", got, f.want, f.message)
			}
		})
	}
	// A link is the file that it leads to, under its own name.
	s.expect(`select status || row_count from cartstream.load_history where file_name like '%/link.csv'`, "loaded1")
	s.expect(`select count(*) from cartstream.load_history`, "18")
	s.run(exitDone, "verify", "--files")
}

// A writer that appends, with pauses: minimum_age leaves the file alone until
// it is complete.
func TestFileThatGrows(t *testing.T) {
	s := newScene(t)
	s.write("grown.yaml", "streaming: {trigger_interval: 20ms, minimum_age: 2s}\n")
	p := s.start("run", "--input", "in/*.csv", "--config", "grown.yaml")
	s.write("in/a.csv", header)
	f, err := os.OpenFile(s.path("in/a.csv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := f.WriteString(event(i + 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // the writer's pace
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.eventually("20 rows", func() bool { return s.count(countRows) == 20 || p.hasEnded() })
	p.signal(sigterm)
	p.endsWith(exitDone)
	s.expect(`select status, row_count from cartstream.load_history`, "loaded | 20")
}

// However few files may be open, what can't be opened is tried again or said,
// and nothing is lost.
func TestOutOfFileDescriptors(t *testing.T) {
	s := newScene(t)
	s.generate(20_000, 4_000)
	s.run(exitDone, "migrate")
	for _, most := range []string{"8", "9", "10", "11", "12", "14"} {
		t.Run(most, func(t *testing.T) {
			p := &process{
				scene: &scene{T: t, dir: s.dir, url: s.url, admin: s.admin}, stdout: &output{}, stderr: &output{}, ended: make(chan struct{}),
				cmd: exec.Command("sh", "-c", `ulimit -n "$0" && exec "$@"`, most, cartstream, "run", "--available-now", "--input", "in/*"),
			}
			p.scene.environment = []string{"CARTSTREAM_POSTGRES_RETRY_FOR=1s"}
			p.launch()
			select {
			case <-p.ended:
			case <-time.After(bound):
				t.Fatalf("still runs: %s", p)
			}
			status, text := p.cmd.ProcessState.ExitCode(), p.stderr.String()
			if status != exitDone && (status != exitFailed || !strings.Contains(text, "too many open files")) || strings.Contains(text, "goroutine ") {
				t.Errorf("ended with %d: %s", status, p)
			}
		})
	}
	s.loadAll(exitDone)
	s.verifyManifest()
}
