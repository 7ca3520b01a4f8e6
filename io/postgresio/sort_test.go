package postgresio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Keys of every kind come out in order, those that are equal as they came in,
// and the room that one batch leaves does not disturb the next.
func TestSortByKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]func(i int) key{
		"uuids":                 func(int) key { return key{high: rng.Uint64(), low: rng.Uint64()} },
		"uuids of one moment":   func(int) key { return key{high: 0x0190_0000_0000_7000 | rng.Uint64N(4), low: rng.Uint64()} },
		"numbers in order":      func(i int) key { return intKey(int64(i)) },
		"numbers backwards":     func(i int) key { return intKey(int64(-i)) },
		"few numbers":           func(int) key { return intKey(int64(rng.IntN(5)) - 2) },
		"far apart":             func(i int) key { return intKey([]int64{-1 << 63, 0, 1<<63 - 1}[i%3]) },
		"texts":                 func(int) key { s := fmt.Sprintf("%x", rng.Uint32()); return key{high: head(s), text: s} },
		"texts that begin same": func(int) key { s := fmt.Sprintf("customer-%d", rng.IntN(300)); return key{high: head(s), text: s} },
		"one key":               func(int) key { return intKey(7) },
	}
	var w workspace
	for what, next := range kinds {
		for _, n := range []int{0, 1, 2, 3, 50, 1000, 20} {
			b := &batch{}
			var want []entry
			for len(want) < n {
				u := &unit{}
				for range min(rng.IntN(400)+1, n-len(want)) {
					u.rows = append(u.rows, row{key: next(len(want) + len(u.rows)), unit: u})
				}
				for i := range u.rows {
					want = append(want, entry{u.rows[i].key, &u.rows[i], int32(len(want))})
				}
				b.units, b.rows = append(b.units, u), b.rows+len(u.rows)
			}
			slices.SortStableFunc(want, func(x, y entry) int { return x.key.compare(y.key) })
			if got := w.sortByKey(b); !slices.Equal(got, want) {
				t.Errorf("%s: %d rows are not in the order of a stable sort", what, n)
			}
			w.release()
		}
	}
}
