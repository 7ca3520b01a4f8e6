//go:build e2e

package main

import (
	"fmt"
	"os"
	"regexp"
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
