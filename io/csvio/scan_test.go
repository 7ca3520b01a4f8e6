package csvio

import (
	"fmt"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	const max = 20
	for _, c := range []struct {
		name, in string
		want     item
	}{
		{"a line", "a,b\nc,d\n", item{plainRecord, 4, 1}},
		{"a line with CRLF", "a,b\r\nc,d\n", item{plainRecord, 5, 1}},
		{"the last line without a newline", "a,b", item{plainRecord, 3, 1}},
		{"a blank line", "\na", item{blankLine, 1, 1}},
		{"a blank line with CRLF", "\r\na", item{blankLine, 2, 1}},
		{"a carriage return at the end of the file", "\r", item{blankLine, 1, 1}},
		{"a line of spaces is a record", " \n", item{plainRecord, 2, 1}},
		{"a quoted comma", "\"a,b\",c\nd\n", item{quotedRecord, 8, 1}},
		{"a quoted newline", "a,\"b\nc\"\nd\n", item{quotedRecord, 8, 2}},
		{"quoted newlines with CRLF", "a,\"b\r\nc\"\r\nd\n", item{quotedRecord, 10, 2}},
		{"doubled quotes", "\"a\"\"\nb\"\nc\n", item{quotedRecord, 8, 2}},
		{"a quoted end of the file", "\"a\nb\"", item{quotedRecord, 5, 2}},
		{"an empty quoted field", "\"\"\na\n", item{quotedRecord, 3, 1}},
		{"a quote inside a field opens nothing", "a\"b\nc\"\n", item{quotedRecord, 4, 1}},
		{"a quote after a space opens nothing", " \"b\nc\"\n", item{quotedRecord, 4, 1}},
		{"text after a closing quote ends at the newline", "\"a\"x,\"\nb\"\n", item{quotedRecord, 7, 1}},
		{"a quote after a quoted carriage return", "\"a\"\r\"\nb\n", item{quotedRecord, 6, 1}},
		{"never closed", "a,\"b\nc\nd\n", item{strayRecord, 5, 1}},
		{"never closed on the last line", "a,\"b", item{strayRecord, 4, 1}},
		{"as long as allowed", strings.Repeat("x", max) + "\n", item{plainRecord, max + 1, 1}},
		{"a byte too long", strings.Repeat("x", max+1) + "\n", item{largeRecord, max + 2, 1}},
		{"as long as allowed, at the end of the file", strings.Repeat("x", max), item{plainRecord, max, 1}},
		{"a byte too long, at the end of the file", strings.Repeat("x", max+1), item{largeRecord, max + 1, 1}},
		{"quoted, as long as allowed", "\"" + strings.Repeat("\n", max-2) + "\"\nx\n", item{quotedRecord, max + 1, max - 1}},
		{"quoted, a byte too long", "\"" + strings.Repeat("\n", max-1) + "\"\nx\n", item{strayRecord, 2, 1}},
		{"never closed within the bound", "a,\"b\n" + strings.Repeat("c,d\n", max), item{strayRecord, 5, 1}},
		{"text after a closing quote on a later line", "a,\"b\nc\"d\ne,f\n", item{strayRecord, 5, 1}},
		{"a quote inside a later field", "a,\"b\nc\",d\"e\nf,g\n", item{strayRecord, 5, 1}},
		{"never closed by the end of the file, at the bound", "a,\"b\n" + strings.Repeat("x", max-5), item{strayRecord, 5, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := recordScanner{syntax: newSyntax(DefaultDialect()), max: max, size: int64(len(c.in))}
			if got := s.next([]byte(c.in), 0); got != c.want {
				t.Errorf("%q gives %+v, want %+v", c.in, got, c.want)
			}
		})
	}
}

func TestScanAsksForTheRestOfALongLine(t *testing.T) {
	s := recordScanner{syntax: newSyntax(DefaultDialect()), max: 4, size: 100}
	if got := s.next([]byte("xxxxx"), 10); got != (item{largeRecord, -1, 1}) {
		t.Errorf("a line whose newline is not in sight gives %+v", got)
	}
}

// TestEverySplitReadsTheSame tries every bound on every awkward file.
func TestEverySplitReadsTheSame(t *testing.T) {
	for i, body := range awkward {
		t.Run(fmt.Sprintf("file %d", i), func(t *testing.T) {
			content := abcHeader + body
			for rangeBytes := 1; rangeBytes <= min(len(content)+1, 64); rangeBytes++ {
				for rangeRecords := 1; rangeRecords <= 4; rangeRecords++ {
					recs := checkFile(t, content, int64(rangeBytes), WithMaxRangeBytes(int64(rangeBytes)), WithMaxRangeRecords(int64(rangeRecords)))
					checkStandard(t, content, recs)
				}
				for recordBytes := len(abcHeader) - 1; recordBytes <= 24; recordBytes++ {
					checkFile(t, content, 1, WithMaxRangeBytes(int64(rangeBytes)), WithMaxRecordBytes(int64(recordBytes)))
				}
			}
		})
	}
}
