//go:build e2e

package main

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// writer is a shell that writes a file in pieces and holds it open in between.
type writer struct {
	*scene
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  *output
}

// startWriter opens a file of the scene as the shell's redirection does, > or >>.
func (s *scene) startWriter(redirection, name string) *writer {
	s.Helper()
	w := &writer{scene: s, said: &output{}}
	w.cmd = exec.CommandContext(s.Context(), "sh", "-c", `exec 3`+redirection+`"$0"; while read -r piece; do printf "$piece" >&3; echo written; done`, s.path(name))
	w.cmd.Stdout, w.cmd.Stderr = w.said, w.said
	var err error
	if w.stdin, err = w.cmd.StdinPipe(); err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	return w
}

// write writes a piece, and waits until it is in the file. The piece is a format of
// printf, with \n for a line end.
func (w *writer) write(piece string) {
	w.Helper()
	before := strings.Count(w.said.String(), "written")
	if _, err := io.WriteString(w.stdin, strings.ReplaceAll(piece, "\n", `\n`)+"\n"); err != nil {
		w.Fatal(err)
	}
	w.eventually("what was written", func() bool { return strings.Count(w.said.String(), "written") > before })
}

// close ends the writer as it does when it is done, kill as a lost connection does.
func (w *writer) close() {
	w.Helper()
	_ = w.stdin.Close() // its error shows as the shell's
	if err := w.cmd.Wait(); err != nil {
		w.Fatal(err, w.said)
	}
}

func (w *writer) kill() {
	w.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		w.Fatal(err)
	}
	_ = w.cmd.Wait() // killed
}

// looks waits until the program, which watches, has looked at the folder again.
func (s *scene) looks(n int) {
	s.Helper()
	before := s.count(countLoaded)
	s.write(fmt.Sprintf("in/look%d.csv", n), header)
	s.eventually("a look", func() bool { return s.count(countLoaded) > before })
}

// half and whole are files whose writer pauses in the middle of the last value.
var halves = []struct{ name, half, rest, want string }{
	{
		"a price", "event_id,user_id,product_id,product_name,product_category,event_type,event_timestamp,price\n" +
			"5eed0000-0000-0000-0000-000000003000,USER_1,PROD_1,Lamp,Home,purchase,2026-01-29 10:00:00,123", "4.56\n",
		"1234.56 | 2026-01-29 10:00:00",
	},
	{
		"a time", header + "5eed0000-0000-0000-0000-0000000004ba,USER_001210,PROD_001210,Desk Lamp,Home & Garden,purchase,31.90,2026-01-29 10:00:07.1",
		"23456+05:30\n", "31.90 | 2026-01-29 04:30:07.123456",
	},
}

const storedValues = `select price::text, (event_timestamp at time zone 'UTC')::text from user_events`

func TestWriterThatPausesInALineLeavesNoHalfRow(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		for _, c := range halves {
			for how, redirection := range map[string]string{"truncating": ">", "appending": ">>"} {
				t.Run(c.name+" "+how, func(t *testing.T) {
					s := newScene(t)
					s.environment = []string{"CARTSTREAM_STREAMING_TRIGGER_INTERVAL=20ms"}
					s.write("in/look.csv", header)
					p := s.start("run", "--input", "in/*.csv", "--runner", runner)
					s.eventually("the start", func() bool { return s.count(countLoaded) == 1 })
					w := s.startWriter(redirection, "in/a.csv")
					for n, piece := range []string{c.half[:20], c.half[20:]} {
						w.write(piece)
						s.looks(n)
						s.expect(storedValues)
					}
					w.write(c.rest)
					w.close()
					s.eventually("the row", func() bool { return s.count(countRows) == 1 })
					s.expect(storedValues, c.want)
					p.signal(sigterm)
					p.endsWith(exitDone)
					s.expect(`select status, row_parsed, row_count from cartstream.load_history where file_name like '%/a.csv'`, "loaded | 1 | 1")
					s.run(exitDone, "verify", "--files")
				})
			}
		}
	})
}

func TestAvailableNowNamesTheFilesThatItLeaves(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		s := newScene(t)
		s.write("in/whole.csv", header+event(1))
		s.write("in/no line end.csv", header+strings.TrimSuffix(event(2), "\n"))
		s.write("in/quoted.csv", header+"\""+event(3))
		w := s.startWriter(">", "in/open.csv")
		w.write(header + "half")
		p := s.run(exitFailed, "run", "--available-now", "--input", "in/*.csv", "--runner", runner)
		p.mustSay("Left to a later run", s.path("in/open.csv"), "a process has it open for writing", fmt.Sprintf("sh (pid %d)", w.cmd.Process.Pid),
			s.path("in/quoted.csv"), "it ends inside a quoted field", "left or could not be read: 2 files or folders")
		s.expect(`select count(*) from user_events`, "2")
		s.expect(`select regexp_replace(file_name, '.*/', ''), status from cartstream.load_history order by 1`,
			"no line end.csv | loaded", "quoted.csv | loading", "whole.csv | loaded")
		w.kill()
		s.loadUnfinished()
		s.run(exitDone, "run", "--available-now", "--input", "in/*.csv", "--runner", runner)
		s.expect(`select status, count(*) from cartstream.load_history group by 1`, "loaded | 4")
	})
}

// A killed transfer leaves half of a value, which is loaded, because such files are
// common. When the whole file comes, the row is reported.
func TestWrongRowOfAKilledTransferIsReported(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		c := halves[0]
		s := newScene(t)
		s.write("in/look.csv", header)
		w := s.startWriter(">", "in/a.csv")
		w.write(c.half)
		w.kill()
		s.run(exitDone, "run", "--available-now", "--input", "in/*.csv", "--runner", runner)
		s.expect(storedValues, "123.00 | 2026-01-29 10:00:00")
		w = s.startWriter(">>", "in/a.csv")
		w.write(c.rest)
		w.close()
		p := s.run(exitFailed, "run", "--available-now", "--input", "in/*.csv", "--runner", runner)
		p.mustSay("ended in the middle of the record", s.path("in/a.csv"), "line=2", "key=5eed0000-0000-0000-0000-000000003000",
			"wrong since an earlier load: 1 row")
		s.run(exitDone, "run", "--available-now", "--input", "in/*.csv", "--runner", runner)
	})
}

// Where nobody has the file open, a text without its last line end waits some seconds for
// it, and no longer.
func TestTextWithoutItsLastLineEndIsLoadedInTheEnd(t *testing.T) {
	s := newScene(t)
	s.environment = []string{"CARTSTREAM_STREAMING_TRIGGER_INTERVAL=1h"}
	p := s.start("run", "--input", "in/*.csv")
	s.write("in/a.csv", header+strings.TrimSuffix(event(2), "\n"))
	s.eventually("the row", func() bool { return s.count(countRows) == 1 })
	p.signal(sigterm)
	p.endsWith(exitDone)
}
