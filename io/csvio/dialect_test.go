package csvio

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// with returns the default dialect, changed.
func with(change func(*Dialect)) Dialect {
	d := DefaultDialect()
	change(&d)
	return d
}

func TestDialectValidate(t *testing.T) {
	noHeader := func(names ...string) func(*Dialect) {
		return func(d *Dialect) { d.Header, d.Columns = false, names }
	}
	for _, c := range []struct {
		name   string
		change func(*Dialect)
		want   string // "" where all is well
	}{
		{"the default", func(*Dialect) {}, ""},
		{"a tab", func(d *Dialect) { d.Delimiter = '\t' }, ""},
		{"Hive's ^A", func(d *Dialect) { d.Delimiter = 1 }, ""},
		{"a space, and trimming", func(d *Dialect) { d.Delimiter, d.Trim = ' ', true }, ""},
		{"nothing is quoted", func(d *Dialect) { d.Quote = 0 }, ""},
		{"comments", func(d *Dialect) { d.Comment = '#' }, ""},
		{"columns instead of a header", noHeader("a", "b"), ""},
		{"null values", func(d *Dialect) { d.NullValue = []string{`\N`, "NULL", "n a"} }, ""},
		{"the zero dialect", func(d *Dialect) { *d = Dialect{} }, "delimiter: found nothing; allowed is one ASCII character that is no letter, digit or line end"},
		{"a letter", func(d *Dialect) { d.Delimiter = 't' }, "delimiter: found 't'; allowed is one ASCII character that is no letter, digit or line end"},
		{"a digit", func(d *Dialect) { d.Delimiter = '0' }, "delimiter: found '0'; allowed is"},
		{"a line end", func(d *Dialect) { d.Delimiter = '\n' }, `delimiter: found '\n'; allowed is`},
		{"no ASCII", func(d *Dialect) { d.Delimiter = 0xa7 }, "delimiter: found 0xa7; allowed is"},
		{"a letter to quote", func(d *Dialect) { d.Quote = 'q' }, "quote: found 'q'; allowed is"},
		{"a space to quote", func(d *Dialect) { d.Quote = ' ' }, "quote: found ' '; allowed is"},
		{"quote and delimiter are one", func(d *Dialect) { d.Quote = ',' }, "quote: found ','; allowed is another character than the delimiter"},
		{"a comment by a tab", func(d *Dialect) { d.Comment = '\t' }, `comment: found '\t'; allowed is`},
		{"comment and delimiter are one", func(d *Dialect) { d.Comment = ',' }, "comment: found ','; allowed is another character than the delimiter and the quote"},
		{"comment and quote are one", func(d *Dialect) { d.Comment = '"' }, `comment: found '"'; allowed is another`},
		{"an escape", func(d *Dialect) { d.Escape = '\\' }, ""},
		{"an escape that is the quote", func(d *Dialect) { d.Escape = '"' }, `escape: found '"'; allowed is another character than the delimiter, the quote and the comment`},
		{"an escape that is a letter", func(d *Dialect) { d.Escape = 'e' }, "escape: found 'e'; allowed is one ASCII character that is no letter"},
		{"an escape without a quote", func(d *Dialect) { d.Escape, d.Quote = '\\', 0 }, `escape: found '\\'; allowed is nothing where fields are not quoted`},
		{"fewer lines than none to skip", func(d *Dialect) { d.SkipLines = -1 }, "skip_lines: found -1; allowed is 0 or more"},
		{"neither header nor columns", noHeader(), "columns: found none; where header is false, name the columns in the order of the fields"},
		{"header and columns", func(d *Dialect) { d.Columns = []string{"a"} }, `columns: found "a"; allowed only where header is false`},
		{"a column without a name", noHeader("a", ""), `columns: name 2 is ""; allowed is text without white space around it`},
		{"a column with space around it", noHeader(" a"), `columns: name 1 is " a"; allowed is`},
		{"a column twice", noHeader("a", "b", "a"), `columns: "a" stands there twice; allowed is once`},
		{"an empty null value", func(d *Dialect) { d.NullValue = []string{""} }, `null_value: found ""; allowed is text (an empty field stands for nothing already)`},
		{"a null value with a delimiter", func(d *Dialect) { d.NullValue = []string{"a,b"} }, `null_value: found "a,b"; allowed is text without the delimiter`},
		{"a null value with a quote", func(d *Dialect) { d.NullValue = []string{`"`} }, `null_value: found "\""; allowed is text without`},
		{"a null value with a line end", func(d *Dialect) { d.NullValue = []string{"a\n"} }, `null_value: found "a\n"; allowed is text without`},
		{"a null value that trimming changes", func(d *Dialect) { d.NullValue, d.Trim = []string{"- "}, true }, `null_value: found "- "; allowed is text without white space around it`},
		{"an unknown encoding", func(d *Dialect) { d.Encoding = "utf8" }, `encoding: found "utf8"; allowed are utf-8, utf-16, utf-16le, utf-16be, latin1, windows-1252`},
		{"no encoding", func(d *Dialect) { d.Encoding = "" }, `encoding: found ""; allowed are`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := "<nil>"
			if err := with(c.change).Validate(); err != nil {
				got = err.Error()
			}
			if c.want == "" && got != "<nil>" || !strings.HasPrefix(got, c.want) {
				t.Errorf("the message is %q, want %q", got, c.want)
			}
			if c.want == "" {
				return
			}
			if got := panics(t, func() { newOptions([]Option{WithDialect(with(c.change))}) }); !strings.HasPrefix(got, "csvio: "+c.want) {
				t.Errorf("the option panics with %q", got)
			}
		})
	}
}

func TestColumnsMustFitT(t *testing.T) {
	d := with(func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "c", "x"} })
	const want = `columns: the required column "b" is missing; there are "a", "c", "x"`
	if err := ValidateFor[abc](d); err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if got := panics(t, func() { Fingerprint[abc](WithDialect(d)) }); got != "csvio: "+want {
		t.Errorf("the panic is %q", got)
	}
	d.Columns[0], d.Columns[2] = "b", "a"
	if err := ValidateFor[abc](d); err != nil {
		t.Error(err)
	}
	if err := ValidateFor[abc](Dialect{}); err == nil {
		t.Error("the zero dialect passes")
	}
}

func TestParseChar(t *testing.T) {
	for _, c := range []struct {
		text string
		want byte
		err  string
	}{
		{";", ';', ""},
		{"\t", '\t', ""},
		{"tab", '\t', ""},
		{`\t`, '\t', ""},
		{"", 0, ""},
		{";;", 0, `found ";;"; allowed is one ASCII character, or tab`},
		{"§", 0, `found "§"; allowed is one ASCII character, or tab`},
		{"\xa7", 0, `found "\xa7"; allowed is one ASCII character, or tab`},
	} {
		got, err := ParseChar(c.text)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q gives %q, %v; want %q, %s", c.text, got, err, c.want, c.err)
		}
	}
}

// TestFingerprintOfDialects holds the text, which ledgers keep, and that it
// says all.
func TestFingerprintOfDialects(t *testing.T) {
	plain := Fingerprint[abc]()
	if want := "csv2;range_bytes=8388608;range_records=50000;record_bytes=1048576;schema=" + mustSchema[abc]().hash(); plain != want {
		t.Errorf("the default's fingerprint is %s, want %s", plain, want)
	}
	for _, c := range []struct {
		name   string
		change func(*Dialect)
		want   string
	}{
		{"the default", func(*Dialect) {}, ""},
		{"semicolons", func(d *Dialect) { d.Delimiter = ';' }, ";delimiter=%3B"},
		{"tabs", func(d *Dialect) { d.Delimiter = '\t' }, ";delimiter=%09"},
		{"pipes, quotes and comments", func(d *Dialect) { d.Delimiter, d.Quote, d.Comment = '|', '\'', '#' }, ";delimiter=|;quote=';comment=#"},
		{"what has a meaning there", func(d *Dialect) { d.Delimiter, d.Quote, d.Comment = '%', '=', ';' }, ";delimiter=%25;quote=%3D;comment=%3B"},
		{"no quote", func(d *Dialect) { d.Quote = 0 }, ";quote="},
		{
			"columns", func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "b", "c", "x,y", "Größe"} },
			";header=false;columns=a,b,c,x%2Cy,Gr%C3%B6%C3%9Fe",
		},
		{"null values", func(d *Dialect) { d.NullValue = []string{`\N`, "NULL", "a=b;c", "\x01 %"} }, `;null_value=\N,NULL,a%3Db%3Bc,%01%20%25`},
		{"an escape, and lines to skip", func(d *Dialect) { d.Escape, d.SkipLines = '\\', 3 }, `;escape=\;skip_lines=3`},
		{"trimming, and an encoding", func(d *Dialect) { d.Trim, d.Encoding = true, EncodingWindows1252 }, ";trim=true;encoding=windows-1252"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := with(c.change)
			text := Fingerprint[abc](WithDialect(d))
			if text != plain+c.want {
				t.Errorf("the fingerprint is %s, want …%s", text, c.want)
			}
			f, err := parseFingerprint(text)
			if err != nil || !reflect.DeepEqual(f.dialect, d) {
				t.Errorf("it is read as %+v, %v; want %+v", f, err, d)
			}
		})
	}
}

func TestFingerprintsThatAreNone(t *testing.T) {
	plain := Fingerprint[abc]()
	for _, c := range []struct{ name, add string }{
		{"a setting of a later program", ";later=x"},
		{"two characters", ";delimiter=%3B%3B"},
		{"an escape that is none", ";delimiter=%3"},
		{"an escape that is none in a list", ";null_value=%zz"},
		{"neither yes nor no", ";trim=maybe"},
		{"a dialect that is none", ";header=false"},
		{"an encoding that is none", ";encoding=ebcdic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if f, err := parseFingerprint(plain + c.add); err == nil {
				t.Errorf("it is read as %+v", f.dialect)
			}
			wantNotReproduced(t, plain+c.add)
		})
	}
}

// TestBegunFilesKeepTheirDialect: what a file was begun with counts, not what
// the program is set to.
func TestBegunFilesKeepTheirDialect(t *testing.T) {
	semicolons := WithDialect(with(func(d *Dialect) { d.Delimiter = ';' }))
	f := writeFile(t, "a;b;c\n1;2;3\n4;5;6\n")
	begun := splitAll[abc](t, record.Work{File: f}, semicolons, WithMaxRangeRecords(1))
	again := splitAll[abc](t, record.Work{File: f, Fingerprint: begun[0].Fingerprint, Done: []record.DoneRange{doneRange(begun[0])}})
	if len(begun) != 2 || !reflect.DeepEqual(begun[1:], again) {
		t.Fatalf("it goes on with %+v, want %+v", again, begun[1:])
	}
	if recs := readAll[abc](t, again); recs[0].Value != (abc{"4", "5", "6"}) {
		t.Errorf("got %+v, fault %v", recs[0].Value, recs[0].Fault)
	}
}
