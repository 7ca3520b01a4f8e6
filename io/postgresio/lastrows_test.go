package postgresio

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// grownFile is a version of a file of one range whose records are these, each of which
// has a line of its own. The last has no line end unless ended is set.
func grownFile(path string, ended bool, raws []string, values ...any) []*record.Record[item] {
	const start = 10
	r := &record.Range{File: record.File{Path: path}, Fingerprint: "f1", Start: start, FirstLine: 2, Last: true}
	records := rangeOf[item](r, values...)
	end := int64(start)
	for i, raw := range raws {
		records[i].Raw, records[i].Source.Offset = []byte(raw), end
		end += int64(len(raw)) + 1
	}
	if !ended {
		end--
	}
	r.End, r.File.Size, r.File.Modified = end, end, 1_700_000_000_000_000+end
	return records
}

// A record that was read before its writer had come to its end leaves a wrong row. The
// longer version of the file finds it out, once.
func TestRowFromAHalfWrittenRecordIsReported(t *testing.T) {
	first := item{ID: id(1), Name: "first", Price: price("1.00")}
	half, whole := item{ID: id(2), Name: "lamp", Price: price("12.00")}, item{ID: id(2), Name: "lamp", Price: price("1234.56")}
	cut := item{ID: id(2), Name: "l", Price: price("12.00")}
	bad := record.Fault{Code: record.CodeInvalidNumber, Message: "found 12.x"}
	type version struct {
		ended  bool
		raws   []string
		values []any
	}
	for _, c := range []struct {
		name     string
		versions []version
		opts     []Option
		// says is a part of the one warning, or "" for none.
		says string
	}{
		{
			"another value",
			[]version{{false, []string{"1,first,1", "2,lamp,12"}, []any{first, half}}, {true, []string{"1,first,1", "2,lamp,1234.56"}, []any{first, whole}}},
			nil, "is a duplicate of it and was not stored",
		},
		{
			"another value, overwritten",
			[]version{{false, []string{"2,lamp,12"}, []any{half}}, {true, []string{"2,lamp,1234.56"}, []any{whole}}},
			[]Option{WithUpsert(Upsert{})},
			"has overwritten it",
		},
		{
			"another key",
			[]version{{false, []string{"2,l"}, []any{cut}}, {true, []string{"2,lamp,1234.56"}, []any{item{ID: id(3), Name: "lamp"}}}},
			nil, "was inserted as another row",
		},
		{"a dead letter", []version{{false, []string{"2,lamp,12"}, []any{half}}, {true, []string{"2,lamp,12.x"}, []any{bad}}}, nil, "is a dead letter"},
		{"the same row in more letters", []version{{false, []string{"2,lamp,12.0"}, []any{half}}, {true, []string{"2,lamp,12.00"}, []any{half}}}, nil, ""},
		{"the same record, and more", []version{{false, []string{"2,lamp,12"}, []any{half}}, {true, []string{"2,lamp,12", "1,first,1"}, []any{half, first}}}, nil, ""},
		{"a whole record before", []version{{true, []string{"2,lamp,12"}, []any{half}}, {true, []string{"2,lamp,1234.56"}, []any{whole}}}, nil, ""},
		{"another beginning", []version{{false, []string{"2,lamp,12"}, []any{half}}, {true, []string{"1,lamp,1234.56"}, []any{whole}}}, nil, ""},
		{"a dead letter before", []version{{false, []string{"2,lamp,12."}, []any{bad}}, {true, []string{"2,lamp,12.00"}, []any{half}}}, nil, ""},
		{
			"reported once",
			[]version{
				{false, []string{"2,lamp,12"}, []any{half}},
				{true, []string{"2,lamp,1234.56"}, []any{whole}},
				{true, []string{"2,lamp,1234.56", "1,first,1"}, []any{whole, first}},
			},
			nil, "is a duplicate of it",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			logged := captureLog(t)
			s := newSink[item](w, "items", c.opts...)
			for _, v := range c.versions {
				s.load(grownFile("in/a.csv", v.ended, v.raws, v.values...)...)
			}
			var warnings []string
			for line := range strings.Lines(logged.String()) {
				if strings.Contains(line, "level=WARN") {
					warnings = append(warnings, line)
				}
			}
			n := RunTotals(w.run).ChangedRows
			if c.says == "" {
				if len(warnings) > 0 || n != 0 {
					t.Errorf("%d rows are reported: %q", n, warnings)
				}
				return
			}
			if len(warnings) != 1 || n != 1 {
				t.Fatalf("%d rows are reported: %q", n, warnings)
			}
			for _, part := range []string{c.says, "file=in/a.csv", "line=", fmt.Sprint("key=", id(2))} {
				if !strings.Contains(warnings[0], part) {
					t.Errorf("got %s, want %q", warnings[0], part)
				}
			}
		})
	}
}

// Files that are loaded together are compared with their own rows only, and the ledger
// keeps no row of a file that ends with its line.
func TestLastRowsAreKeptForEachFile(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	value := func(n int) item { return item{ID: id(n), Name: "n", Price: price("1.00")} }
	s.load(slices.Concat(
		grownFile("in/a.csv", false, []string{"1,n,1"}, value(1)),
		grownFile("in/b.csv", true, []string{"2,n,1"}, value(2)),
		grownFile("in/c.csv", false, []string{"3,n,1", "4,n,1"}, value(3), value(4)),
		grownFile("in/d.csv", false, []string{"1,n,1"}, value(1)), // a duplicate leaves no row
	)...)
	got := w.list(`select file_name, line_number, byte_offset, convert_from(raw, 'utf8') from cartstream.last_rows join cartstream.files using (file_id) order by 1`)
	if want := []string{"in/a.csv 2 10 1,n,1", "in/c.csv 3 16 4,n,1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	logged := captureLog(t)
	other := func(n int) item { return item{ID: id(n), Name: "n", Price: price("1.50")} }
	s.load(slices.Concat(
		grownFile("in/a.csv", true, []string{"1,n,1.5"}, other(1)),
		grownFile("in/b.csv", true, []string{"2,n,1.5"}, other(2)),
		grownFile("in/c.csv", true, []string{"3,n,1", "4,n,1.5"}, value(3), other(4)),
	)...)
	inLedger, err := Ledger{Run: w.run, Database: w.db, Table: "items"}.RunTotals(t.Context())
	if err != nil || inLedger.ChangedRows != 2 {
		t.Errorf("the ledger says %+v, %v", inLedger, err)
	}
	if n := RunTotals(w.run).ChangedRows; n != 2 || strings.Contains(logged.String(), "in/b.csv") {
		t.Errorf("%d rows are reported: %s", n, logged)
	}
}
