package generator

import (
	"math"
	"testing"
	"time"
)

func TestDrawIsLikeAShop(t *testing.T) {
	const n = 200_000
	s, now := newSource(Options{}, 1), start.UnixMicro()
	products := Products()
	seenUsers, seenProducts, seenMinutes := map[uint32]int{}, map[uint32]int{}, map[int64]int{}
	purchases, lowest, highest := 0, math.Inf(1), 0.0
	for range n {
		ev := s.draw(now)
		seenUsers[ev.user]++
		seenProducts[ev.product]++
		seenMinutes[(now-ev.micros)/(6*microsPerSecond)]++
		if ev.cents == 0 {
			continue
		}
		purchases++
		base := float64(products[ev.product].BaseCents)
		// Half a cent is what rounding may add or take.
		if price := float64(ev.cents); price < 0.9*base-0.5 || price > 1.1*base+0.5 {
			t.Fatalf("%s costs %d cents, base %v", products[ev.product].ID, ev.cents, base)
		}
		lowest, highest = min(lowest, float64(ev.cents)/base), max(highest, float64(ev.cents)/base)
	}
	if share := float64(purchases) / n; math.Abs(share-0.3) > 0.01 {
		t.Errorf("%.3f of the events are purchases, want 0.3", share)
	}
	if lowest > 0.901 || highest < 1.099 {
		t.Errorf("factors from %.3f to %.3f, want 0.9 to 1.1", lowest, highest)
	}
	if len(seenUsers) != users || len(seenProducts) != len(products) {
		t.Errorf("%d users and %d products occur, want all", len(seenUsers), len(seenProducts))
	}
	for tenth := range int64(10) {
		if got := float64(seenMinutes[tenth]) / n; math.Abs(got-0.1) > 0.01 {
			t.Errorf("tenth %d of the minute has %.3f of the events", tenth, got)
		}
	}
}

func TestRatesHoldInEachPartOfTheInput(t *testing.T) {
	const parts, n = 10, 50_000
	o := Options{DuplicateRate: 0.02, InvalidRate: 0.01, CorruptRate: 0.01, FutureRate: 0.005}
	s := newSource(o, 3)
	var line []byte
	for part := range parts {
		totals := newTotals()
		for range n {
			line = s.appendRecord(line[:0], start.UnixMicro(), &totals)
		}
		var invalid, corrupt int64
		for _, k := range totals.Invalid {
			invalid += k
		}
		for _, k := range totals.Corrupt {
			corrupt += k
		}
		for _, rate := range []struct {
			name string
			got  int64
			want float64
		}{
			{"duplicates", totals.Duplicates, 0.02},
			{"invalid", invalid, 0.01},
			{"corrupt", corrupt, 0.01},
			{"future", totals.Future, 0.005},
		} {
			if got := float64(rate.got) / n; math.Abs(got-rate.want) > 0.003 {
				t.Errorf("part %d: %.4f %s, want %.4f", part, got, rate.name, rate.want)
			}
		}
	}
}

func TestOnlyDuplicates(t *testing.T) {
	s, totals := newSource(Options{DuplicateRate: 1}, 3), newTotals()
	first := string(s.appendRecord(nil, start.UnixMicro(), &totals))
	for range 100 {
		if got := string(s.appendRecord(nil, start.Add(time.Hour).UnixMicro(), &totals)); got != first {
			t.Fatalf("got %q, want %q again", got, first)
		}
	}
	if totals.DistinctIDs != 1 || totals.Duplicates != 100 {
		t.Errorf("got %+v", totals)
	}
}

func TestPoolIsBoundedAndForgets(t *testing.T) {
	p := pool{rng: newSource(Options{}, 1).rng}
	for i := range int64(10 * poolSize) {
		p.add(event{micros: i})
	}
	if len(p.events) != poolSize || cap(p.events) > 2*poolSize {
		t.Errorf("%d events in room for %d, want %d", len(p.events), cap(p.events), poolSize)
	}
	old := 0
	for _, ev := range p.events {
		if ev.micros < 5*poolSize {
			old++
		}
	}
	if old == 0 || old > poolSize/10 {
		t.Errorf("%d of %d are from the first half, want few", old, poolSize)
	}
}

// BenchmarkGenerate measures one core: events made and encoded, as a run does,
// without the disk.
func BenchmarkGenerate(b *testing.B) {
	for _, bb := range []struct {
		name string
		o    Options
	}{
		{"clean", Options{}},
		{"with faults", Options{DuplicateRate: 0.02, InvalidRate: 0.01, CorruptRate: 0.01, FutureRate: 0.005}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s, totals := newSource(bb.o, 1), newTotals()
			buf := make([]byte, 0, 1<<20)
			now := start.UnixMicro()
			b.ReportAllocs()
			for b.Loop() {
				buf = s.appendRecord(buf, now, &totals)
				if len(buf) > chunkBytes {
					buf = buf[:0]
				}
			}
			b.ReportMetric(float64(totals.Events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
