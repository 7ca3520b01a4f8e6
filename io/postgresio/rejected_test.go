package postgresio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// TestFilesRejectedInARowEndTheRun loads files one after the other. Each letter
// is a file: R twelve records that PostgreSQL rejects, r nine of them, G twelve
// that it takes, d twelve duplicates, m eleven rejected and one good, P twelve that can't
// be parsed, T one file of two ranges with seven rejected records each.
func TestFilesRejectedInARowEndTheRun(t *testing.T) {
	for _, c := range []struct {
		files string
		opts  []Option
		stops int // after so many files; 0: the run goes on
	}{
		{files: "RRRG", stops: 3},
		{files: "RRGRRG"},
		{files: "RRmRR"},
		{files: "dRRdRR"},
		{files: "RRrR", stops: 4},
		{files: "rrrrrr"},
		{files: "PPPPP"},
		{files: "RPRPR", stops: 5},
		{files: "TTT", stops: 3},
		{files: "GRRR", stops: 4},
		{files: "RRRRRR", opts: []Option{WithMaxRejectedFiles(0)}},
		{files: "RR", opts: []Option{WithMaxRejectedFiles(1)}, stops: 1},
	} {
		t.Run(c.files, func(t *testing.T) {
			w := newWorld(t, itemTable)
			s := newSink[item](w, "items", c.opts...)
			control := runctl.Of(w.run)
			stopped := 0
			for i, kind := range c.files {
				_ = s.bundle(rejectedFile(i, kind)...) // an error of the last one is the control's
				if control.Err() != nil {
					stopped = i + 1
					break
				}
			}
			if stopped != c.stops {
				t.Fatalf("the run stopped after file %d, want %d: %v", stopped, c.stops, control.Err())
			}
			files := len(c.files)
			if c.stops > 0 {
				files = c.stops
				for _, part := range []string{"rejected every record", fmt.Sprintf("%03d.csv", c.stops-1), "public.items", "numeric field overflow", "postgres.max_rejected_files"} {
					if !strings.Contains(control.Err().Error(), part) {
						t.Errorf("got %v, want an error that says %q", control.Err(), part)
					}
				}
			}
			if n := one[int](w, "select count(*) from cartstream.load_history where status = 'loaded'"); n != files {
				t.Errorf("%d files are loaded, want %d", n, files)
			}
			wantSound(w, "items", one[int64](w, "select count(*) from items"))
		})
	}
}

func rejectedFile(n int, kind rune) []*record.Record[item] {
	file := testFile(fmt.Sprintf("%03d.csv", n))
	bad := func(k int) (values []any) {
		for i := range k {
			values = append(values, item{ID: id(100*n + i), Name: "n", Price: price("99999999")})
		}
		return values
	}
	switch kind {
	case 'r':
		return wholeRange[item](file, bad(9)...)
	case 'G':
		return wholeRange[item](file, items(100*n, 100*n+12)...)
	case 'd':
		return wholeRange[item](file, append(items(0, 1), items(0, 11)...)...)
	case 'm':
		return wholeRange[item](file, append(bad(11), item{ID: id(100*n + 50), Name: "n"})...)
	case 'P':
		var faults []any
		for range 12 {
			faults = append(faults, record.Fault{Code: record.CodeWrongFieldCount, Message: "m"})
		}
		return wholeRange[item](file, faults...)
	case 'T':
		first := &record.Range{File: file, Fingerprint: "f1", Start: 10, End: 500, FirstLine: 2}
		second := &record.Range{File: file, Fingerprint: "f1", Start: 500, End: 1000, FirstLine: 12, Index: 1, Last: true}
		all := bad(14)
		return append(rangeOf[item](first, all[:7]...), rangeOf[item](second, all[7:]...)...)
	}
	return wholeRange[item](file, bad(12)...)
}
