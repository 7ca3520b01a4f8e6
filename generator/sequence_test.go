package generator

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The two tests of a sequence together prove that no event comes twice: equal
// times mean equal slots, a slot comes once a round, and its pairs differ from
// round to round.
func TestSequenceHasEachSlotOnceARound(t *testing.T) {
	s := newSequence(rand.New(rand.NewPCG(7, 7)), 56000)
	for round := range 2 {
		seen := make([]bool, slots)
		for range slots {
			slot, pair := s.next()
			if seen[slot] {
				t.Fatalf("round %d: slot %d comes twice", round, slot)
			}
			if seen[slot] = true; pair < 0 || pair >= 56000 {
				t.Fatalf("pair %d is none of 56000", pair)
			}
		}
	}
}

func TestSequenceHasAnotherPairEachRound(t *testing.T) {
	const pairs = 56000
	for seed := range uint64(20) {
		s := newSequence(rand.New(rand.NewPCG(seed, 7)), pairs)
		seen, first := make([]bool, pairs), int64(-1)
		for round := range uint64(pairs) {
			s.n = round*slots + 5
			slot, pair := s.next()
			if first < 0 {
				first = slot
			}
			if slot != first {
				t.Fatalf("seed %d, round %d: slot %d, want %d", seed, round, slot, first)
			}
			if seen[pair] {
				t.Fatalf("seed %d, round %d: pair %d comes twice", seed, round, pair)
			}
			seen[pair] = true
		}
	}
}

func TestAtSlot(t *testing.T) {
	const base = int64(1769680800) * microsPerSecond
	for _, from := range []int64{base, base + 1, base + slots - 1, base + slots} {
		for _, slot := range []int64{0, 1, 12345, slots - 1} {
			got := atSlot(from, slot)
			if got%slots != slot || got < from || got >= from+slots {
				t.Errorf("atSlot(%d, %d) = %d", from, slot, got)
			}
		}
	}
}

// TestDrawnEventsAreDistinct holds the clock still for more than two rounds, as
// a run without pauses does.
func TestDrawnEventsAreDistinct(t *testing.T) {
	const n = 2*slots + slots/2
	s := newSource(Options{}, 42)
	now := start.UnixMicro()
	events := make([]uint64, n)
	for i := range events {
		ev := s.draw(now)
		age := now - ev.micros
		if age < 0 || age >= windowMicros {
			t.Fatalf("event %d is %d µs old", i, age)
		}
		events[i] = uint64(age)<<32 | uint64(ev.user)<<16 | uint64(ev.product)
	}
	slices.Sort(events)
	if d := len(events) - len(slices.Compact(events)); d != 0 {
		t.Errorf("%d of %d events are not distinct", d, n)
	}
}
