package csvio

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/transforms/record"
)

func doneRange(r record.Range) record.DoneRange {
	return record.DoneRange{Start: r.Start, End: r.End, Index: r.Index, NextLine: r.FirstLine + r.Lines}
}

// watched opens a file and notes which of its bytes are read.
func watched(open opener, size int64) (opener, []bool) {
	read := make([]bool, size)
	return func(path string) (file, error) {
		f, err := open(path)
		return watchedFile{f, read}, err
	}, read
}

type watchedFile struct {
	file
	read []bool
}

func (f watchedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.file.ReadAt(b, off)
	for i := range n {
		f.read[off+int64(i)] = true
	}
	return n, err
}

// Whatever is done already, the other ranges are what they would have been, and
// of what is done not one byte is read.
func TestSplitLeavesOutWhatIsDone(t *testing.T) {
	for _, c := range []struct {
		name, content string
		opts          []Option
	}{
		{"plain", tenRecords, []Option{WithMaxRangeRecords(2)}},
		{"no newline at the end", strings.TrimSuffix(tenRecords, "\n"), []Option{WithMaxRangeRecords(3)}},
		{"a byte order mark and no header", "\xef\xbb\xbf1,2,3\n4,5,6\n7,8,9\n", []Option{
			WithMaxRangeRecords(1), WithDialect(with(func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "b", "c"} })),
		}},
		{"no header", "1,2,3\n4,5,6\n7,8,9\n", []Option{
			WithMaxRangeRecords(1), WithDialect(with(func(d *Dialect) { d.Header, d.Columns = false, []string{"a", "b", "c"} })),
		}},
		{"blank lines and newlines in quotes", "\na,b,c\n\n\"1\n1\",2,3\n\n4,5,6\n\r\n\"\n\n\",8,9\n\n", []Option{WithMaxRangeRecords(1)}},
		{"lines beyond the bound, and stray quotes", abcHeader + strings.Repeat("x", 99) + "\n1,\"2,3\n4,5,6\n\"" + strings.Repeat("7", 40) + "\n7,8,\"9\n", []Option{
			WithMaxRangeBytes(10), WithMaxRecordBytes(10),
		}},
		{"a header only", abcHeader, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, open := inMemory(c.content)
			all := splitWith[abc](t, record.Work{File: f}, open, windowChunk, c.opts...)
			if len(all) > 8 {
				t.Fatalf("%d ranges are too many to try all", len(all))
			}
			for set := range 1 << len(all) {
				tryDone(t, f, open, all, func(i int) bool { return set>>i&1 == 1 }, c.opts)
			}
		})
	}
}

// tryDone splits with some ranges done, once with their lines known and once
// not.
func tryDone(t *testing.T, f record.File, open opener, all []record.Range, isDone func(int) bool, opts []Option) {
	t.Helper()
	work := record.Work{File: f, Fingerprint: all[0].Fingerprint}
	var want []record.Range
	for i, r := range all {
		if isDone(i) {
			work.Done = append(work.Done, doneRange(r))
		} else {
			want = append(want, r)
		}
	}
	for _, chunk := range []int64{1, windowChunk} {
		watching, read := watched(open, f.Size)
		if got := splitWith[abc](t, work, watching, chunk, opts...); !reflect.DeepEqual(got, want) {
			t.Fatalf("done are %+v: the ranges are %+v, want %+v", work.Done, got, want)
		}
		left := int64(len(read))
		for _, d := range work.Done {
			if slices.Contains(read[d.Start:d.End], true) {
				t.Errorf("bytes %d to %d are done and are read", d.Start, d.End)
			}
			left -= d.End - d.Start
		}
		if work.BytesLeft() != left {
			t.Errorf("done are %+v: %d bytes left, want %d", work.Done, work.BytesLeft(), left)
		}
	}
	for i := range work.Done {
		work.Done[i].NextLine = 0
	}
	if got := splitWith[abc](t, work, open, windowChunk, opts...); !reflect.DeepEqual(got, want) || work.BytesLeft() != f.Size {
		t.Errorf("done are %+v, their lines not known: the ranges are %+v, want %+v", work.Done, got, want)
	}
}

// A file of the same size and time in which a done range is not the same one
// has been changed behind our back.
func TestDoneRangesThatDoNotFit(t *testing.T) {
	f := writeFile(t, tenRecords)
	all := splitAll[abc](t, record.Work{File: f}, WithMaxRangeRecords(2))
	d := doneRange(all[3])
	d.Index++
	wantSuperseded(t, splitAll[abc](t, record.Work{File: f, Fingerprint: all[0].Fingerprint, Done: []record.DoneRange{d}}))
}
