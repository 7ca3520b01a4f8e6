package csvio

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// thing has columns that may be empty and others.
type thing struct {
	ID   int     `csv:"id"`
	Name string  `csv:"name"`
	Note *string `csv:"note,optional"`
	Size *int    `csv:"size,optional"`
}

// String shows what is nil as such.
func (v thing) String() string {
	s := fmt.Sprintf("%d %q", v.ID, v.Name)
	if v.Note != nil {
		s += fmt.Sprintf(" note %q", *v.Note)
	}
	if v.Size != nil {
		s += fmt.Sprintf(" size %d", *v.Size)
	}
	return s
}

// show gives each record as a line: where it stands and what it is.
func show(recs []*record.Record[thing]) []string {
	var lines []string
	for _, r := range recs {
		at := fmt.Sprintf("%d@%d ", r.Source.Line, r.Source.Offset)
		switch r.Kind {
		case record.KindValue:
			lines = append(lines, at+r.Value.String())
		case record.KindFault:
			lines = append(lines, at+r.Fault.Error())
		case record.KindRangeEnd:
		default:
			lines = append(lines, fmt.Sprintf("kind %d: %v", r.Kind, r.Fault))
		}
	}
	return lines
}

func TestDialects(t *testing.T) {
	noHeader := func(d *Dialect) { d.Header, d.Columns = false, []string{"id", "name", "note", "size"} }
	nulls := func(d *Dialect) { d.NullValue = []string{`\N`, "NULL"} }
	for _, c := range []struct {
		name, content string
		change        func(*Dialect)
		want          []string
	}{
		{
			"semicolons", "id;name\n1;a,b\n2;\"x;y\"\n", func(d *Dialect) { d.Delimiter = ';' },
			[]string{`2@8 1 "a,b"`, `3@14 2 "x;y"`},
		},
		{
			"tabs", "id\tname\n1\ta b\n2\t\"x\ty\"\n", func(d *Dialect) { d.Delimiter = '\t' },
			[]string{`2@8 1 "a b"`, `3@14 2 "x\ty"`},
		},
		{
			"a message names the delimiter", "id|name\n1|\"a\",b\n", func(d *Dialect) { d.Delimiter = '|' },
			[]string{`2@8 malformed_csv: field 2: after a closing quote stands ",b", allowed are the delimiter "|" and the end of the line (a quote inside quotes is written twice)`},
		},
		{
			"another quote", "id,name\n1,'a,\nb'\n2,'it''s'\n3,\"x\"\n", func(d *Dialect) { d.Quote = '\'' },
			[]string{`2@8 1 "a,\nb"`, `4@17 2 "it's"`, `5@27 3 "\"x\""`},
		},
		{
			"no quote: quotes are text", "id,name\n1,\"a\n2,b\"\n3,\"\"\n", func(d *Dialect) { d.Quote = 0 },
			[]string{`2@8 1 "\"a"`, `3@13 2 "b\""`, `4@18 3 "\"\""`},
		},
		{
			"no quote: NUL bytes are text", "id,name\n1,\x00a\x00\n", func(d *Dialect) { d.Quote = 0 },
			[]string{`2@8 1 "\x00a\x00"`},
		},
		{
			"a backslash before quotes", "id,name\n1,\"a \\\"b\\\", \\\\\\n\"\n2,\\\n3,\"x\\\"\n4,\"y\"\"z\"\n", func(d *Dialect) { d.Escape = '\\' },
			[]string{
				`2@8 1 "a \"b\", \\\\n"`, `3@26 2 "\\"`,
				"4@30 malformed_csv: field 2: the quote that opens here is not closed on this line, and the lines that follow do not complete " +
					"a record of 2 fields and at most 1048576 bytes; only this line is rejected",
				`5@37 malformed_csv: field 2: after a closing quote stands "\"z\"", allowed are a comma and the end of the line (a quote inside quotes is written \")`,
			},
		},
		{
			"comments", "# by hand\nid,name\n#1,a\n2,#b\n \"#\",x\n\"#\",c\n#", func(d *Dialect) { d.Comment = '#' },
			[]string{
				`4@23 2 "#b"`, `5@28 malformed_csv: field 1: a quote stands inside a field that does not begin with one: " \"#\""`,
				`6@35 invalid_number: column id: found "#"; allowed is a whole number of 64 bits`,
			},
		},
		{
			"comments are not looked for without one", "id,name\n#1,a\n", func(*Dialect) {},
			[]string{`2@8 invalid_number: column id: found "#1"; allowed is a whole number of 64 bits`},
		},
		{
			"a comment inside quotes is text", "id,name\n1,\"a\n#b\"\n", func(d *Dialect) { d.Comment = '#' },
			[]string{`2@8 1 "a\n#b"`},
		},
		{
			"a comment with a stray quote swallows nothing", "id,name\n#\"x\n1,a\n", func(d *Dialect) { d.Comment = '#' },
			[]string{`3@12 1 "a"`},
		},
		{
			"no header", "1,a,,\n2,b,x,7\n", noHeader,
			[]string{`1@0 1 "a"`, `2@6 2 "b" note "x" size 7`},
		},
		{
			"no header, with a byte order mark", "\xef\xbb\xbf1,a,,\n", noHeader,
			[]string{`1@3 1 "a"`},
		},
		{
			"no header, and another number of fields", "1,a\n", noHeader,
			[]string{"1@0 wrong_field_count: found 2 fields; csv.columns names 4"},
		},
		{
			"no header, and lines that end with CR", "1,a,,\r2,b,,\r", noHeader,
			[]string{"1@0 wrong_field_count: found 7 fields; csv.columns names 4; it has a CR in the middle: lines must end with LF or CRLF; " +
				"those of a file with a header may all end with CR"},
		},
		{
			"no header, columns in another order and unknown ones", "a,x,1\n",
			func(d *Dialect) { d.Header, d.Columns = false, []string{"name", "other", "id"} },
			[]string{`1@0 1 "a"`},
		},
		{"no header, nothing in the file", "", noHeader, nil},
		{
			"null values", "id,name,note,size\n1,NULL,\\N,NULL\n2,\"NULL\",\"\\N\",7\n3,null,NULLs,\\N\n\\N,a,b,1\n", nulls,
			[]string{
				`2@18 1 ""`, `3@33 2 "NULL" note "\\N" size 7`, `4@49 3 "null" note "NULLs"`,
				"5@65 missing_value: column id: the value is empty; allowed is a whole number of 64 bits",
			},
		},
		{
			"null values between quoted fields", "id,name,note,size\n1,\"a\",NULL,\\N\n", nulls,
			[]string{`2@18 1 "a"`},
		},
		{
			"a column may be called as a null value", "id,name,NULL\n1,a,NULL\n", nulls,
			[]string{`2@13 1 "a"`},
		},
		{
			"white space is kept", "id,name,note\n1, a ,\t\n", func(*Dialect) {},
			[]string{`2@13 1 " a " note "\t"`},
		},
		{
			"trimming", "id,name,note\n 1 ,\ta b ,\t\n2, \" x \"  , \"y,\nz\" \t\n", func(d *Dialect) { d.Trim = true },
			[]string{`2@13 1 "a b"`, `3@25 2 " x " note "y,\nz"`},
		},
		{
			"trimming before CRLF", "id , \"name\" \r\n1, \"a\" \r\n2, b \r\n", func(d *Dialect) { d.Trim = true },
			[]string{`2@14 1 "a"`, `3@23 2 "b"`},
		},
		{
			"trimming does not join quotes", "id,name\n1,\"a\" \"b\"\n2,c\n", func(d *Dialect) { d.Trim = true },
			[]string{
				`2@8 malformed_csv: field 2: after a closing quote stands "\"b\"", allowed are a comma and the end of the line (a quote inside quotes is written twice)`,
				`3@18 2 "c"`,
			},
		},
		{
			"trimming leaves tabs that are delimiters", "id\tname\tnote\n1\t a \t\n", func(d *Dialect) { d.Delimiter, d.Trim = '\t', true },
			[]string{`2@13 1 "a"`},
		},
		{
			"trimming leaves spaces that are delimiters", "id name\n1 \t\"a b\"\t\n", func(d *Dialect) { d.Delimiter, d.Trim = ' ', true },
			[]string{`2@8 1 "a b"`},
		},
		{
			"trimming leaves other white space", "id,name\n1,\u00a0a\u00a0\n", func(d *Dialect) { d.Trim = true },
			[]string{`2@8 1 "\u00a0a\u00a0"`},
		},
		{
			"null values are found after trimming", "id,name,note\n1,a, \\N \n", func(d *Dialect) { nulls(d); d.Trim = true },
			[]string{`2@13 1 "a"`},
		},
		{
			"Latin-1", "id,n\xe4me,name\n1,\xfc,Gr\xfc\xdfe\n2,,\"\x80\xff\"\n", func(d *Dialect) { d.Encoding = EncodingLatin1 },
			[]string{`2@13 1 "Grüße"`, `3@23 2 "\u0080ÿ"`},
		},
		{
			"Windows-1252", "id;name\n1;\x80 5 \x96 \x93gut\x94\n2;\"\x9c;\n\xe9\"\n3;x\n", func(d *Dialect) { d.Encoding, d.Delimiter = EncodingWindows1252, ';' },
			[]string{`2@8 1 "€ 5 – “gut”"`, `3@22 2 "œ;\né"`, `5@31 3 "x"`},
		},
		{
			"a null value that is no ASCII, in Latin-1", "id,name,note\n1,a,\xfc\n", func(d *Dialect) { d.Encoding, d.NullValue = EncodingLatin1, []string{"ü"} },
			[]string{`2@13 1 "a"`},
		},
		{
			"everything at once", "; none\n 1 |'a|''b'| \\N |7\n2|\xe9||\\N\n",
			func(d *Dialect) {
				noHeader(d)
				nulls(d)
				d.Delimiter, d.Quote, d.Comment, d.Trim, d.Encoding = '|', '\'', ';', true, EncodingLatin1
			},
			[]string{`2@7 1 "a|'b" size 7`, `3@26 2 "é"`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := WithDialect(with(c.change))
			f, open := inMemory(c.content)
			for size := int64(1); size <= int64(len(c.content))+1; size++ {
				ranges := splitWith[thing](t, record.Work{File: f}, open, size, opt, WithMaxRangeBytes(size))
				if got := show(readWith[thing](t, ranges, open)); !slices.Equal(got, c.want) {
					t.Fatalf("in ranges of %d bytes:\n%s\nwant\n%s", size, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

func TestDeadLettersOfOtherEncodingsHaveTheFilesOwnBytes(t *testing.T) {
	f, open := inMemory("id,name\nx,Gr\xfc\xdfe\n")
	opt := WithDialect(with(func(d *Dialect) { d.Encoding = EncodingLatin1 }))
	recs := readWith[thing](t, splitWith[thing](t, record.Work{File: f}, open, windowChunk, opt), open)
	if recs[0].Kind != record.KindFault || string(recs[0].Raw) != "x,Gr\xfc\xdfe" {
		t.Errorf("the raw bytes are %q", recs[0].Raw)
	}
}

// TestLongComments: a comment may be longer than any bound, and is no record.
func TestLongComments(t *testing.T) {
	opt := []Option{WithDialect(with(func(d *Dialect) { d.Comment = '#' })), WithMaxRecordBytes(10), WithMaxRangeBytes(20)}
	long := "#" + strings.Repeat("x\"", 50)
	for _, content := range []string{
		long + "\nid,name\n1,a\n",
		"id,name\n" + long + "\n1,a\n",
		"id,name\n1,a\n" + long + "\n",
		"id,name\n1,a\n" + long,
	} {
		f, open := inMemory(content)
		for _, chunk := range []int64{1, 7, 1000} {
			got := show(readWith[thing](t, splitWith[thing](t, record.Work{File: f}, open, chunk, opt...), open))
			if len(got) != 1 || !strings.HasSuffix(got[0], `1 "a"`) {
				t.Errorf("%q gives %q", content, got)
			}
		}
	}
}
