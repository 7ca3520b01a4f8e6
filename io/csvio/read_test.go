package csvio

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func TestReadValues(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          abc
		line, offset  int64
	}{
		{"plain", "a,b,c\n1,2,3\n", abc{"1", "2", "3"}, 2, 6},
		{"in another order", "c,a,b\n1,2,3\n", abc{"2", "3", "1"}, 2, 6},
		{"with an unknown column", "a,x,b,c\n1,2,3,4\n", abc{"1", "3", "4"}, 2, 8},
		{"with a quoted header", "\"a\", b ,\"c\"\n1,2,3\n", abc{"1", "2", "3"}, 2, 12},
		{"with a byte order mark", "\xef\xbb\xbfa,b,c\r\n1,2,3\r\n", abc{"1", "2", "3"}, 2, 10},
		{"with CRLF", "a,b,c\r\n1,2,3\r\n", abc{"1", "2", "3"}, 2, 7},
		{"quoted commas", "a,b,c\n\"1,1\",2,3\n", abc{"1,1", "2", "3"}, 2, 6},
		{"quoted newlines, as they stand", "a,b,c\n\"1\r\n1\n\",2,3\n", abc{"1\r\n1\n", "2", "3"}, 2, 6},
		{"doubled quotes", "a,b,c\n\"\"\"1\"\"\",\"\"\"\",\"\"\n", abc{`"1"`, `"`, ""}, 2, 6},
		{"white space in text is kept", "a,b,c\n 1 ,\t,\u00a0\n", abc{" 1 ", "\t", "\u00a0"}, 2, 6},
		{"empty text", "a,b,c\n,,\n", abc{}, 2, 6},
		{"NUL bytes are the database's business", "a,b,c\n\x00,2,3\n", abc{"\x00", "2", "3"}, 2, 6},
		{"other scripts", "a,b,c\nü,€,日本\n", abc{"ü", "€", "日本"}, 2, 6},
		{"after blank lines", "a,b,c\n\n\r\n1,2,3\n", abc{"1", "2", "3"}, 4, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			recs := readAll[abc](t, splitAll[abc](t, record.Work{File: writeFile(t, c.content)}))
			if len(recs) != 2 || recs[1].Kind != record.KindRangeEnd {
				t.Fatalf("%d records: %v", len(recs), recs)
			}
			got := recs[0]
			if got.Kind != record.KindValue || got.Value != c.want || got.Source.Line != c.line || got.Source.Offset != c.offset {
				t.Errorf("got %+v, fault %v; want %+v at line %d, offset %d", got, got.Fault, c.want, c.line, c.offset)
			}
		})
	}
}

func TestReadBadRecords(t *testing.T) {
	const stray = "field 2: the quote that opens here is not closed on this line, and the lines that follow do not complete " +
		"a record of 3 fields and at most 1048576 bytes; only this line is rejected"
	for _, c := range []struct{ name, bad, code, message string }{
		{"too few fields", "1,2", record.CodeWrongFieldCount, "found 2 fields; the header has 3"},
		{"too many fields", "1,2,3,4", record.CodeWrongFieldCount, "found 4 fields; the header has 3"},
		{"another delimiter", "1;2;3", record.CodeWrongFieldCount, `found 1 field; the header has 3; separated by ";", it has 3: check csv.delimiter`},
		{"CR in the middle", "1,2,3\r4,5,6", record.CodeWrongFieldCount, "found 5 fields; the header has 3; it has a CR in the middle: lines must end with LF or CRLF, or all of them with CR"},
		{"a line of spaces", "   ", record.CodeWrongFieldCount, "found 1 field; the header has 3"},
		{"a quote inside a field", `1,2"2,3`, record.CodeMalformedCSV, `field 2: a quote stands inside a field that does not begin with one: "2\"2"`},
		{"a quote after a space", `1, "2",3`, record.CodeMalformedCSV, `field 2: a quote stands inside a field that does not begin with one: " \"2\""`},
		{
			"text after a closing quote", `1,"2"2,3`, record.CodeMalformedCSV,
			`field 2: after a closing quote stands "2,3", allowed are a comma and the end of the line (a quote inside quotes is written twice)`,
		},
		{
			"no UTF-8", "1,\xff,3", record.CodeInvalidEncoding,
			"byte 3 of the record (0xff) is not UTF-8, and no other encoding is set",
		},
		{"a cut UTF-8 sequence", "1,2,\xe2\x82", record.CodeInvalidEncoding, "byte 5 of the record (0xe2) is not UTF-8, and no other encoding is set"},
		{
			"a line that is too long", "1,2," + strings.Repeat("x", 1<<20), record.CodeRecordTooLarge,
			"the line has 1048580 bytes; allowed are 1048576 a record",
		},
		{
			"a line that is too long for the window", "1,2," + strings.Repeat("x", 5<<20), record.CodeRecordTooLarge,
			"the line has 5242884 bytes; allowed are 1048576 a record",
		},
		{
			"a line that is too long for a range", "1,2," + strings.Repeat("x", 10<<20) + "\r", record.CodeRecordTooLarge,
			"the line has 10485764 bytes; allowed are 1048576 a record",
		},
		{"a stray quote far from the end", "1,\"2,3" + strings.Repeat("\n4,5,6", 200_000), record.CodeMalformedCSV, stray},
		{"a stray quote that runs to another quote", "1,\"2,3\n4,\"5\",6", record.CodeMalformedCSV, stray},
		{"a field with a newline too many", "1,\"2\n4\",5,6,7", record.CodeMalformedCSV, stray},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(fmt.Sprintf("%s, before %q", c.name, end), func(t *testing.T) {
				bad, after, _ := strings.Cut(c.bad, "\n")
				bad = strings.TrimSuffix(bad, "\r")
				content := abcHeader + "0,0,0" + end + bad + end + after + end + "9,9,9" + end
				recs := readAll[abc](t, splitAll[abc](t, record.Work{File: writeFile(t, content)}))
				wantBad(t, recs, bad, &record.Fault{Code: c.code, Message: c.message})
			})
		}
	}
}

// wantBad holds that the second record is the fault, at line 3, and that the
// first and the last are fine.
func wantBad(t *testing.T, recs []*record.Record[abc], raw string, want *record.Fault) {
	t.Helper()
	var data []*record.Record[abc]
	for _, r := range recs {
		if r.Data() {
			data = append(data, r)
		}
	}
	if first, last := data[0], data[len(data)-1]; first.Value != (abc{"0", "0", "0"}) || last.Value != (abc{"9", "9", "9"}) {
		t.Errorf("the records around are %+v and %+v", first, last)
	}
	got := data[1]
	if got.Kind != record.KindFault || *got.Fault != *want {
		t.Errorf("the fault is %v, want %v", got.Fault, want)
	}
	if raw = raw[:min(len(raw), 1<<20)]; string(got.Raw) != raw || got.Source.Line != 3 {
		t.Errorf("line %d has %d bytes, want line 3 with %d", got.Source.Line, len(got.Raw), len(raw))
	}
}

func TestReadAStrayQuoteAtTheEndOfTheFile(t *testing.T) {
	recs := readAll[abc](t, splitAll[abc](t, record.Work{File: writeFile(t, "a,b,c\n1,\"2,3\n4,5,6\n7,8,9")}))
	if len(recs) != 4 || recs[1].Value != (abc{"4", "5", "6"}) || recs[2].Value != (abc{"7", "8", "9"}) {
		t.Fatalf("the records are %+v", recs)
	}
	if recs[0].Fault == nil || recs[0].Fault.Code != record.CodeMalformedCSV || string(recs[0].Raw) != `1,"2,3` {
		t.Errorf("the fault is %v of %q", recs[0].Fault, recs[0].Raw)
	}
}

func TestReadKeepsNoLineBeyondTheBound(t *testing.T) {
	content := abcHeader + strings.Repeat("x", 1<<20)
	f, open := inMemory(content)
	opts := []Option{WithMaxRecordBytes(100), WithMaxRangeBytes(1000)}
	recs := readWith[abc](t, splitWith[abc](t, record.Work{File: f}, open, 1000, opts...), open)
	if len(recs) != 2 || len(recs[0].Raw) != 100 || cap(recs[0].Raw) > 101 {
		t.Errorf("%d records, the first with %d of %d bytes", len(recs), len(recs[0].Raw), cap(recs[0].Raw))
	}
}

func TestRecordsShareTheirRange(t *testing.T) {
	recs := readAll[abc](t, splitAll[abc](t, record.Work{File: writeFile(t, tenRecords)}))
	for _, r := range recs {
		if r.Source.Range != recs[0].Source.Range {
			t.Fatal("two records of a range have two ranges")
		}
	}
	end := recs[len(recs)-1]
	if end.Kind != record.KindRangeEnd || end.Source.Range.Records != 10 || end.Source.Offset != int64(len(tenRecords)) || end.Source.Line != 12 {
		t.Errorf("the range's end is %+v of %+v", end, end.Source.Range)
	}
	if at := end.Source.Range.JudgedAt; at != readAt {
		t.Errorf("the range was begun at %d, want %d", at, readAt)
	}
}

func TestReadGoesByTheRangesOwnFingerprint(t *testing.T) {
	f := writeFile(t, abcHeader+"1,2,3456789\n")
	ranges := splitAll[abc](t, record.Work{File: f}, WithMaxRecordBytes(8))
	recs := readAll[abc](t, ranges)
	if recs[0].Fault == nil || recs[0].Fault.Code != record.CodeRecordTooLarge || string(recs[0].Raw) != "1,2,3456" {
		t.Errorf("got %v of %q", recs[0].Fault, recs[0].Raw)
	}
}

func TestReadSuperseded(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, f record.File)
	}{
		{"longer", func(t *testing.T, f record.File) { rewrite(t, f.Path, tenRecords+"1,1,1\n") }},
		{"shorter", func(t *testing.T, f record.File) { rewrite(t, f.Path, abcHeader) }},
		{"empty", func(t *testing.T, f record.File) { rewrite(t, f.Path, "") }},
		{"of the same size at another time", func(t *testing.T, f record.File) { touch(t, f.Path) }},
		{"of the same size and time, with fewer records", func(t *testing.T, f record.File) {
			rewrite(t, f.Path, strings.Replace(tenRecords, "1,1,1\n", "1,1,1 ", 1))
			if err := os.Chtimes(f.Path, f.ModTime(), f.ModTime()); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := writeFile(t, tenRecords)
			ranges := splitAll[abc](t, record.Work{File: f})
			c.change(t, f)
			recs := readAll[abc](t, ranges)
			last := recs[len(recs)-1]
			if last.Kind != record.KindSuperseded || last.Source.Range.Start != ranges[0].Start {
				t.Errorf("the last record is %+v", last)
			}
		})
	}
}

func TestReadSupersededWithinALongLine(t *testing.T) {
	long := strings.Repeat("x", 1000)
	opts := []Option{WithMaxRecordBytes(100), WithMaxRangeBytes(200)}
	f, open := inMemory(abcHeader + long)
	ranges := splitWith[abc](t, record.Work{File: f}, open, 1000, opts...)
	_, other := inMemory(abcHeader + strings.Replace(long, "x", "\n", 1))
	recs := readWith[abc](t, ranges, other, opts...)
	if len(recs) != 1 || recs[0].Kind != record.KindSuperseded {
		t.Errorf("got %+v", recs)
	}
}

func TestReadRangesThatAreNone(t *testing.T) {
	f := writeFile(t, tenRecords)
	good := splitAll[abc](t, record.Work{File: f})[0]
	for _, c := range []struct {
		name   string
		change func(*record.Range)
		kind   record.Kind
		code   string
	}{
		{"a foreign fingerprint", func(r *record.Range) { r.Fingerprint = "csv9" }, record.KindUnreadable, record.CodeUnreadable},
		{"a header that does not fit", func(r *record.Range) { r.Header = []byte("x,y") }, record.KindFileFailed, record.CodeInvalidHeader},
		{"beyond the file", func(r *record.Range) { r.End = f.Size + 1 }, record.KindUnreadable, record.CodeUnreadable},
		{"from end to start", func(r *record.Range) { r.End = r.Start - 1 }, record.KindUnreadable, record.CodeUnreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := good
			c.change(&bad)
			recs := readAll[abc](t, []record.Range{bad, good})
			wantOnly(t, recs[:1], c.kind, c.code)
			if len(recs) != 12 {
				t.Errorf("the range after it gives %d records, want 11", len(recs)-1)
			}
		})
	}
}

func TestReadObeysTheRun(t *testing.T) {
	broken := errors.New("the table is gone")
	content := abcHeader + strings.Repeat("1,2,3\n", 3*slabSize)
	f := writeFile(t, content)
	rng := splitAll[abc](t, record.Work{File: f})[0]
	for _, c := range []struct {
		name    string
		control func(*runctl.Control)
		records int
		err     error
	}{
		{"draining: the range in hand is read, a new one is not", func(c *runctl.Control) { c.Drain(time.Hour) }, 3*slabSize + 1, nil},
		{"failed: both end with the run's error", func(c *runctl.Control) { c.Fail(broken) }, slabSize, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := t.Name()
			defer runctl.Forget(run)
			fn := &readFn[abc]{Run: run}
			fn.Setup()
			records := 0
			err := fn.ProcessElement(t.Context(), rng, func(*record.Record[abc]) {
				if records++; records == 1 {
					c.control(runctl.Of(run))
				}
			})
			if !errors.Is(err, c.err) || records != c.records {
				t.Errorf("%d records, %v; want %d, %v", records, err, c.records, c.err)
			}
			err = fn.ProcessElement(t.Context(), rng, func(*record.Record[abc]) { t.Error("a range that is new is read") })
			if !errors.Is(err, c.err) {
				t.Errorf("the error is %v, want %v", err, c.err)
			}
		})
	}
}
