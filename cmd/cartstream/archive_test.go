//go:build e2e

package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An archive that breaks off late is loaded up to there, range by range, and
// fails with how far it could be read; whole, it is loaded to its end, and
// nothing twice.
func TestArchiveThatIsDamagedLate(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		s := newScene(t)
		s.loadUnfinished()
		s.run(exitDone, "generate", "--output", "in", "--files", "1", "--batch-size", "260000", "--interval", "0", "--seed", "7", "--gzip")
		entries, err := os.ReadDir(s.path("in"))
		if err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
		name := "in/" + entries[0].Name()
		whole, err := os.ReadFile(s.path(name))
		if err != nil {
			t.Fatal(err)
		}
		broken := len(whole) * 3 / 4
		s.write(name, string(whole[:broken]))
		p := s.run(exitFailed, "run", "--available-now", "--input", "in/*", "--runner", runner)

		rows, ranges := s.count(countRows), s.count(countRanges)
		if ranges < 3 || rows != ranges*50_000 {
			t.Fatalf("%d rows of %d ranges: %s", rows, ranges, p)
		}
		p.mustSay(fmt.Sprintf("the %d records before that are loaded", rows), fmt.Sprintf("%d dead_letters=0 failed_files=1", 0))
		s.expect(`select status, row_count from cartstream.load_history`, fmt.Sprint("failed | ", rows))
		message := s.query(`select message from cartstream.file_outcomes`)[0]
		var content, read, size int
		at := regexp.MustCompile(`beyond byte \d+ of its content, near byte \d+ of the \d+ of the file: it ends too early`).FindString(message)
		_, _ = fmt.Sscanf(at, "beyond byte %d of its content, near byte %d of the %d of the file", &content, &read, &size)
		last := s.count(`select max(end_byte) from cartstream.ranges`)
		if !strings.Contains(message, fmt.Sprintf("file %q", s.path(name))) || content < last || content > last*5/4+last || read != broken || size != broken {
			t.Errorf("the last range ends at %d, the file at %d: %s", last, broken, message)
		}
		s.run(exitDone, "verify", "--files")

		s.write(name, string(whole))
		s.run(exitDone, "run", "--available-now", "--input", "in/*", "--runner", runner)
		s.expect(countRows, "260000")
		s.expect(`select row_count, duplicate_count from cartstream.load_history where status = 'loaded'`, fmt.Sprintf("%d | %d", 260_000-rows, rows))
	})
}

// A small archive of bad records takes neither disk nor time: the bound on its content
// ends it, or the one on its dead letters, and the history says what was not loaded.
func TestSmallFileDoesNotFillTheDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		settings, code, says string
		read                 int
	}{
		"by its content":      {"{}", "too_large_archive", `what comes after its first 150000 records was not read(?:; (\d+) records are left out so far)?`, 150_000},
		"by its dead letters": {"{max_expansion: 0}", "too_many_dead_letters", `more than 100000 dead letters .*; (\d+) records are left out so far`, 500_000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.write("s.yaml", "validation: "+c.settings+"\n")
			var packed bytes.Buffer
			z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
			_, _ = io.WriteString(z, header+strings.Repeat("not,an,event\n", 500_000))
			if err := z.Close(); err != nil || packed.Len() > 20_000 {
				t.Fatal(packed.Len(), err)
			}
			s.write("in/small.csv.gz", packed.String())
			s.write("in/good.csv", header+events(1, 3))
			p := s.run(exitFailed, "run", "--available-now", "--input", "in/*", "--config", "s.yaml")
			p.mustSay("code=" + c.code)
			s.expect(countRows, "3")
			dead := s.count("select count(*) from cartstream.dead_letters")
			if dead > 250_000 || dead%50_000 != 0 {
				t.Errorf("%d dead letters", dead)
			}
			message := s.query(`select first_error_message from cartstream.load_history where status = 'failed'`)
			found := regexp.MustCompile(c.says).FindStringSubmatch(strings.Join(message, "\n"))
			if len(found) != 2 || cmp.Or(found[1], "0") != strconv.Itoa(c.read-dead) {
				t.Errorf("%d dead letters, and the history says %q", dead, message)
			}
			s.run(exitDone, "verify", "--files")
		})
	}
}
