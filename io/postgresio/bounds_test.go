package postgresio

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// partOf is a range of ten lines of a file of ten such, of which the first few are dead
// letters: every second one of the line, the others PostgreSQL's.
func partOf(file record.File, n, dead int) []*record.Record[item] {
	values := items(10*n, 10*n+10)
	for i := range dead {
		if values[i] = any(item{ID: id(10*n + i), Name: "n", Price: price("99999999")}); i%2 == 0 {
			values[i] = record.Fault{Code: record.CodeInvalidNumber, Message: "no number"}
		}
	}
	r := &record.Range{File: file, Fingerprint: "f1", Index: int64(n), Start: int64(10 + 99*n), End: int64(109 + 99*n), FirstLine: int64(2 + 10*n), Lines: 10, Last: n == 9}
	return rangeOf[item](r, values...)
}

// TestFileWithTooManyDeadLettersFails loads files whose ranges have so many dead letters
// each, in bundles of so many ranges. What was committed before the bound stays, nothing of
// the file is loaded after it, and the history counts the rest.
func TestFileWithTooManyDeadLettersFails(t *testing.T) {
	for _, c := range []struct {
		name     string
		dead     [10]int
		together int
		bound    int
		loaded   int // ranges
	}{
		{"as many as allowed", [10]int{5, 0, 5, 0, 0, 0, 0, 0, 0, 0}, 1, 10, 10},
		{"one more", [10]int{5, 0, 5, 1, 0, 0, 0, 0, 0, 0}, 1, 10, 3},
		{"in the first range", [10]int{7, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 6, 0},
		{"in the last range", [10]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, 1, 10, 9},
		{"several ranges in one batch", [10]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 2, 5, 4},
		{"all in one batch", [10]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10, 5, 0},
		{"without a bound", [10]int{9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, 1, 0, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			s := newSink[item](w, "items", WithMaxDeadLetters(c.bound), WithFlush(50_000, time.Hour), WithConnections(1))
			file, other := testFile("bad.csv"), testFile("good.csv")
			for n := 0; n < 10; n += c.together {
				var records []*record.Record[item]
				for k := range c.together {
					records = append(records, partOf(file, n+k, c.dead[n+k])...)
				}
				if n == 0 { // the batch's other files are loaded
					records = append(records, wholeRange[item](other, items(1000, 1010)...)...)
				}
				s.load(records...)
			}
			rows, dead := 10, 0
			for n := range c.loaded {
				rows, dead = rows+10-c.dead[n], dead+c.dead[n]
			}
			want := []string{fmt.Sprintf("bad.csv loaded %d %d", 10*c.loaded, dead), "good.csv loaded 10 0"}
			if c.loaded < 10 {
				want[0] = strings.Replace(want[0], "loaded", "failed", 1)
			}
			if got := w.list("select file_name, status, row_parsed, error_count from cartstream.load_history order by 1"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %q, want %q", got, want)
			}
			wantSound(w, "items", int64(rows))
			totals := RunTotals(w.run)
			if c.loaded == 10 {
				if totals.FailedFiles != 0 {
					t.Errorf("got %+v", totals)
				}
				return
			}
			said := fmt.Sprintf("it has more than %d dead letters", c.bound)
			left := fmt.Sprintf("; %d records are left out so far", 100-10*c.loaded)
			message := one[string](w, "select first_error_message from cartstream.load_history where file_name = 'bad.csv'")
			if !strings.HasPrefix(message, said) || !strings.HasSuffix(message, left) || !strings.Contains(message, "validation.max_dead_letters") {
				t.Errorf("got %q", message)
			}
			reports, err := Report(t.Context(), w.pool, "bad.csv")
			if err != nil || len(reports) != 1 || len(reports[0].Outcomes) != 1 || !strings.HasSuffix(reports[0].Outcomes[0].Message, strings.TrimSuffix(left, " so far")) {
				t.Errorf("got %+v, %v", reports, err)
			}
			if totals.FailedFiles != 1 || totals.Files != 1 {
				t.Errorf("got %+v", totals)
			}
		})
	}
}

// A file that failed so and is tried anew by other settings has another fingerprint, and is
// judged by what it has then.
func TestFileOverItsBoundIsTriedAnewByOtherSettings(t *testing.T) {
	w := newWorld(t, itemTable)
	file := testFile("bad.csv")
	s := newSink[item](w, "items", WithMaxDeadLetters(5))
	load := func(fingerprint string, dead int) {
		for n := range 10 {
			records := partOf(file, n, dead)
			records[0].Source.Range.Fingerprint = fingerprint
			s.load(records...)
		}
	}
	load("f1", 6)
	wantSound(w, "items", 0)
	load("f2", 0)
	wantSound(w, "items", 100)
	if got := one[string](w, "select status || row_count from cartstream.load_history"); got != "loaded100" {
		t.Errorf("got %s", got)
	}
}

// A retry with a larger bound loads what was left out, and nothing twice.
func TestRetryLoadsWhatWasLeftOut(t *testing.T) {
	w := newWorld(t, itemTable)
	file := testFile("bad.csv")
	load := func(bound int) {
		w.run = uuid.NewString()
		t.Cleanup(func() { runctl.Forget(w.run) })
		s := newSink[item](w, "items", WithMaxDeadLetters(bound))
		for n := range 10 {
			s.load(partOf(file, n, 1)...)
		}
	}
	load(5)
	wantSound(w, "items", 45)
	if n, err := RetryFile(t.Context(), w.pool, "items", "bad.csv"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	load(10)
	wantSound(w, "items", 90)
	if got := one[string](w, "select status || error_count from cartstream.load_history"); got != "loaded10" {
		t.Errorf("got %s", got)
	}
}
