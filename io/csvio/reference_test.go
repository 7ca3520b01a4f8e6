package csvio

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

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
}

// refRecord is a record as the reference sees it.
type refRecord struct {
	start, end int // end is after the line end
	line       int
	code       string // why it is its line only, or ""
}

func (r reference) records() []refRecord {
	var recs []refRecord
	for pos := 0; pos < len(r.content); {
		end, code := r.end(pos)
		if rest := r.content[pos:end]; rest != "\n" && rest != "\r\n" && rest != "\r" {
			recs = append(recs, refRecord{pos, end, 1 + strings.Count(r.content[:pos], "\n"), code})
		}
		pos = end
	}
	return recs
}

// end returns where the record at pos ends.
func (r reference) end(pos int) (int, string) {
	inQuotes, atStart, closed := false, true, false
	for i := pos; i < len(r.content); i++ {
		if i > pos+r.max {
			return r.lineEnd(pos), record.CodeRecordTooLarge
		}
		switch c := r.content[i]; {
		case inQuotes:
			inQuotes, closed = c != '"', c == '"'
		case c == '\n':
			return i + 1, ""
		case closed && c == '"':
			inQuotes, closed = true, false
		case closed && c == '\r' && (i+1 == len(r.content) || r.content[i+1] == '\n'):
		case closed && c != ',':
			return r.brokenEnd(pos, i)
		case c == ',':
			atStart, closed = true, false
		default:
			inQuotes, atStart = c == '"' && atStart, false
		}
	}
	if len(r.content)-pos > r.max {
		return r.lineEnd(pos), record.CodeRecordTooLarge
	}
	if inQuotes {
		return r.lineEnd(pos), record.CodeMalformedCSV
	}
	return len(r.content), ""
}

// brokenEnd is the end of a record with something wrong after a closing quote.
func (r reference) brokenEnd(pos, i int) (int, string) {
	end := r.lineEnd(i)
	if len(strings.TrimSuffix(r.content[pos:end], "\n")) > r.max {
		return r.lineEnd(pos), record.CodeRecordTooLarge
	}
	return end, ""
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
	l := newOptions(opts).limits
	ranges := splitWith[abc](t, record.Work{File: f}, open, chunk, opts...)
	checkRanges(t, content, l, ranges)
	var recs []*record.Record[abc]
	for _, rng := range ranges {
		got := readWith[abc](t, []record.Range{rng}, open, opts...)
		if last := got[len(got)-1]; last.Kind != record.KindRangeEnd || int64(len(got)-1) != rng.Records {
			t.Fatalf("range %+v gives %d records and ends with kind %d, fault %v", rng, len(got)-1, last.Kind, last.Fault)
		}
		recs = append(recs, got[:len(got)-1]...)
	}
	want := reference{content, int(l.RecordBytes)}.records()[1:]
	if len(recs) != len(want) {
		t.Fatalf("%d records, want %d: %v", len(recs), len(want), want)
	}
	for i, rec := range recs {
		if err := checkRecord(content, l, rec, want[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	return recs
}

// checkRanges holds that ranges cover what follows the header, without gap or
// overlap, within their bounds.
func checkRanges(t *testing.T, content string, l limits, ranges []record.Range) {
	t.Helper()
	at := int64(strings.IndexByte(content, '\n') + 1)
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

func checkRecord(content string, l limits, got *record.Record[abc], want refRecord) error {
	raw := trimLineEnd([]byte(content[want.start:want.end]))
	if want.code == record.CodeRecordTooLarge {
		raw = raw[:min(len(raw), int(l.RecordBytes))]
	}
	switch {
	case got.Source.Offset != int64(want.start) || got.Source.Line != int64(want.line):
		return fmt.Errorf("it stands at offset %d, line %d, want %+v", got.Source.Offset, got.Source.Line, want)
	case !bytes.Equal(got.Raw, raw):
		return fmt.Errorf("its bytes are %q, want %q", got.Raw, raw)
	case (got.Kind == record.KindFault) != (got.Fault != nil) || !got.Data():
		return fmt.Errorf("kind %d with fault %v", got.Kind, got.Fault)
	case got.Kind == record.KindFault && got.Value != abc{}:
		return fmt.Errorf("a fault has the value %v", got.Value)
	case want.code != "" && (got.Fault == nil || got.Fault.Code != want.code):
		return fmt.Errorf("the fault is %v, want %s", got.Fault, want.code)
	case want.code == "" && got.Fault != nil && got.Fault.Code == record.CodeRecordTooLarge:
		return fmt.Errorf("the fault is %v, want none of that kind", got.Fault)
	}
	return nil
}
