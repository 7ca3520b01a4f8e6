package csvio

import (
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cartstream/cartstream/transforms/record"
)

// standard reads content with encoding/csv, with the line of each record. ok
// is false when encoding/csv refuses it, or accepts a record of several lines that
// has another number of fields than abc, which costs its first line here.
func standard(content string) (rows [][]string, lines []int, ok bool) {
	r := csv.NewReader(strings.NewReader(content))
	r.FieldsPerRecord = -1
	for {
		row, err := r.Read()
		if err == io.EOF {
			return rows, lines, true
		}
		if err != nil {
			return nil, nil, false
		}
		if len(row) != 3 && strings.Contains(strings.Join(row, ""), "\n") {
			return nil, nil, false
		}
		line, _ := r.FieldPos(0)
		rows, lines = append(rows, row), append(lines, line)
	}
}

// checkStandard holds that the records are what encoding/csv reads, but for
// CRLF inside quotes, which encoding/csv makes a newline.
func checkStandard(t *testing.T, content string, recs []*record.Record[abc]) {
	t.Helper()
	rows, lines, ok := standard(content)
	if !ok || strings.Contains(content, "\r\r") { // which ends lines here
		return
	}
	rows, lines = rows[1:], lines[1:]
	if len(rows) != len(recs) {
		t.Fatalf("%d records, encoding/csv reads %d", len(recs), len(rows))
	}
	for i, rec := range recs {
		switch {
		case rec.Source.Line != int64(lines[i]):
			t.Fatalf("record %d has line %d, encoding/csv says %d", i, rec.Source.Line, lines[i])
		case !utf8.Valid(rec.Raw):
			wantCode(t, rec, record.CodeInvalidEncoding)
		case len(rows[i]) != 3:
			wantCode(t, rec, record.CodeWrongFieldCount)
		case rec.Kind != record.KindValue:
			t.Fatalf("record %d is %v, encoding/csv reads %q", i, rec.Fault, rows[i])
		default:
			for j, got := range []string{rec.Value.A, rec.Value.B, rec.Value.C} {
				if strings.ReplaceAll(got, "\r\n", "\n") != rows[i][j] {
					t.Fatalf("record %d, field %d is %q, encoding/csv reads %q", i, j, got, rows[i][j])
				}
			}
		}
	}
}

func wantCode[T any](t *testing.T, rec *record.Record[T], code string) {
	t.Helper()
	if rec.Fault == nil || rec.Fault.Code != code {
		t.Fatalf("line %d: the fault is %v, want %s", rec.Source.Line, rec.Fault, code)
	}
}

// awkward are bodies of files, good and bad, that every test of the scan uses.
var awkward = []string{
	"",
	"1,2,3\n",
	"1,2,3",
	"1,2,3\r\n4,5,6\r\n",
	"1,2,3\r",
	"\n\n1,2,3\n\r\n\n4,5,6\n\n\n",
	"1,\"two, and\nmore\",3\n4,5,6\n",
	"1,\"say \"\"hi\"\"\",\"\"\n\"\",\"\",\"\"\n",
	"1,\"a\r\nb\",3\r\n\"4\",\"5\",\"6\"\r\n",
	"1,\"2\",\"3\"\r",
	"1,\"stray,3\n4,5,6\n7,8,9\n",
	"1,\"stray,3\n4,\"5\",6\n7,8,9\n",
	"1,2\"2,3\n1,\"2\"x,3\n1,\"2\"\rx,3\n1,\"2\"x,\"\n\",3\n",
	"1,2\n1,2,3,4\n,,\n,\n",
	"\"\n\"\n\"\n\"\n\"\n",
	"\",x\",\"\n\",x\",\"\n\",x\",\"\n\",x\",\"\n\",x\",\"\n\",x\",\"\n\",x\",\"\n1,2,3\n",
	"1,2," + strings.Repeat("x", 200) + "\n4,5,6\n",
	"1,\"2\"\r,\"\n\"\n4,5,6\n",
	"1,\"stray,3\n4,5,67890123,\"8\n8\"\n7,8,9\n",
	"1,2,\"" + strings.Repeat("x\n", 100) + "\"\n4,5,6\n",
	"1,2," + strings.Repeat("x", 200),
	"1,\"2\"x" + strings.Repeat("x", 60) + "\n4,5,6\n",
	"1,\"" + strings.Repeat("\"\"", 40) + "\n4,5,6\n" + strings.Repeat("7,8,9\n", 20),
	"\xff,2,3\n4,\xc3\x28,6\n7,8,\xe2\x82\xac\n\x00,\x00,\x00\n",
	"\xef\xbb\xbf1,2,3\n",
	"\r\r\n\r,\r,\r\r\n",
}

// FuzzStandard holds for any input that encoding/csv accepts: what is read
// through ranges of any size is what encoding/csv reads from the whole.
func FuzzStandard(f *testing.F) {
	for _, body := range awkward {
		f.Add(body, uint16(20), uint8(2))
	}
	f.Fuzz(func(t *testing.T, body string, rangeBytes uint16, rangeRecords uint8) {
		content := abcHeader + body
		recs := checkFile(t, content, 64, WithMaxRangeBytes(int64(rangeBytes)+1), WithMaxRangeRecords(int64(rangeRecords)+1))
		checkStandard(t, content, recs)
	})
}

// FuzzAnything holds for any input and any bounds: Split and Read agree with
// each other and with the reference, and the ranges cover the file.
func FuzzAnything(f *testing.F) {
	for i, body := range awkward {
		f.Add(body, uint16(i*7), uint8(i), uint8(10+i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, body string, rangeBytes uint16, rangeRecords, recordBytes, chunk uint8) {
		checkFile(t, abcHeader+body, int64(chunk)+1, WithMaxRangeBytes(int64(rangeBytes)+1),
			WithMaxRangeRecords(int64(rangeRecords)+1), WithMaxRecordBytes(int64(recordBytes)+int64(len(abcHeader))))
	})
}

// FuzzHeader holds that any bytes are a file: it fails as a whole or is read.
func FuzzHeader(f *testing.F) {
	for _, content := range []string{
		"", "\n", "\xef\xbb\xbf", "\xef\xbb\xbfa,b,c", "\r\n\na,b,c\n1,2,3\n", "c, b ,a,d\n1,2,3,4\n", "\"a\",\"b\",\"c\"\n",
		"\"a,b,c\n1,2,3\n", "a,a,b,c\n", "a,b\n", "\xff\xfea\x00", "\"a\"x,b,c\n", "a,b,c,\xff\n",
	} {
		f.Add(content, uint8(20))
	}
	f.Fuzz(func(t *testing.T, content string, recordBytes uint8) {
		version, open := inMemory(content)
		opts := []Option{WithMaxRangeBytes(16), WithMaxRecordBytes(int64(recordBytes) + 1)}
		ranges := splitWith[abc](t, record.Work{File: version}, open, 8, opts...)
		for i, rng := range ranges {
			recs := readWith[abc](t, ranges[i:i+1], open, opts...)
			last := recs[len(recs)-1]
			failed := rng.Failure != nil && len(ranges) == 1 && last.Kind == record.KindFileFailed
			read := rng.Failure == nil && last.Kind == record.KindRangeEnd && int64(len(recs)-1) == rng.Records
			if !failed && !read || rng.Last != (i == len(ranges)-1) {
				t.Fatalf("range %d of %d: %+v ends with kind %d", i, len(ranges), rng, last.Kind)
			}
		}
	})
}
