package postgresio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// entriesOf are rows with the keys from..to of a kind.
func entriesOf(kind string, from, to int) []entry {
	rows := make([]entry, to-from)
	for i := range rows {
		n := uint64(from + i)
		switch kind {
		case "numbers":
			rows[i].key = intKey(int64(n))
		case "texts":
			s := fmt.Sprint("customer-", n)
			rows[i].key = key{high: head(s), text: s}
		case "uuids":
			rows[i].key = key{high: n * filterFactor, low: n * n}
		case "uuids of one moment":
			rows[i].key = key{high: 0x0190_0000_0000_7000, low: n * filterFactor}
		}
	}
	slices.SortFunc(rows, entry.compare)
	return rows
}

var kindsOfKeys = []string{"numbers", "texts", "uuids", "uuids of one moment"}

func TestKeyFilter(t *testing.T) {
	for _, kind := range kindsOfKeys {
		var f keyFilter
		if f.has(key{}) {
			t.Error("an empty filter has a key")
		}
		const n = filterCapacity / 20
		f.add(entriesOf(kind, 0, n))
		for _, e := range entriesOf(kind, 0, n) {
			if !f.has(e.key) {
				t.Fatalf("the key %v was added and is not there", e.key)
			}
		}
		wrong := 0
		for _, e := range entriesOf(kind, n, 2*n) {
			if f.has(e.key) {
				wrong++
			}
		}
		if share := float64(wrong) / n; share > 0.001 {
			t.Errorf("%s: %.2f%% of other keys are taken for keys that were added, want less than 0.1%%", kind, 100*share)
		}
	}
}

// A full filter begins anew instead of taking every key for one that it knows.
func TestKeyFilterForgets(t *testing.T) {
	f := keyFilter{}
	f.add(entriesOf("numbers", 0, 1000))
	f.added = filterCapacity
	f.add(entriesOf("numbers", 1000, 2000))
	if old, latest := f.has(intKey(1)), f.has(intKey(1000)); old || !latest {
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
