package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"testing"

	"github.com/cartstream/cartstream/pipeline"
)

// Cells that a spreadsheet would take for formulas are made harmless, whatever
// the file, the column or the message is called.
func TestCSVOfDeadLettersHasNoFormulas(t *testing.T) {
	column := "@SUM(A1)"
	var out bytes.Buffer
	w := deadLetterCSV(&out)
	for _, d := range []pipeline.DeadLetter{
		{ID: 1, Table: "-t", File: "=cmd|' /C calc'!A0", Column: &column, Code: "+c", Message: "\tm", Raw: []byte("=1+1,\"two\nlines\",\xff")},
		{ID: 2, Table: "t", File: "/in/a=b.csv", Code: "c", Message: "found -5", Raw: []byte("1,-5")},
	} {
		if err := w.write(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	for i, want := range []string{"1", "'-t", "'=cmd|' /C calc'!A0", "0", "0", "'@SUM(A1)", "'+c", "'\tm", "", "'=1+1,\"two\nlines\",\uFFFD"} {
		if got := rows[1][i]; got != want && i != 8 {
			t.Errorf("%s: got %q, want %q", rows[0][i], got, want)
		}
	}
	if rows[2][2] != "/in/a=b.csv" || rows[2][9] != "1,-5" {
		t.Errorf("what is harmless was changed: %q", rows[2])
	}
}

func TestJSONOfDeadLettersKeepsEveryByte(t *testing.T) {
	for _, c := range []struct {
		raws [][]byte
		want []string
	}{
		{nil, nil},
		{[][]byte{[]byte("a\x00\n")}, []string{"raw=a\x00\n"}},
		{[][]byte{[]byte("é"), []byte("\xff\xfe"), {}}, []string{"raw=é", "raw_base64=//4=", "raw="}},
	} {
		var out bytes.Buffer
		w := deadLetterJSON(&out)
		for _, raw := range c.raws {
			if err := w.write(pipeline.DeadLetter{Raw: raw}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != len(c.want) {
			t.Fatalf("%s: %v", out.String(), err)
		}
		for i, want := range c.want {
			found := ""
			for _, key := range []string{"raw", "raw_base64"} {
				if v, ok := got[i][key]; ok {
					found += key + "=" + v.(string)
				}
			}
			if found != want {
				t.Errorf("got %q, want %q", found, want)
			}
		}
	}
}
