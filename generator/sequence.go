package generator

import "math/rand/v2"

// slots is the number of places in time of a sequence, a power of two: 1.05 s
// of microseconds, so that each slot comes up some 57 times in the window.
const slots = 1 << 20

// sequence makes the events of a run distinct by construction, with no memory
// of those it made.
//
// The n-th event has a slot, which is its time modulo slots, and a pair of user
// and product. Two events of the same microsecond have the same slot, hence
// lie whole rounds of slots events apart; and from round to round a slot goes
// on to the next pair. So it takes slots × pairs events (58 thousand million,
// for 56,000 pairs) until a slot meets a pair again, and then the clock has long
// gone on. Within a round slots come in scattered order, each with a pair drawn
// by hash, so that nothing of this shows.
type sequence struct {
	n     uint64
	pairs uint64
	// The n-th event has the slot n*odd + add; an odd factor leaves none out.
	odd, add uint64
	key      uint64
}

func newSequence(rng *rand.Rand, pairs int) sequence {
	return sequence{pairs: uint64(pairs), odd: rng.Uint64() | 1, add: rng.Uint64(), key: rng.Uint64()}
}

func (s *sequence) next() (slot int64, pair int) {
	at := (s.n*s.odd + s.add) % slots
	round := s.n / slots
	s.n++
	return int64(at), int((mix(at^s.key)%s.pairs + round%s.pairs) % s.pairs)
}

// atSlot returns the first microsecond from t on that has the slot.
func atSlot(t, slot int64) int64 { return t + (slot-t)&(slots-1) }

// mix is the output function of SplitMix64 (Steele, Lea, Flood: Fast splittable
// pseudorandom number generators, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
