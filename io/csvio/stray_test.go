package csvio

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// TestMalformedRecordCostsItsFirstLine holds that one stray quote before any field of
// a file rejects that line and no other.
func TestMalformedRecordCostsItsFirstLine(t *testing.T) {
	lines := []string{"1,2,3", "4,\"five\",6", "7,\"8\n8\",9", "\"a \"\"b\"\"\",c,d", "x,y,\"z\nz\nz\""}
	lines = append(lines, lines...)
	for at, line := range lines {
		for place, field := range strings.Split(line, ",") {
			if strings.HasPrefix(field, `"`) {
				continue
			}
			broken := strings.Split(line, ",")
			broken[place] = `"` + field
			before, after := lines[:at], lines[at+1:]
			bad := strings.Join(broken, ",")
			content := abcHeader + strings.Join(append(append(append([]string{}, before...), bad), after...), "\n") + "\n"
			for _, rangeBytes := range []int64{1, 20, 1000} {
				recs := checkFile(t, content, 7, WithMaxRangeBytes(rangeBytes))
				wantRejected(t, recs, bad, len(before), len(after))
			}
		}
	}
}

// wantRejected holds that the lines of the bad record are rejected, and that as many
// records as given are good before and after it.
func wantRejected(t *testing.T, recs []*record.Record[abc], bad string, before, after int) {
	t.Helper()
	for i, r := range recs {
		isBad := i >= before && i < len(recs)-after
		if isBad != (r.Kind == record.KindFault) {
			t.Fatalf("with %q, record %d is %+v, fault %v", bad, i, r.Value, r.Fault)
		}
	}
	if rejected := len(recs) - before - after; rejected != 1+strings.Count(bad, "\n") {
		t.Fatalf("%q costs %d lines", bad, rejected)
	}
}

// TestRandomQuotesReadAsTheReferenceReads tries random files, most of them
// malformed, in every dialect, in ranges of every kind.
func TestRandomQuotesReadAsTheReferenceReads(t *testing.T) {
	for i := range 1000 {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		d := everyDialect[r.IntN(len(everyDialect))]
		body := d.write(randomBody(r, 1+r.IntN(60)))
		opts := []Option{
			WithMaxRangeBytes(1 + r.Int64N(80)), WithMaxRangeRecords(1 + r.Int64N(5)), WithMaxRecordBytes(int64(len(abcHeader)) + r.Int64N(80)),
		}
		checkDialect(t, d, body, 1+r.Int64N(40), opts...)
		d = abcNames(d)
		f, open := inMemory(d.file(body))
		opts = append(opts, WithDialect(d))
		all := splitWith[abc](t, record.Work{File: f}, open, windowChunk, opts...)
		tryDone(t, f, open, all, func(int) bool { return r.IntN(2) == 0 }, opts)
	}
}

// randomBody is made of what matters to a scan, and of whole records.
func randomBody(r *rand.Rand, pieces int) string {
	all := []string{
		`"`, `"`, `""`, `,`, "\n", "\n", "\r\n", "x", `,"`, `",`, "\"\n", "\n\"", `",x","` + "\n",
		"1,2,3\n", "1,\"2\",3\n", "\"1\n1\",2,3\r\n", "1,2,\"3\n\"\"3\n\"\n", "1,\"2,3\n", " ", "\\", `\"`, "\r\r\n",
	}
	var b strings.Builder
	for range pieces {
		b.WriteString(all[r.IntN(len(all))])
	}
	return b.String()
}

// TestScanIsLinear counts the bytes that are scanned in files of one pattern, which
// leave as many quotes open as possible, for bounds far above a line.
func TestScanIsLinear(t *testing.T) {
	const lines = 4_000
	for _, pattern := range []string{
		"1,\"2,3\n", "\",x\",\"\n", "\"\n", "\"\"\"\n", "1,\"2\n,3\n", "\",\"\n", "\"x\",\"\n", "x,\"\",\"\n", "\"\",\"\n\n", "\"a\",\"\",\"\n",
	} {
		for _, end := range []string{"", "\"\n", "\"x\n", "\",1,2\n"} {
			body := []byte(strings.Repeat(pattern, lines) + end)
			for _, max := range []int64{100, 3000, 1 << 20} {
				s := recordScanner{syntax: newSyntax(DefaultDialect()), max: max, size: int64(len(body)), width: 3}
				for pos := 0; pos < len(body); {
					pos += s.next(body[pos:], int64(pos)).size
				}
				if most := 2 * int64(len(body)); s.scanned > most {
					t.Errorf("%q, then %q, at most %d bytes a record: %d bytes scanned, want %d at most", pattern, end, max, s.scanned, most)
				}
			}
		}
	}
}

// captureLog returns what is logged until the test ends.
func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func TestStrayQuoteWarnsOnceForAFile(t *testing.T) {
	for _, c := range []struct{ name, body, warning string }{
		{"closed before text", "1,\"2,3\n4,5,6\n7,\"8\",9\n1,\"2,3\n4,5,6\n7,\"8\",9\n", "A quote that opened on line 2 ran to line 4, which"},
		{"closed at the end of a line", "1,2,3\n1,\"2,3\n4,5,6\"\n7,8,9\n", "line 3 ran to line 4,"},
		{"never closed", "1,2,3\n1,\"2,3\n4,5,6\n", "The file ends inside a quoted field"},
		{"too large", "1,\"2,3\n" + strings.Repeat("4,5,6\n", 40), "line 2 is not closed within the 100 bytes of a record"},
		{"one of several lines is genuine", "1,\"2\n2\",3\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := captureLog(t)
			f, open := inMemory(abcHeader + c.body)
			ranges := splitWith[abc](t, record.Work{File: f}, open, windowChunk, WithMaxRangeBytes(1), WithMaxRecordBytes(100))
			readWith[abc](t, ranges, open)
			if n := strings.Count(log.String(), "WARN"); n != min(len(c.warning), 1) || !strings.Contains(log.String(), c.warning) {
				t.Errorf("the log is %q, want %q once", log, c.warning)
			}
		})
	}
}
