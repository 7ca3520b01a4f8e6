package files

import (
	"context"
	"errors"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/cartstream/cartstream/transforms/record"
)

// Hasher computes the hash of content that comes in pieces: xxHash64, where 0 stands
// for no hash. It finds replaced files, not forged ones.
type Hasher struct{ digest *xxhash.Digest }

// NewHasher returns a hasher of nothing yet.
func NewHasher() *Hasher { return &Hasher{xxhash.New()} }

// Add appends bytes.
func (h *Hasher) Add(b []byte) { _, _ = h.digest.Write(b) } // never fails

// Sum returns the hash of what was added.
func (h *Hasher) Sum() uint64 { return max(h.digest.Sum64(), 1) }

// Hash returns the hash of pieces of content that follow each other.
func Hash(pieces ...[]byte) uint64 {
	if len(pieces) == 2 && len(pieces[0]) == 0 {
		return max(xxhash.Sum64(pieces[1]), 1)
	}
	h := NewHasher()
	for _, p := range pieces {
		h.Add(p)
	}
	return h.Sum()
}

// compareBuffer is how much of a file is read at once to compare it.
const compareBuffer = 256 << 10

// Holds reports whether a file holds the content of all spans. Spans that begin at the
// same place, the shorter ones first, are read once.
func Holds(ctx context.Context, path string, spans []record.Span) (bool, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	buf := make([]byte, compareBuffer)
	var h *Hasher
	var start, pos int64
	for _, span := range spans {
		if h == nil || span.Start != start || span.End < pos {
			h, start, pos = NewHasher(), span.Start, span.Start
		}
		for pos < span.End {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			n, err := f.ReadAt(buf[:min(int64(len(buf)), span.End-pos)], pos)
			if n == 0 {
				return false, unlessEOF(err)
			}
			h.Add(buf[:n])
			pos += int64(n)
		}
		if h.Sum() != span.Hash {
			return false, nil
		}
	}
	return true, nil
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
