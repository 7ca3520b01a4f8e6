package csvio

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestFilesOfOtherPrograms reads what Python and PostgreSQL wrote.
func TestFilesOfOtherPrograms(t *testing.T) {
	things := func(special string) []string {
		return []string{`1 "Lamp, \"Oslo\"; d|e" note "two\nlines" size 7`, `2 "` + special + `"`, `3 "" note "it's\tNULL" size -1`}
	}
	const cheese, cream = "乳酪 🧀", "Crème brûlée"
	columns := []string{"id", "name", "note", "size"}
	for _, c := range []struct {
		file   string
		change func(*Dialect)
		want   []string
	}{
		{"excel.csv", func(*Dialect) {}, things(cheese)},
		{"excel-tab.csv", func(d *Dialect) { d.Delimiter = '\t' }, things(cheese)},
		{"unix.csv", func(*Dialect) {}, things(cheese)},
		{"semicolon-latin1.csv", func(d *Dialect) { d.Delimiter, d.Encoding = ';', EncodingLatin1 }, things(cream)},
		{"semicolon-windows1252.csv", func(d *Dialect) { d.Delimiter, d.Encoding = ';', EncodingWindows1252 }, things("€ 5 – “gut”")},
		{"utf16.csv", func(d *Dialect) { d.Encoding = EncodingUTF16 }, things(cheese)},
		{"utf16.csv", func(d *Dialect) { d.Encoding = EncodingUTF16LE }, things(cheese)},
		{"utf16.csv.gz", func(d *Dialect) { d.Encoding = EncodingUTF16 }, things(cheese)},
		{"utf16-tab-be.csv", func(d *Dialect) { d.Delimiter, d.Encoding = '\t', EncodingUTF16BE }, things(cheese)},
		{"pipe-no-header.csv", func(d *Dialect) {
			d.Delimiter, d.Quote, d.Header, d.Columns, d.NullValue = '|', '\'', false, columns, []string{`\N`}
		}, things(cheese)},
		{"comments.csv", func(d *Dialect) { d.Delimiter, d.Comment = ';', '#' }, things(cheese)},
		{
			"postgres-null.csv", func(d *Dialect) { d.NullValue = []string{`\N`} },
			append(things(cheese), `4 "\\N" size 0`),
		},
		{"postgres-quote.csv", func(d *Dialect) {
			d.Delimiter, d.Quote, d.Header, d.Columns, d.NullValue = '|', '\'', false, columns, []string{"NULL"}
		}, append(things(cheese), `4 "\\N" size 0`)},
		{
			"postgres-latin1.csv", func(d *Dialect) { d.Delimiter, d.Encoding = ';', EncodingLatin1 },
			append(things(cream), `4 "\\N" size 0`),
		},
	} {
		t.Run(c.file, func(t *testing.T) {
			f := version(t, filepath.Join("testdata", c.file))
			for _, rangeRecords := range []int64{1, 2, 100} {
				opts := []Option{WithDialect(with(c.change)), WithMaxRangeRecords(rangeRecords)}
				recs := readAll[thing](t, splitAll[thing](t, record.Work{File: f}, opts...))
				got := show(recs)
				for i, line := range got {
					_, got[i], _ = strings.Cut(line, " ")
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("in ranges of %d records:\n%s\nwant\n%s", rangeRecords, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			}
		})
	}
}

// TestArchivesOfOtherPrograms: all hold the same 600 records.
func TestArchivesOfOtherPrograms(t *testing.T) {
	for _, name := range []string{
		"python.csv.gz", "gzip.csv.gz", "gzip-rsyncable.csv.gz", "gzip-concatenated.csv.gz",
		"python.csv.bz2", "bzip2.csv.bz2", "bzip2-concatenated.csv.bz2",
		"zstd.csv.zst", "zstd-no-checksum.csv.zst", "zstd-concatenated.csv.zst", "zstd-skippable.csv.zst",
	} {
		t.Run(name, func(t *testing.T) {
			recs := readSequence(t, string(testdata(t, name)), windowChunk, nil, WithMaxRangeRecords(100))
			ranges := outcomes(t, recs)
			if len(recs) != 606 || len(ranges) != 6 {
				t.Fatalf("%d records in %d ranges", len(recs), len(ranges))
			}
			first, last := recs[0], recs[604]
			if first.Value != (abc{"0", `0, "0"`, "0"}) || last.Value != (abc{"599", `358801, "4"`, "250833"}) || last.Source.Line != 601 {
				t.Errorf("from %+v to %+v at line %d", first.Value, last.Value, last.Source.Line)
			}
		})
	}
}
