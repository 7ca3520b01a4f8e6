package postgresio

import (
	"math/bits"
	"slices"
)

// entry is a row beside its key: following a pointer for each comparison would
// cost several times as much.
type entry struct {
	key key
	row *row
	// place is the row's in its batch.
	place int32
}

func (x entry) compare(y entry) int {
	if c := x.key.compare(y.key); c != 0 {
		return c
	}
	return int(x.place - y.place)
}

// workspace is the room in which a writer sorts and groups one batch after the
// other. Nothing that a connection reads is in it, because that may still read
// when the batch has ended.
type workspace struct {
	entries []entry
	starts  []int32
	groups  []group
}

// sortByKey returns the batch's rows in the order of their keys, those of one
// key in the order that they came in. The rows are dealt into about as many
// buckets as there are rows, by the part of their keys that differs; what is in
// one bucket is sorted by comparison. Of keys that are spread evenly (uuids,
// numbers one after the other) that is a row or two, of others it may be all.
func (w *workspace) sortByKey(b *batch) []entry {
	low, high := ^uint64(0), uint64(0)
	for _, u := range b.units {
		for i := range u.rows {
			low, high = min(low, u.rows[i].key.high), max(high, u.rows[i].key.high)
		}
	}
	if b.rows == 0 {
		return nil
	}
	shift := max(0, bits.Len64(high-low)-bits.Len(uint(b.rows)))
	bucket := func(k *key) int { return int((k.high - low) >> shift) }
	w.starts = zeroed(w.starts, int((high-low)>>shift)+2)
	for _, u := range b.units {
		for i := range u.rows {
			w.starts[bucket(&u.rows[i].key)+1]++
		}
	}
	for i := range w.starts[1:] {
		w.starts[i+1] += w.starts[i]
	}
	w.entries = slices.Grow(w.entries[:0], b.rows)[:b.rows]
	place := int32(0)
	for _, u := range b.units {
		for i := range u.rows {
			r := &u.rows[i]
			at := &w.starts[bucket(&r.key)]
			w.entries[*at] = entry{r.key, r, place}
			*at++
			place++
		}
	}
	// Each start has moved to where the next bucket begins.
	begin := int32(0)
	for _, end := range w.starts[:len(w.starts)-1] {
		if end-begin > 1 {
			slices.SortFunc(w.entries[begin:end], entry.compare)
		}
		begin = end
	}
	return w.entries
}

// zeroed returns n zeros, in the room of s where that is enough.
func zeroed(s []int32, n int) []int32 {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// release lets go of the rows, and of the texts of their keys.
func (w *workspace) release() {
	clear(w.entries)
	clear(w.groups[:cap(w.groups)]) // another attempt may have had more
}
