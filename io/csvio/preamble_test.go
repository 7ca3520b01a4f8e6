package csvio

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

// readFile splits and reads a file, and its archive too, and returns the outcomes.
func readFile(t *testing.T, content string, opts ...Option) []outcome {
	t.Helper()
	f, open := inMemory(content)
	ranges := splitWith[abc](t, record.Work{File: f}, open, 16, opts...)
	if len(ranges) > 0 && ranges[0].Failure == nil {
		checkUnsplit(t, content, gzipped(t, content), 16, opts...)
		tryDone(t, f, open, ranges, func(i int) bool { return i%2 == len(content)%2 }, opts)
	}
	return outcomes(t, readWith[abc](t, ranges, open, opts...))
}

// shown gives what was read, and where, relative to an offset and a line.
func shown(got []outcome, offset, line int64) string {
	var b strings.Builder
	for _, o := range got {
		for _, r := range o.Records {
			var atLine, at int64
			where, rest, _ := strings.Cut(r, " ")
			if _, err := fmt.Sscanf(where, "%d@%d", &atLine, &at); err != nil {
				panic(err)
			}
			fmt.Fprintf(&b, "%d@%d %s\n", atLine-line, at-offset, rest)
		}
	}
	return b.String()
}

// TestLinesMayEndWithCROnly holds that a file reads the same with each LF a CR, but for
// that in its values.
func TestLinesMayEndWithCROnly(t *testing.T) {
	for i := range 300 {
		r := rand.New(rand.NewPCG(uint64(i), 2))
		content := abcHeader + strings.ReplaceAll(randomBody(r, 1+r.IntN(40)), "\r", "")
		opts := []Option{WithMaxRangeBytes(1 + r.Int64N(60)), WithMaxRecordBytes(int64(len(abcHeader)) + r.Int64N(60))}
		want := shown(readFile(t, content, opts...), 0, 0)
		got := shown(readFile(t, strings.ReplaceAll(content, "\n", "\r"), opts...), 0, 0)
		if back := strings.ReplaceAll(strings.ReplaceAll(got, "\r", "\n"), `\r`, `\n`); back != want {
			t.Fatalf("%q\ngives\n%s\nand with CR\n%s", content, want, got)
		}
	}
}

func TestLineEnds(t *testing.T) {
	good := abc{"1", "2", "3"}
	for _, c := range []struct {
		name, content string
		want          []any
	}{
		{"CR CR LF", "a,b,c\r\r\n1,2,3\r\r\n1,\"2\",\"3\"\r\r\n\r\r\n", []any{good, good}},
		{"a mix", "a,b,c\r\n1,2,3\n1,2,3\r\n1,2,3\r\r\n1,2,3", []any{good, good, good, good}},
		{"CR", "a,b,c\r1,2,3\r1,2,3\r", []any{good, good}},
		{"CR, with LF and CR in quotes", "a,b,c\r1,\"\n\r\",3\r1,2,3", []any{abc{"1", "\n\r", "3"}, good}},
		{"CR inside a field of a file with LF", "a,b,c\n1,2\r2,3\n", []any{abc{"1", "2\r2", "3"}}},
		{"LF beyond the bound of a file with CR", "a,b,c\r" + strings.Repeat("1,2,3\r", 30) + "1,2,3\r\n1,2,3\r", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, open := inMemory(c.content)
			opts := []Option{WithMaxRangeBytes(8), WithMaxRecordBytes(100)}
			recs := readWith[abc](t, splitWith[abc](t, record.Work{File: f}, open, 1, opts...), open)
			var got []any
			for _, r := range recs {
				if r.Data() {
					got = append(got, r.Value)
				}
			}
			if c.want == nil {
				wantCode(t, recs[len(recs)-2], record.CodeMalformedCSV)
			} else if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestPreambleChangesNoRecord holds that a file reads the same after lines that are
// skipped, and that a sep= line stands for the delimiter that it names.
func TestPreambleChangesNoRecord(t *testing.T) {
	for i := range 300 {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		d := everyDialect[r.IntN(len(everyDialect))]
		content := abcNames(d).file(d.write(randomBody(r, 1+r.IntN(40))))
		opts := []Option{WithMaxRangeBytes(1 + r.Int64N(60)), WithMaxRecordBytes(int64(len(abcHeader)) + 10 + r.Int64N(60))}
		want := shown(readFile(t, content, append(opts[:2:2], WithDialect(abcNames(d)))...), 0, 0)
		check := func(before string, set func(*Dialect)) {
			t.Helper()
			other := abcNames(d)
			set(&other)
			lines := int64(strings.Count(before, "\n"))
			got := shown(readFile(t, before+content, append(opts[:2:2], WithDialect(other))...), int64(len(before)), lines)
			if got != want {
				t.Fatalf("%q\ngives\n%s\nand after %q, as %+v,\n%s", content, want, before, other, got)
			}
		}
		titles := []string{"Report\n", "\n", "\"\n", "1,2,3\r\n", "# x\n" + strings.Repeat("long", 100) + "\n"}[r.IntN(5)]
		check(titles, func(d *Dialect) { d.SkipLines = strings.Count(titles, "\n") })
		sep := fmt.Sprintf([]string{"sep=%c\n", "\"sep=%c\"\r\n", "SEP=%c\n"}[r.IntN(3)], d.Delimiter)
		if other := byte('~'); other != d.Quote && other != d.Comment {
			check(sep, func(d *Dialect) { d.Delimiter = other })
			check(sep+titles, func(d *Dialect) { d.Delimiter, d.SkipLines = other, 1+strings.Count(titles, "\n") })
		}
	}
}

func TestFileThatSkipLinesEmptiesFails(t *testing.T) {
	for content, says := range map[string]string{
		"":                     "",
		"a,b,c\n1,2,3\n":       "csv.skip_lines skips 3 lines, and after them the file has no header",
		"title\n\na,b,c\n":     "csv.skip_lines skips 3 lines, and after them the file has no header",
		"1\n2\n3\n\n\n":        "csv.skip_lines skips 3 lines, and after them the file has no header",
		"1\n2\n3\na,b,c\n":     "",
		"sep=;\n2\n3\na;b;c\n": "",
	} {
		dialect := WithDialect(with(func(d *Dialect) { d.SkipLines = 3 }))
		got := ""
		for _, r := range splitAll[abc](t, record.Work{File: writeFile(t, content)}, dialect) {
			if r.Failure != nil {
				got = r.Failure.Message
			}
		}
		if got != says {
			t.Errorf("%q: %q, want %q", content, got, says)
		}
	}
}

func TestHeaderBelowTitlesIsNamed(t *testing.T) {
	for _, c := range []struct{ content, says string }{
		{"Events of January\nmade 2026-02-01\n\na,b,c\n1,2,3\n", "; line 4 has the required columns: if it is the header, set csv.skip_lines to 3"},
		{"\nTitle \"January\"\nc,b,a\n", "; line 3 has the required columns: if it is the header, set csv.skip_lines to 2"},
		{"\"Title\na,b,c\n1,2,3\n", "; line 2 has the required columns"},
	} {
		ranges := splitAll[abc](t, record.Work{File: writeFile(t, c.content)})
		if len(ranges) != 1 || ranges[0].Failure == nil || !strings.Contains(ranges[0].Failure.Message, c.says) {
			t.Errorf("%q gives %+v, want %q", c.content, ranges[0].Failure, c.says)
		}
	}
}
