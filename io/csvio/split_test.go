package csvio

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func TestSplit(t *testing.T) {
	type span struct{ start, end, line, records int64 }
	for _, c := range []struct {
		name, content string
		opts          []Option
		want          []span
	}{
		{"one range", "a,b,c\n1,2,3\n4,5,6\n", nil, []span{{6, 18, 2, 2}}},
		{"no newline at the end", "a,b,c\n1,2,3", nil, []span{{6, 11, 2, 1}}},
		{"a byte order mark", "\xef\xbb\xbfa,b,c\n1,2,3\n", nil, []span{{9, 15, 2, 1}}},
		{"blank lines before the header", "\n\r\na,b,c\n1,2,3\n", nil, []span{{9, 15, 4, 1}}},
		{"a header over two lines", "a,b,c,\"d\ne\"\n1,2,3,4\n", nil, []span{{12, 20, 3, 1}}},
		{"a header only", "a,b,c\n", nil, []span{{6, 6, 2, 0}}},
		{"a header only, without a newline", "a,b,c", nil, []span{{5, 5, 2, 0}}},
		{"a header and blank lines", "a,b,c\n\n\n", nil, []span{{6, 8, 2, 0}}},
		{"nothing", "", nil, []span{{0, 0, 1, 0}}},
		{"a byte order mark only", "\xef\xbb\xbf", nil, []span{{3, 3, 1, 0}}},
		{"blank lines only", "\n\n", nil, []span{{2, 2, 3, 0}}},
		{
			"bounded in records", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n",
			[]Option{WithMaxRangeRecords(2)},
			[]span{{6, 18, 2, 2}, {18, 24, 4, 1}},
		},
		{
			"bounded in bytes", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n",
			[]Option{WithMaxRangeBytes(12)},
			[]span{{6, 18, 2, 2}, {18, 24, 4, 1}},
		},
		{
			"a record beyond the bound is a range of its own", "a,b,c\n1,2,3\n4,\"5\n5\",6\n7,8,9\n",
			[]Option{WithMaxRangeBytes(6)},
			[]span{{6, 12, 2, 1}, {12, 22, 3, 1}, {22, 28, 5, 1}},
		},
		{
			"malformed records are counted", "a,b,c\n1\n\"2\"x\n3\"\n\xff\n", nil,
			[]span{{6, 18, 2, 4}},
		},
		{
			"blank lines are not counted, and belong to the range before", "a,b,c\n\n1,2,3\n\n4,5,6\n\n",
			[]Option{WithMaxRangeRecords(1)},
			[]span{{6, 14, 2, 1}, {14, 21, 5, 1}},
		},
		{
			"blank lines do not grow a range beyond its bound", "a,b,c\n1,2,3\n\n\n\n\n4,5,6\n",
			[]Option{WithMaxRangeBytes(8)},
			[]span{{6, 14, 2, 1}, {14, 22, 5, 1}},
		},
		{
			"a line beyond all bounds", "a,b,c\n" + strings.Repeat("x", 100) + "\n1,2,3\n",
			[]Option{WithMaxRangeBytes(10), WithMaxRecordBytes(10)},
			[]span{{6, 107, 2, 1}, {107, 113, 3, 1}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := writeFile(t, c.content)
			var got []span
			for i, r := range splitAll[abc](t, record.Work{File: f}, c.opts...) {
				got = append(got, span{r.Start, r.End, r.FirstLine, r.Records})
				if r.File != f || r.Fingerprint != Fingerprint[abc](c.opts...) || r.Failure != nil || r.Last != (i == len(c.want)-1) {
					t.Errorf("range %d is %+v", i, r)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("the ranges are %v, want %v", got, c.want)
			}
		})
	}
}

func TestSplitRefusesHeaders(t *testing.T) {
	for _, c := range []struct {
		name, content, column, message string
		line                           int64
	}{
		{"a required column is missing", "a,c\n1,2\n", "b", `the required column "b" is missing; the header has "a", "c"`, 1},
		{"names are matched exactly", "A,b,c\n", "a", `the required column "a" is missing; the header has "A", "b", "c"; "A" differs from "a" in case only: write the column's name as it is required`, 1},
		{"a column stands there twice", "a,b,c,b\n", "b", `the column "b" stands there twice; the header has "a", "b", "c", "b"`, 1},
		{"other delimiters", "\na;b;c\n", "a", `the required column "a" is missing; the header has "a;b;c"; its fields seem to be separated by ";": set csv.delimiter`, 2},
		{"tabs", "a\tb\tc\n", "a", `the required column "a" is missing; the header has "a\tb\tc"; its fields seem to be separated by tabs: set csv.delimiter`, 1},
		{"another delimiter, and it would not fit either", "a;b\n", "a", `the required column "a" is missing; the header has "a;b"`, 1},
		{"no header", "1,2,3\n4,5,6\n", "a", `the required column "a" is missing; the header has "1", "2", "3"; ` +
			`none of its names is a column: if the file has no header, set csv.header to false, and csv.columns`, 1},
		{"names that differ in case only, beside others", "A,b,C\n", "a", `the required column "a" is missing; the header has "A", "b", "C"; ` +
			`"A" differs from "a" in case only: write the column's name as it is required`, 1},
		{"a column without a name", "a,,c\n", "b", `the required column "b" is missing; the header has "a", "", "c"; column 2 has no name`, 1},
		{"a page of the web", "<html>\n", "a", `the required column "a" is missing; the header has "<html>"`, 1},
		{"lines that end with CR, and one with LF", "a,b,c\r1,2,3\n", "c", `the required column "c" is missing; the header has "a", "b", "c\r1", "2", "3"; ` +
			`it has a CR in the middle: lines must end with LF or CRLF, or all of them with CR`, 1},
		{"zero bytes", "\x00\x00\x00\n", "a", `the required column "a" is missing; the header has "\x00\x00\x00"; it has zero bytes, so it is no text`, 1},
		{"UTF-16 without a byte order mark", "a\x00,\x00b\x00\n\x00", "a", `the required column "a" is missing; the header has "a\x00", "\x00b\x00"; ` +
			`it seems to be UTF-16 without a byte order mark: set csv.encoding to utf-16le`, 1},
		{"UTF-16 the other way round", "\x00a\x00,\x00b\x00\n", "a", `the required column "a" is missing; the header has "\x00a\x00", "\x00b\x00"; ` +
			`it seems to be UTF-16 without a byte order mark: set csv.encoding to utf-16be`, 1},
		{"a quote that is never closed", "\"a,b,c\n1,2,3\n", "", "the header is no CSV: a quoted field is never closed", 1},
		{"text after a quote", "\"a\"x,b,c\n", "", `the header is no CSV: field 1: after a closing quote stands "x,b,c", ` +
			`allowed are a comma and the end of the line (a quote inside quotes is written twice)`, 1},
		{"too long", strings.Repeat("a", 1<<20+1) + "\n", "", "the header is longer than 1048576 bytes", 1},
		{"too long for the window", strings.Repeat("a", 3<<20) + "\n", "", "the header is longer than 1048576 bytes", 1},
		{"UTF-16", "\xff\xfea\x00,\x00b\x00\n\x00", "", "the file is UTF-16: set csv.encoding to utf-16, or write it as UTF-8", 1},
		{"Latin-1", "a,b,c,\xfc\n", "", `the header is not UTF-8, and no other encoding is set: "a,b,c,\xfc"`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ranges := splitAll[abc](t, record.Work{File: writeFile(t, c.content)})
			if len(ranges) != 1 {
				t.Fatalf("%d ranges, want 1", len(ranges))
			}
			want := &record.Fault{Code: record.CodeInvalidHeader, Column: c.column, Message: c.message}
			if got := ranges[0]; !reflect.DeepEqual(got.Failure, want) || got.FailureLine != c.line || got.Records != 0 {
				t.Errorf("the failure is %v at line %d, want %v at line %d", got.Failure, got.FailureLine, want, c.line)
			}
			recs := readAll[abc](t, ranges)
			if len(recs) != 1 || recs[0].Kind != record.KindFileFailed || recs[0].Source.Line != c.line || *recs[0].Fault != *want {
				t.Errorf("Read gives %+v", recs[0])
			}
		})
	}
}

func TestSplitTakesHeaders(t *testing.T) {
	for _, c := range []struct{ name, header string }{
		{"in another order", "c,a,b"},
		{"with space around names", " a ,b\t, c"},
		{"in quotes", `"a","b","c"`},
		{"with columns that are not known", "x,a,b,c,y"},
		{"with an unknown column twice", "x,a,b,c,x"},
		{"with CRLF", "a,b,c\r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ranges := splitAll[abc](t, record.Work{File: writeFile(t, c.header+"\n")})
			if len(ranges) != 1 || ranges[0].Failure != nil {
				t.Errorf("the ranges are %+v", ranges)
			}
		})
	}
}

const tenRecords = abcHeader + "1,1,1\n2,2,2\n3,3,3\n4,4,4\n5,5,5\n6,6,6\n7,7,7\n8,8,8\n9,9,9\n0,0,0\n"

func TestBegunFilesKeepTheirSplit(t *testing.T) {
	f := writeFile(t, tenRecords)
	before := splitAll[abc](t, record.Work{File: f}, WithMaxRangeRecords(3), WithMaxRecordBytes(500))
	after := splitAll[abc](t, record.Work{File: f, Fingerprint: before[0].Fingerprint}, WithMaxRangeRecords(7))
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the file was begun with %+v and goes on with %+v", before, after)
	}
}

func TestUnsupportedFingerprintLeavesFilePending(t *testing.T) {
	good := Fingerprint[abc]()
	for _, c := range []struct{ name, fingerprint string }{
		{"another version of the splitting", strings.Replace(good, "csv2", "csv1", 1)},
		{"no fingerprint", "nonsense"},
		{"a number that is none", strings.Replace(good, "range_bytes=8", "range_bytes=x", 1)},
		{"a bound of nothing", "csv2;range_bytes=0;range_records=1;record_bytes=1"},
		{"a bound that is missing", "csv2;range_bytes=1;range_records=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantNotReproduced(t, c.fingerprint)
		})
	}
}

// wantNotReproduced holds that a file with the recorded fingerprint is not read.
func wantNotReproduced(t *testing.T, fingerprint string) {
	t.Helper()
	got := splitAll[abc](t, record.Work{File: writeFile(t, tenRecords), Fingerprint: fingerprint})
	if len(got) != 1 || got[0].Failure == nil || got[0].Failure.Code != record.CodeUnreadable || got[0].Fingerprint != fingerprint ||
		!strings.HasPrefix(got[0].Failure.Message, "cannot reproduce its recorded split: ") {
		t.Errorf("the ranges are %+v", got)
	}
}

func TestFingerprint(t *testing.T) {
	got := Fingerprint[abc](WithMaxRangeBytes(1), WithMaxRangeRecords(2), WithMaxRecordBytes(3), WithRun("any"))
	if want := "csv2;range_bytes=1;range_records=2;record_bytes=3;schema="; !strings.HasPrefix(got, want) {
		t.Errorf("the fingerprint is %s, want %s…", got, want)
	}
	if f, err := parseFingerprint(got); err != nil || f.limits != (limits{1, 2, 3}) {
		t.Errorf("it is read as %+v, %v", f, err)
	}
	type reordered struct {
		C string `csv:"c"`
		B string `csv:"b"`
		A string `csv:"a"`
	}
	type optional struct {
		A string `csv:"a"`
		B string `csv:"b"`
		C string `csv:"c,optional"`
	}
	type typed struct {
		A string `csv:"a"`
		B string `csv:"b"`
		C int    `csv:"c"`
	}
	type renamed struct {
		A string `csv:"a"`
		B string `csv:"b"`
		C string `csv:"d"`
	}
	if Fingerprint[reordered]() != Fingerprint[abc]() {
		t.Error("the order of a struct's fields changes the fingerprint")
	}
	for _, other := range []string{Fingerprint[optional](), Fingerprint[typed](), Fingerprint[renamed]()} {
		if other == Fingerprint[abc]() {
			t.Error("another schema has the same fingerprint")
		}
	}
}

func TestSplitLeavesAFileThatChanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
	}{
		{"longer", func(t *testing.T, path string) { rewrite(t, path, tenRecords+"1,1,1\n") }},
		{"shorter", func(t *testing.T, path string) { rewrite(t, path, abcHeader) }},
		{"of the same size at another time", touch},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := writeFile(t, tenRecords)
			c.change(t, f.Path)
			wantSuperseded(t, splitAll[abc](t, record.Work{File: f}))
		})
	}
}

// wantSuperseded holds that the last range says that the file is another
// version, and that Read hands that on.
func wantSuperseded(t *testing.T, ranges []record.Range) {
	t.Helper()
	if len(ranges) == 0 || ranges[len(ranges)-1].Failure == nil {
		t.Fatalf("the ranges are %+v", ranges)
	}
	wantOnly(t, readAll[abc](t, ranges[len(ranges)-1:]), record.KindSuperseded, record.CodeSuperseded)
}

func TestSplitStopsWhenTheFileChangesUnderIt(t *testing.T) {
	f := writeFile(t, tenRecords)
	fn := &splitFn[abc]{Fingerprint: Fingerprint[abc](WithMaxRangeBytes(12))}
	fn.Setup()
	var ranges []record.Range
	err := fn.ProcessElement(t.Context(), record.Work{File: f}, func(r record.Range) {
		if ranges = append(ranges, r); len(ranges) == 2 {
			touch(t, f.Path)
		}
	})
	if err != nil || len(ranges) != 3 || ranges[1].Failure != nil {
		t.Errorf("the ranges are %+v, %v; want 2 and one that says that the file has changed", ranges, err)
	}
	wantSuperseded(t, ranges)
}

func rewrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// touch gives the file another modification time, a microsecond off.
func touch(t *testing.T, path string) {
	t.Helper()
	at := version(t, path).ModTime().Add(time.Microsecond)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableFilesAreReported(t *testing.T) {
	f := writeFile(t, tenRecords)
	for _, c := range []struct{ name, path string }{
		{"gone", filepath.Join(filepath.Dir(f.Path), "gone.csv")},
		{"below a file", filepath.Join(f.Path, "f.csv")},
	} {
		t.Run(c.name, func(t *testing.T) {
			gone := f
			gone.Path = c.path
			ranges := splitAll[abc](t, record.Work{File: gone})
			if len(ranges) != 1 || ranges[0].Failure == nil || ranges[0].Failure.Code != record.CodeUnreadable ||
				!strings.Contains(ranges[0].Failure.Message, c.path) {
				t.Fatalf("the ranges are %+v", ranges)
			}
			wantOnly(t, readAll[abc](t, ranges), record.KindUnreadable, record.CodeUnreadable)
			wantOnly(t, readAll[abc](t, []record.Range{{File: gone, Fingerprint: Fingerprint[abc]()}}), record.KindUnreadable, record.CodeUnreadable)
		})
	}
}

// wantOnly holds that a marker is all that was read.
func wantOnly(t *testing.T, recs []*record.Record[abc], kind record.Kind, code string) {
	t.Helper()
	if len(recs) != 1 || recs[0].Kind != kind || recs[0].Source.Range == nil || recs[0].Fault == nil || recs[0].Fault.Code != code {
		t.Errorf("Read gives %+v, want one marker of kind %d with %s", recs, kind, code)
	}
}

// flaky fails to open a file so many times.
func flaky(open opener, fails int, err error) opener {
	return func(path string) (file, error) {
		if fails--; fails >= 0 {
			return nil, err
		}
		return open(path)
	}
}

func TestPassingTroubleIsWaitedOut(t *testing.T) {
	f, open := inMemory(tenRecords)
	ranges := splitWith[abc](t, record.Work{File: f}, flaky(open, 2, fs.ErrPermission), 100)
	if len(ranges) != 1 || ranges[0].Failure != nil {
		t.Fatalf("the ranges are %+v", ranges)
	}
	recs := readWith[abc](t, ranges, flaky(open, 2, fs.ErrPermission))
	if len(recs) != 11 || recs[10].Kind != record.KindRangeEnd {
		t.Errorf("%d records", len(recs))
	}
}

func TestSplitObeysTheRun(t *testing.T) {
	f := writeFile(t, tenRecords)
	broken := errors.New("the table is gone")
	for _, c := range []struct {
		name    string
		control func(*runctl.Control)
		want    error
	}{
		{"draining ends it in peace", func(c *runctl.Control) { c.Drain(time.Hour) }, nil},
		{"a failed run ends it with the run's error", func(c *runctl.Control) { c.Fail(broken) }, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := t.Name()
			defer runctl.Forget(run)
			fn := &splitFn[abc]{Run: run, Fingerprint: Fingerprint[abc](WithMaxRangeBytes(12))}
			fn.Setup()
			ranges := 0
			err := fn.ProcessElement(t.Context(), record.Work{File: f}, func(record.Range) {
				if ranges++; ranges == 2 {
					c.control(runctl.Of(run))
				}
			})
			if !errors.Is(err, c.want) || ranges != 2 {
				t.Errorf("%d ranges, error %v; want 2, %v", ranges, err, c.want)
			}
		})
	}
}

func TestWaitingEndsWithTheRun(t *testing.T) {
	broken := errors.New("the table is gone")
	for _, c := range []struct {
		name string
		stop func(*runctl.Control, context.CancelFunc)
		want error
	}{
		{"draining", func(c *runctl.Control, _ context.CancelFunc) { c.Drain(time.Hour) }, nil},
		{"failed", func(c *runctl.Control, _ context.CancelFunc) { c.Fail(broken) }, broken},
		{"bundle cancelled", func(_ *runctl.Control, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := t.Name()
			defer runctl.Forget(run)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fn := &splitFn[abc]{Run: run, Fingerprint: Fingerprint[abc](WithMaxRangeBytes(12))}
			fn.Setup()
			fn.open = func(string) (file, error) {
				c.stop(runctl.Of(run), cancel)
				return nil, fs.ErrPermission
			}
			err := fn.ProcessElement(ctx, record.Work{}, func(r record.Range) { t.Errorf("range %+v", r) })
			if !errors.Is(err, c.want) {
				t.Errorf("the error is %v, want %v", err, c.want)
			}
		})
	}
}
