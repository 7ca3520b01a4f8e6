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

func TestLastRangeOfArchiveHashesTheWholeFile(t *testing.T) {
	for name, tail := range map[string]string{"": "", "zeros after it": strings.Repeat("\x00", 1<<20)} {
		packed := gzipped(t, abcHeader+strings.Repeat("1,2,3\n", 50)) + tail
		var last uint64
		for _, r := range readSequence(t, packed, windowChunk, nil, WithMaxRangeRecords(7)) {
			if !r.Data() {
				if last != 0 {
					t.Errorf("%s: a range before the last has a hash", name)
				}
				last = r.Source.Range.Hash
			}
		}
		if want := files.Hash([]byte(packed)); last != want {
			t.Errorf("%s: hash %x, want %x", name, last, want)
		}
	}
}
