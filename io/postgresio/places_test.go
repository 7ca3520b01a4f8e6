package postgresio

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// Every row lies in a run if it is a duplicate, and in none if it is not.
func TestDuplicatePlaces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		u := &unit{source: &record.Range{Start: random.Int64N(1e12)}}
		at := u.source.Start
		for range random.IntN(20) {
			at += random.Int64N(3) * 100 // some records are dead letters
			u.rows = append(u.rows, row{offset: at, outcome: outcome(random.IntN(3)) + inserted})
			at += 1 + random.Int64N(200)
		}
		u.source.End = at
		runs := readPlaces(duplicatePlaces(u), u.source.Start)
		for _, r := range u.rows {
			in := slices.ContainsFunc(runs, func(run run) bool { return run.start <= r.offset && r.offset < run.end })
			if in != (r.outcome == duplicate) {
				t.Fatalf("rows %+v, runs %v", u.rows, runs)
			}
		}
	}
}

func TestDuplicatePlacesAreShort(t *testing.T) {
	u := &unit{source: &record.Range{Start: 1 << 40, End: 1<<40 + 8<<20}}
	for i := range int64(50_000) {
		u.rows = append(u.rows, row{offset: u.source.Start + 160*i, outcome: duplicate})
	}
	if n := len(duplicatePlaces(u)); n > 10 {
		t.Errorf("a range of duplicates takes %d bytes", n)
	}
}

func TestDamagedPlacesEnd(t *testing.T) {
	for _, damaged := range [][]byte{{0x80}, {1}, {1, 0x80}, {1, 1, 0xff}} {
		readPlaces(damaged, 0) // does not hang or panic
	}
}

func TestLedgerHoldsTheTimeOfJudgementAndThePlacesOfDuplicates(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	judged := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	records := rangeOf[item](&record.Range{
		File: testFile("in/a.csv"), Fingerprint: "f1", Start: 10, End: 1000, FirstLine: 2, Last: true, JudgedAt: judged.UnixMicro(),
	}, append(items(0, 2), items(0, 3)...)...)
	s.load(records...)
	s.load(wholeRange[item](testFile("in/b.csv"), items(5, 6)...)...)
	got := w.list("select coalesce(judged_at::text, 'none'), encode(duplicate_places, 'hex') from cartstream.ranges join cartstream.range_counts using (file_id, start_byte) order by 1 desc")
	// Rows of ten bytes: the third and the fourth are duplicates, the fifth is not.
	if want := []string{"none ", "2026-01-02 03:04:05.678901+00 1414"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
