package csvio

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/cartstream/cartstream/transforms/record"
)

// abc has three columns of text, so that what is read can be compared with
// what stands in a file.
type abc struct {
	A string `csv:"a"`
	B string `csv:"b"`
	C string `csv:"c"`
}

const abcHeader = "a,b,c\n"

// reference is the rules of the scan written down in the plainest way, one
// byte after the other over the whole file: what Split and Read must come to.
type reference struct {
	content string
	max     int
	d       Dialect
}

// refRecord is a record as the reference sees it.
type refRecord struct {
	start, end int // end is after the line end
	line       int
	code       string // why it is its line only, or ""
}

func (r reference) records() []refRecord {
	var recs []refRecord
	for pos := r.start(); pos < len(r.content); {
		if r.is(r.content[pos], r.d.Comment) {
			pos = r.lineEnd(pos)
			continue
		}
		end, code := r.end(pos)
		if r.trimEnd(r.content[pos:end]) != "" {
			recs = append(recs, refRecord{pos, end, 1 + strings.Count(r.content[:pos], "\n"), code})
		}
		pos = end
	}
	return recs
}

// start is after a byte order mark, which one-byte encodings have none of.
func (r reference) start() int {
	if strings.HasPrefix(r.content, "\xef\xbb\xbf") && r.d.Encoding == EncodingUTF8 {
		return 3
	}
	return 0
}

// is compares with a character that the dialect may have or not.
func (r reference) is(c, char byte) bool { return char != 0 && c == char }

// trims reports whether the dialect takes c off the ends of fields.
func (r reference) trims(c byte) bool {
	return r.d.Trim && (c == ' ' || c == '\t') && c != r.d.Delimiter
}

// end returns where the record at pos ends, and the fault of a line that is longer
// than a record may be or begins a malformed record of several lines. It tries the
// lines one after the other, each as the record's last.
func (r reference) end(pos int) (int, string) {
	first := r.lineEnd(pos)
	if len(strings.TrimSuffix(r.content[pos:first], "\n")) > r.max {
		return first, record.CodeRecordTooLarge
	}
	for end := first; ; end = r.lineEnd(end) {
		text := strings.TrimSuffix(r.content[pos:end], "\n")
		fields, ok := r.fields(r.trimEnd(text))
		switch {
		case end == first && !r.unclosed(text):
			return first, ""
		case ok && !r.unclosed(text) && len(fields) == 3 && len(text) <= r.max:
			return end, ""
		case !r.unclosed(text), len(text) > r.max, end == len(r.content):
			return first, record.CodeMalformedCSV
		}
	}
}

// unclosed reports whether text ends inside a quoted field of a record without
// another fault.
func (r reference) unclosed(text string) bool {
	if r.d.Quote == 0 {
		return false
	}
	_, ok := r.fields(text)
	_, closed := r.fields(text + "x" + string(rune(r.d.Quote)))
	return !ok && closed
}

// text returns a record, without its line end, as UTF-8.
func (r reference) text(raw string) string {
	table := map[string]*charmap.Charmap{EncodingLatin1: charmap.ISO8859_1, EncodingWindows1252: charmap.Windows1252}[r.d.Encoding]
	if table == nil {
		return raw
	}
	text, err := table.NewDecoder().String(raw)
	if err != nil {
		panic(err)
	}
	return text
}

// fields takes a record apart. ok is false when it is malformed.
func (r reference) fields(s string) (fields []string, ok bool) {
	for {
		for s != "" && r.trims(s[0]) {
			s = s[1:]
		}
		var field string
		if s != "" && r.is(s[0], r.d.Quote) {
			if field, s, ok = r.quoted(s[1:]); !ok {
				return nil, false
			}
		} else {
			for s != "" && s[0] != r.d.Delimiter {
				if r.is(s[0], r.d.Quote) {
					return nil, false
				}
				field, s = field+s[:1], s[1:]
			}
			for field != "" && r.trims(field[len(field)-1]) {
				field = field[:len(field)-1]
			}
			if slices.Contains(r.d.NullValue, field) {
				field = ""
			}
		}
		fields = append(fields, field)
		if s == "" {
			return fields, true
		}
		s = s[1:]
	}
}

func (r reference) quoted(s string) (field, rest string, ok bool) {
	for ; s != ""; s = s[1:] {
		switch {
		case r.is(s[0], r.d.Escape) && len(s) > 1 && (s[1] == r.d.Quote || s[1] == r.d.Escape):
			field += s[1:2]
			s = s[1:]
		case s[0] != r.d.Quote:
			field += s[:1]
		case len(s) > 1 && s[1] == r.d.Quote && r.d.Escape == 0:
			field += s[:1]
			s = s[1:]
		default:
			for s = s[1:]; s != "" && r.trims(s[0]); s = s[1:] {
			}
			return field, s, s == "" || s[0] == r.d.Delimiter
		}
	}
	return "", "", false
}

// trimEnd returns a record without its line end.
func (r reference) trimEnd(s string) string {
	return strings.TrimRight(strings.TrimSuffix(s, "\n"), "\r")
}

func (r reference) lineEnd(pos int) int {
	if nl := strings.IndexByte(r.content[pos:], '\n'); nl >= 0 {
		return pos + nl + 1
	}
	return len(r.content)
}

// checkFile splits and reads a file in memory and holds both against the
// reference. It returns the records, without the ends of ranges.
func checkFile(t *testing.T, content string, chunk int64, opts ...Option) []*record.Record[abc] {
	t.Helper()
	f, open := inMemory(content)
	o := newOptions(opts)
	l := o.limits
	ref := reference{content, int(l.RecordBytes), o.dialect}
	want, start := ref.records(), ref.start()
	if o.dialect.Header {
		start, want = want[0].end, want[1:]
	}
	ranges := splitWith[abc](t, record.Work{File: f}, open, chunk, opts...)
	checkRanges(t, content, start, l, ranges)
	var recs []*record.Record[abc]
	for _, rng := range ranges {
		got := readWith[abc](t, []record.Range{rng}, open, opts...)
		if last := got[len(got)-1]; last.Kind != record.KindRangeEnd || int64(len(got)-1) != rng.Records {
			t.Fatalf("range %+v gives %d records and ends with kind %d, fault %v", rng, len(got)-1, last.Kind, last.Fault)
		}
		recs = append(recs, got[:len(got)-1]...)
	}
	if len(recs) != len(want) {
		t.Fatalf("%d records, want %d: %v", len(recs), len(want), want)
	}
	for i, rec := range recs {
		if err := ref.check(rec, want[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	return recs
}

// checkRanges holds that ranges cover what follows the header, without gap or
// overlap, within their bounds.
func checkRanges(t *testing.T, content string, start int, l limits, ranges []record.Range) {
	t.Helper()
	at := int64(start)
	for i, r := range ranges {
		if r.Start != at || r.Last != (i == len(ranges)-1) {
			t.Fatalf("range %d begins at %d, want %d; last is %t", i, r.Start, at, r.Last)
		}
		if line := 1 + strings.Count(content[:at], "\n"); r.FirstLine != int64(line) {
			t.Fatalf("range %d has first line %d, want %d", i, r.FirstLine, line)
		}
		if r.Records > l.RangeRecords || r.Records > 1 && r.End-r.Start > l.RangeBytes {
			t.Fatalf("range %d is beyond its bounds: %+v", i, r)
		}
		at = r.End
	}
	if at != int64(len(content)) {
		t.Fatalf("the ranges end at %d, the file at %d", at, len(content))
	}
}

// check holds a record of a file against the reference's.
func (r reference) check(got *record.Record[abc], want refRecord) error {
	raw := r.trimEnd(r.content[want.start:want.end])
	if want.code == record.CodeRecordTooLarge {
		raw = raw[:min(len(raw), r.max)]
	}
	value, code := r.read(raw, want.code)
	switch {
	case got.Source.Offset != int64(want.start) || got.Source.Line != int64(want.line):
		return fmt.Errorf("it stands at offset %d, line %d, want %+v", got.Source.Offset, got.Source.Line, want)
	case string(got.Raw) != raw:
		return fmt.Errorf("its bytes are %q, want %q", got.Raw, raw)
	case (got.Kind == record.KindFault) != (got.Fault != nil) || !got.Data():
		return fmt.Errorf("kind %d with fault %v", got.Kind, got.Fault)
	case got.Value != value:
		return fmt.Errorf("the value is %q, want %q", got.Value, value)
	case code == "" && got.Fault != nil || code != "" && (got.Fault == nil || got.Fault.Code != code):
		return fmt.Errorf("the fault is %v, want %q", got.Fault, code)
	}
	return nil
}

// read returns the value of a record, or the code of its fault.
func (r reference) read(raw, code string) (abc, string) {
	if code != "" {
		return abc{}, code
	}
	text := r.text(raw)
	if !utf8.ValidString(text) {
		return abc{}, record.CodeInvalidEncoding
	}
	fields, ok := r.fields(text)
	switch {
	case !ok:
		return abc{}, record.CodeMalformedCSV
	case len(fields) != 3:
		return abc{}, record.CodeWrongFieldCount
	}
	return abc{fields[0], fields[1], fields[2]}, ""
}
