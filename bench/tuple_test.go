package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

var columnTypes = []uint32{
	pgtype.UUIDOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID, pgtype.NumericOID, pgtype.TimestamptzOID,
}

// decode reads a tuple by pgx's own decoders.
func decode(t *testing.T, tuple []byte) (values []string) {
	t.Helper()
	types := pgtype.NewMap()
	if n := binary.BigEndian.Uint16(tuple); int(n) != len(columnTypes) {
		t.Fatalf("the tuple has %d columns", n)
	}
	tuple = tuple[2:]
	for _, oid := range columnTypes {
		length := int32(binary.BigEndian.Uint32(tuple))
		tuple = tuple[4:]
		if length < 0 {
			values = append(values, "NULL")
			continue
		}
		typ, _ := types.TypeForOID(oid)
		v, err := typ.Codec.DecodeDatabaseSQLValue(types, oid, pgtype.BinaryFormatCode, tuple[:length])
		if err != nil {
			t.Fatal(err)
		}
		if at, is := v.(interface{ UnixMicro() int64 }); is {
			v = at.UnixMicro()
		}
		values = append(values, fmt.Sprint(v))
		tuple = tuple[length:]
	}
	if len(tuple) > 0 {
		t.Fatalf("%d bytes are left", len(tuple))
	}
	return values
}

const eventID = "d2867e8c-1d18-1ef4-bf8b-a348b0f0e784"

func TestTuplesHaveTheValuesOfTheirLines(t *testing.T) {
	for _, c := range []struct{ line, name, price, micros string }{
		{"Tea,Food,view,,1970-01-01 00:00:00.000001", "Tea", "NULL", "1"},
		{"Tea,Food,purchase,17.36,2024-12-31 23:59:29.775501", "Tea", "17.36", "1735689569775501"},
		{"Tea,Food,purchase,0.50,2000-01-01 00:00:00.000000", "Tea", "0.50", "946684800000000"},
		{"Tea,Food,purchase,29999.00,2000-02-29 12:00:00.000000", "Tea", "29999.00", "951825600000000"},
		{"Tea,Food,purchase,12345.07,2000-02-29 12:00:00.000000", "Tea", "12345.07", "951825600000000"},
		{`"27"" Monitor, ""big""",Food,view,,1970-01-01 00:00:00.000000`, `27" Monitor, "big"`, "NULL", "0"},
	} {
		var p tupleParser
		tuple, rest, err := p.appendTuple(nil, []byte(eventID+",U1,P1,"+c.line+"\nrest"))
		if err != nil || string(rest) != "rest" {
			t.Fatalf("%s: %v, rest %q", c.line, err, rest)
		}
		got := decode(t, tuple)
		want := []string{eventID, "U1", "P1", c.name, "Food", got[5], c.price, c.micros}
		if !slices.Equal(got, want) {
			t.Errorf("%s is\n%q, want\n%q", c.line, got, want)
		}
	}
}

func TestWhatIsNoEventIsAnError(t *testing.T) {
	for _, line := range []string{
		"", "short\n", strings.Repeat("x", 36) + ",a,b,c,d,e,,2024-12-31 23:59:29.775501\n", eventID + ",a,b\n", eventID + `,"a`,
		eventID + ",a,b,c,d,e,,2024-12-31\n", eventID + ",a,b,c,d,e,,2024-13-31 23:59:29.775501\n",
	} {
		var p tupleParser
		if _, _, err := p.appendTuple(nil, []byte(line)); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}

func TestBatchesAreSortedByKey(t *testing.T) {
	line := func(key string) string { return key + eventID[1:] + ",U,P,N,C,view,,2024-12-31 23:59:29.775501\n" }
	var b tupleBatch
	if err := b.encode([]byte(line("c") + line("a") + line("b"))); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(b.sorted())
	if err != nil {
		t.Fatal(err)
	}
	size := (len(text) - len(copyHeader) - len(copyEnd)) / 3
	for i, want := range "abc" {
		if got := decode(t, text[len(copyHeader)+i*size:][:size])[0]; got != string(want)+eventID[1:] {
			t.Errorf("place %d has %s", i, got)
		}
	}
}

func TestBatchesAreWholeLinesBehindTheHeader(t *testing.T) {
	var all strings.Builder
	all.WriteString("header\n")
	for i := range ceilingBatch + 2 {
		fmt.Fprintln(&all, "line", i)
	}
	batches := make(chan []byte, 3)
	if err := readBatches(t.Context(), strings.NewReader(all.String()), batches); err != nil {
		t.Fatal(err)
	}
	close(batches)
	var got []string
	for b := range batches {
		got = append(got, string(b))
	}
	if len(got) != 2 || "header\n"+got[0]+got[1] != all.String() || got[1] != fmt.Sprintf("line %d\nline %d\n", ceilingBatch, ceilingBatch+1) {
		t.Errorf("%d batches, of which the last is %.100q", len(got), got[len(got)-1])
	}
}
