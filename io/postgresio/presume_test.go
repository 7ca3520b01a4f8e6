package postgresio

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func entriesOf(from, to int) []entry {
	rows := make([]entry, 0, to-from)
	for i := from; i < to; i++ {
		k := key{high: uint64(i), low: uint64(i) << 40}
		if i%3 == 0 {
			k = key{high: 1, text: fmt.Sprint(i)}
		}
		rows = append(rows, entry{key: k})
	}
	return rows
}

func TestKeyFilter(t *testing.T) {
	var f keyFilter
	if f.has(key{}) {
		t.Error("an empty filter has a key")
	}
	const n = filterCapacity / 4
	f.add(entriesOf(0, n))
	for _, e := range entriesOf(0, n) {
		if !f.has(e.key) {
			t.Fatalf("the key %v was added and is not there", e.key)
		}
	}
	wrong := 0
	for _, e := range entriesOf(n, 2*n) {
		if f.has(e.key) {
			wrong++
		}
	}
	if share := float64(wrong) / n; share > 0.01 {
		t.Errorf("%.2f%% of other keys are taken for keys that were added, want less than 1%%", 100*share)
	}
}

// A full filter begins anew instead of taking every key for one that it knows.
func TestKeyFilterForgets(t *testing.T) {
	f := keyFilter{}
	f.add(entriesOf(0, 1000))
	f.added = filterCapacity
	f.add(entriesOf(1000, 2000))
	if old, latest := f.has(key{high: 1, low: 1 << 40}), f.has(key{high: 1000, low: 1000 << 40}); old || !latest {
		t.Errorf("it has a key of before: %v, and the latest: %v", old, latest)
	}
}

func TestPresumption(t *testing.T) {
	var p presumption
	loadUntilItHolds := func() (batches int) {
		for ; !p.holds(); batches++ {
			p.loads(nil, false)
		}
		return batches
	}
	if got := loadUntilItHolds(); got != minPatience {
		t.Errorf("it holds after %d batches, want %d", got, minPatience)
	}
	p.loads(nil, true)
	if got := loadUntilItHolds(); got != minPatience {
		t.Errorf("after a surprise it holds after %d batches, want %d", got, minPatience)
	}
	for _, want := range []int{4, 8, 16, 32, 64, 64} {
		p.refuted()
		if got := loadUntilItHolds(); got != want {
			t.Errorf("after it was wrong it holds after %d batches, want %d", got, want)
		}
	}
}

// Batches that are presumed to be new meet rows of other writers, of their own
// and of the run, refused ones too; each row has the outcome of one that is asked for.
func TestPresumptionThatIsWrong(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			w := newWorld(t, itemTable, "alter table items add constraint short check (length(name) < 20)")
			s := newSink[item](w, "items", WithFlush(100, 0))
			there := map[int]bool{}
			var inserted, duplicates, dead int64
			for f := range 30 {
				if f%7 == 5 { // somebody else's
					k := 1_000_000*f + rng.IntN(100)
					w.exec("insert into items (id, name) values ($1, 'theirs')", id(k))
					there[k] = true
				}
				var values []any
				for range 100 {
					k, name := 1_000_000*f+rng.IntN(100), "n"
					switch rng.IntN(30) {
					case 0:
						k = 1_000_000*rng.IntN(f+1) + rng.IntN(100)
					case 1:
						name = "much too long a name for this"
					}
					values = append(values, item{ID: id(k), Name: name})
					switch {
					case there[k]:
						duplicates++
					case name != "n":
						dead++
					default:
						there[k], inserted = true, inserted+1
					}
				}
				s.load(wholeRange[item](testFile(fmt.Sprint(f)), values...)...)
			}
			got := RunTotals(w.run)
			if got.Inserted != inserted || got.Duplicates != duplicates || got.DeadLetters != dead {
				t.Errorf("totals: got %+v, want %d inserted, %d duplicates, %d dead letters", got, inserted, duplicates, dead)
			}
			wantSound(w, "items", int64(len(there)))
		})
	}
}
