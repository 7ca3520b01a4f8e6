package pipeline

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/io/csvio"
)

func TestCSVSettings(t *testing.T) {
	s, all, err := parseSettings("f", []byte(`csv:
  delimiter: ";"
  quote: "'"
  escape: '\'
  skip_lines: 3
  comment: "#"
  header: false
  columns: [event_id, user_id, product_id, product_name, product_category, event_type, price, event_timestamp]
  null_value: ['\N', "NULL"]
  trim: true
  encoding: windows-1252
`), []string{"CARTSTREAM_CSV_DELIMITER=tab"})
	if err != nil {
		t.Fatal(err)
	}
	want := csvio.Dialect{
		Delimiter: '\t', Quote: '\'', Escape: '\\', Comment: '#', SkipLines: 3,
		Columns:   []string{"event_id", "user_id", "product_id", "product_name", "product_category", "event_type", "price", "event_timestamp"},
		NullValue: []string{`\N`, "NULL"}, Trim: true, Encoding: "windows-1252",
	}
	if !reflect.DeepEqual(s.CSV, want) {
		t.Errorf("got %+v, want %+v", s.CSV, want)
	}
	for _, setting := range all {
		if setting.Key == "csv.delimiter" && (setting.Value != `\t` || setting.Origin != "CARTSTREAM_CSV_DELIMITER") {
			t.Errorf("got %+v", setting)
		}
	}
}

func TestWrongCSVSettings(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`delimiter: ";;"`, "f:2: csv.delimiter: found"},
		{`delimiter: x`, "f:2: csv.delimiter: found"},
		{`quote: ","`, "f:2: csv.quote: found"},
		{`comment: ","`, "f:2: csv.comment: found"},
		{`escape: '"'`, "f:2: csv.escape: found '\"'; allowed is another character"},
		{`skip_lines: -1`, "f:2: csv.skip_lines: found -1; allowed is"},
		{`skip_lines: two`, "f:2: csv.skip_lines: found \"two\"; allowed is"},
		{`encoding: ebcdic`, "f:2: csv.encoding: found \"ebcdic\"; allowed are utf-8"},
		{`header: maybe`, "f:2: csv.header: found \"maybe\"; allowed is true or false"},
		{`header: false`, "f:2: csv.columns: found none; where header is false, name the columns"},
		{`delimiter: '"'`, "f:2: csv.quote: found"},
		{
			"header: false\n  columns: [event_id, user_idd, product_id, product_name, product_category, event_type, price, event_timestamp]",
			`f:3: csv.columns: the required column "user_id" is missing; there are "event_id", "user_idd", "product_id", "product_name", ` +
				`"product_category", "event_type", "price", "event_timestamp"; did you mean "user_id" by "user_idd"?`,
		},
		{`quote: ~`, `f:2: csv.quote: found ~ without quotes, which YAML does not take for a text; allowed is ` + allowedChar + `: write "~", with the quotes`},
		{`delimiter: |`, `f:2: csv.delimiter: found | without quotes, which YAML does not take for a text; allowed is ` + allowedChar + `: write "|", with the quotes`},
		{`delimiter: ">"` + "\n  quote: >", `f:3: csv.quote: found > without quotes`},
		{`delimiter: !`, `f:2: csv.delimiter: found nothing; allowed is ` + allowedChar + "; a mark of YAML's own, such as # or !, must be in quotes"},
		{`delimiter: #`, `f:2: csv.delimiter: found nothing; allowed is ` + allowedChar + "; a mark of YAML's own, such as # or !, must be in quotes"},
		{`null_value: NULL`, `f:2: csv.null_value: found NULL without quotes, which YAML does not take for a text; allowed is ` + allowedText + `: write "NULL", with the quotes`},
		{`null_value: ['\N', null]`, `f:2: csv.null_value: found null without quotes`},
		{`encoding: ~`, `f:2: csv.encoding: found ~ without quotes`},
		{"header: false\n  columns: [event_id, user_id]", "f:3: csv.columns: the required column \"product_id\" is missing"},
	} {
		_, _, err := parseSettings("f", []byte("csv:\n  "+c.text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.says)
		}
	}
}
