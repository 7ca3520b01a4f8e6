package csvio

import (
	"strings"
	"testing"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

func TestRangesOfSplitFileHashAllOfItsBytes(t *testing.T) {
	content := string(byteOrderMark) + "\n" + abcHeader + strings.Repeat("1,2,3\n\n", 50) + "7,8,9"
	file, open := inMemory(content)
	opts := []Option{WithMaxRangeRecords(7)}
	end := int64(0)
	for _, r := range readWith[abc](t, splitWith[abc](t, record.Work{File: file}, open, windowChunk, opts...), open, opts...) {
		if r.Data() {
			continue
		}
		rng := r.Source.Range
		start := rng.Start
		if rng.Index == 0 {
			start = 0
		}
		if start != end {
			t.Errorf("range %d begins at byte %d, want %d", rng.Index, start, end)
		}
		end = rng.End
		if want := files.Hash([]byte(content[start:end])); rng.Hash != want {
			t.Errorf("range %d: hash %x, want %x", rng.Index, rng.Hash, want)
		}
	}
	if end != file.Size {
		t.Errorf("the ranges end at byte %d of %d", end, file.Size)
	}
}

func TestRangesOfArchiveHashWhatWasReadForThem(t *testing.T) {
	for name, tail := range map[string]string{"": "", "zeros after it": strings.Repeat("\x00", 1<<20)} {
		packed := gzipped(t, abcHeader+strings.Repeat("1,2,3\n", 200_000)) + tail
		ranges, end := 0, int64(0)
		for _, r := range readSequence(t, packed, windowChunk, nil, WithMaxRangeRecords(20_000), WithMaxExpansion(0)) {
			if r.Data() {
				continue
			}
			rng := r.Source.Range
			if ranges++; rng.HashedBytes < end || rng.HashedBytes > int64(len(packed)) {
				t.Fatalf("%s: range %d hashes %d bytes, the one before %d", name, rng.Index, rng.HashedBytes, end)
			}
			end = rng.HashedBytes
			if want := files.Hash([]byte(packed[:end])); rng.Hash != want {
				t.Errorf("%s: range %d: hash %x, want %x", name, rng.Index, rng.Hash, want)
			}
		}
		if ranges != 10 || end != int64(len(packed)) {
			t.Errorf("%s: %d ranges hash %d of %d bytes", name, ranges, end, len(packed))
		}
	}
}

func TestRangeOfLineLongerThanAnyBoundHasAHash(t *testing.T) {
	for name, content := range map[string]string{
		"first":  abcHeader + strings.Repeat("x", 3*readAhead) + "\n1,2,3\n",
		"second": abcHeader + "1,2,3\n" + strings.Repeat("x", 3*readAhead) + "\n",
	} {
		file, open := inMemory(content)
		opts := []Option{WithMaxRecordBytes(100), WithMaxRangeBytes(1000)}
		for _, r := range readWith[abc](t, splitWith[abc](t, record.Work{File: file}, open, windowChunk, opts...), open, opts...) {
			rng := r.Source.Range
			start := rng.Start
			if rng.Index == 0 {
				start = 0
			}
			if want := files.Hash([]byte(content[start:rng.End])); !r.Data() && rng.Hash != want {
				t.Errorf("%s: range %d: hash %x, want %x", name, rng.Index, rng.Hash, want)
			}
		}
	}
}
