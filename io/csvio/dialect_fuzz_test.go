package csvio

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cartstream/cartstream/transforms/record"
)

// everyDialect has one of each kind, and some of several kinds at once.
var everyDialect = []Dialect{
	DefaultDialect(),
	with(func(d *Dialect) { d.Delimiter = ';' }),
	with(func(d *Dialect) { d.Delimiter = '\t' }),
	with(func(d *Dialect) { d.Delimiter, d.Quote, d.Comment = '|', '\'', '#' }),
	with(func(d *Dialect) { d.Quote = 0 }),
	with(func(d *Dialect) { d.Quote, d.Trim, d.Comment = 0, true, '"' }),
	with(func(d *Dialect) { d.Trim = true }),
	with(func(d *Dialect) { d.Trim, d.Delimiter = true, '\t' }),
	with(func(d *Dialect) { d.Trim, d.Delimiter = true, ' ' }),
	with(func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "b", "c"} }),
	with(func(d *Dialect) { d.NullValue = []string{`\N`, "2"} }),
	with(func(d *Dialect) { d.Encoding = EncodingLatin1 }),
	with(func(d *Dialect) { d.Escape = '\\' }),
	with(func(d *Dialect) { d.Escape, d.Quote, d.Trim = '^', '\'', true }),
	with(func(d *Dialect) {
		*d = Dialect{
			Delimiter: ';', Quote: '\'', Comment: '#', Columns: []string{"c", "b", "a"},
			NullValue: []string{"2", "x x"}, Trim: true, Encoding: EncodingWindows1252,
		}
	}),
}

// write gives a body that was made for the default dialect the dialect's
// characters, and what it wrote stays comparable: characters change places.
func (d Dialect) write(body string) string {
	swap := []byte(body)
	for i, c := range swap {
		switch c {
		case ',':
			swap[i] = d.Delimiter
		case d.Delimiter:
			swap[i] = ','
		}
		if d.Quote == 0 {
			continue
		}
		switch c {
		case '"':
			swap[i] = d.Quote
		case d.Quote:
			swap[i] = '"'
		}
	}
	return string(swap)
}

// file is a body with the header that the dialect wants.
func (d Dialect) file(body string) string {
	if !d.Header {
		return body
	}
	return strings.ReplaceAll(abcHeader, ",", string(rune(d.Delimiter))) + body
}

// abcNames reads without a header in the order a, b, c, as the reference does.
func abcNames(d Dialect) Dialect {
	if !d.Header {
		d.Columns = []string{"a", "b", "c"}
	}
	return d
}

// checkDialect holds a file in a dialect against the reference, against what
// encoding/csv reads, and against its own archive.
func checkDialect(t *testing.T, d Dialect, body string, chunk int64, opts ...Option) {
	t.Helper()
	d = abcNames(d)
	content := d.file(body)
	opts = append(opts[:len(opts):len(opts)], WithDialect(d))
	recs := checkFile(t, content, chunk, opts...)
	checkDialectStandard(t, d, content, recs)
	checkUnsplit(t, content, gzipped(t, content), chunk, opts...)
	if d.charset() == (charset{}) && utf8.ValidString(content) {
		wide := d
		wide.Encoding = EncodingUTF16BE
		checkUnsplit(t, content, inUTF16(binary.BigEndian, content), chunk, append(opts[:len(opts)-1:len(opts)-1], WithDialect(wide))...)
	}
}

func (d Dialect) charset() charset { return charsets[d.Encoding] }

// checkDialectStandard holds the records against encoding/csv, as far as it
// knows the dialect: not trimming, not null values, and a quote by changing
// characters.
func checkDialectStandard(t *testing.T, d Dialect, content string, recs []*record.Record[abc]) {
	t.Helper()
	if d.Trim || d.Quote == 0 || d.Escape != 0 || strings.Contains(content, "\r\r") || d.NullValue != nil || d.charset() != (charset{}) || !utf8.ValidString(content) {
		return
	}
	swaps := d.Quote != ',' && d.Delimiter != '"' && d.Comment != ',' && d.Comment != '"'
	if !swaps || hasMalformed(recs) {
		return
	}
	r := csv.NewReader(strings.NewReader(d.write(strings.TrimPrefix(content, "\xef\xbb\xbf"))))
	r.FieldsPerRecord, r.Comment = -1, rune(d.Comment)
	rows, err := r.ReadAll()
	if err != nil {
		return
	}
	if d.Header {
		rows = rows[1:]
	}
	if len(rows) != len(recs) {
		t.Fatalf("%+v of %q: %d records, encoding/csv reads %d", d, content, len(recs), len(rows))
	}
	for i, rec := range recs {
		if len(rows[i]) != 3 {
			wantCode(t, rec, record.CodeWrongFieldCount)
			continue
		}
		got := [3]string{rec.Value.A, rec.Value.B, rec.Value.C}
		for j := range got {
			if want := d.write(rows[i][j]); strings.ReplaceAll(got[j], "\r\n", "\n") != want {
				t.Fatalf("%+v of %q: record %d, field %d is %q, encoding/csv reads %q", d, content, i, j, got[j], want)
			}
		}
	}
}

// hasMalformed reports whether a record is longer than the bound, or spans several
// lines and has another number of fields: encoding/csv knows of neither.
func hasMalformed(recs []*record.Record[abc]) bool {
	return slices.ContainsFunc(recs, func(r *record.Record[abc]) bool {
		return r.Fault != nil && (r.Fault.Code == record.CodeRecordTooLarge || r.Fault.Code == record.CodeMalformedCSV)
	})
}

// spacy are bodies for what dialects are about.
var spacy = []string{
	" 1 ,\t\"2\" , 3\t\r\n \"4\n4\" ,5, \"\"\"\" \"x\n7,8,9\n",
	"#1,\"2\n\"#1\",2,#3\n #,\\N, \\N \n\"\\N\",2,\"2\"\n",
	"x x,\xfc\x80,2\n# \"\n1, \" 2\n,\"\"\" ,3\n",
	" \"1\" \r,2,3\n \"1\" \r\n\t\n  \n,,\n",
	"1,\"a\\\"b\\\\\\n\",3\r\r\n\"\\\n\",\"2\\\",3\n4,\\\",6\n7,\"8\"\r\r\n\r\r\n",
}

// TestEveryDialectSplitsAndReadsTheSame tries every bound on every awkward file
// in every dialect.
func TestEveryDialectSplitsAndReadsTheSame(t *testing.T) {
	for i, d := range everyDialect {
		t.Run(fmt.Sprintf("dialect %d", i), func(t *testing.T) {
			for _, body := range append(spacy, awkward...) {
				for _, rangeBytes := range []int64{1, 3, 8, 17, 1000} {
					checkDialect(t, d, d.write(body), rangeBytes, WithMaxRangeBytes(rangeBytes), WithMaxRecordBytes(1000))
					checkDialect(t, d, body, 5, WithMaxRangeBytes(rangeBytes), WithMaxRangeRecords(2), WithMaxRecordBytes(rangeBytes+5))
				}
			}
		})
	}
}

// FuzzDialects holds for any input, any bounds and any dialect.
func FuzzDialects(f *testing.F) {
	for i, body := range append(spacy, awkward...) {
		f.Add(body, uint16(i*7), uint8(i), uint8(10+i), uint8(i), ",;\t|"[i%4], "\"'\x00#"[i%4], "\x00#"[i%2], uint8(i))
	}
	f.Fuzz(func(t *testing.T, body string, rangeBytes uint16, rangeRecords, recordBytes, chunk uint8, delimiter, quote, comment byte, flags uint8) {
		d := Dialect{
			Delimiter: delimiter, Quote: quote, Comment: comment, Header: flags&1 == 0, Trim: flags&2 != 0,
			Encoding: encodings[0],
		}
		if flags&16 != 0 {
			d.Escape = '\\'
		}
		if !d.Header {
			d.Columns = []string{"a", "b", "c"}
		}
		if flags&4 != 0 {
			d.NullValue = []string{"2"}
		}
		if flags&8 != 0 {
			d.Encoding = EncodingLatin1
		}
		// A header that is a comment, or of other names, is FuzzHeader's business.
		if d.Validate() != nil || d.Header && d.Comment == abcHeader[0] {
			t.Skip()
		}
		checkDialect(t, d, body, int64(chunk)+1, WithMaxRangeBytes(int64(rangeBytes)+1),
			WithMaxRangeRecords(int64(rangeRecords)+1), WithMaxRecordBytes(int64(recordBytes)+int64(len(abcHeader))))
	})
}

// FuzzArchives holds that any bytes after a magic number are a file: read, or
// failed, and what was read before is whole.
func FuzzArchives(f *testing.F) {
	for _, magic := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "BZh91AY&SY", ""} {
		f.Add(magic, uint8(20))
	}
	f.Add(gzipped(f, tenRecords), uint8(20))
	f.Add(zstded(f, tenRecords), uint8(20))
	f.Add(string(testdata(f, "utf16.csv.gz")), uint8(20))
	f.Fuzz(func(t *testing.T, content string, rangeBytes uint8) {
		version, open := inMemory(content)
		opts := []Option{WithMaxRangeBytes(int64(rangeBytes) + 1), WithMaxRecordBytes(100)}
		ranges := splitWith[abc](t, record.Work{File: version}, open, 8, opts...)
		if len(ranges) != 1 || !ranges[0].Unsplit {
			t.Skip()
		}
		got := outcomes(t, readChunks[abc](t, ranges, open, 64, opts...))
		for i, o := range got {
			if r := o.Range; i < len(got)-1 && (r.Last || r.Failure != nil || int64(len(o.Records)-1) != r.Records) ||
				i == len(got)-1 && r.Last == (r.Failure != nil && r.Failure.Code == record.CodeCorruptArchive) {
				t.Fatalf("range %d of %d: %+v", i, len(got), r)
			}
		}
	})
}
