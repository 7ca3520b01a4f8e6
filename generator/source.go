package generator

import "math/rand/v2"

const (
	// windowMicros bounds the age of an event when its file is begun.
	windowMicros = 60 * microsPerSecond
	// purchasePercent of the events are purchases, the others views.
	purchasePercent = 30
	// A purchase costs the base price × a factor, here in millionths.
	factorUnit = 1_000_000
	factorMin  = 900_000
	factorMax  = 1_100_000
)

// source draws records: chance decides what each is, and the totals say what it
// was. It is not safe for concurrent use.
type source struct {
	rng     *rand.Rand
	seq     sequence
	enc     *encoder
	recent  pool
	invalid rotation
	corrupt rotation
	// The bounds of the kinds on a draw from 0 to 1; beyond the last one a
	// record is valid and new.
	duplicateBelow, invalidBelow, corruptBelow, futureBelow float64
}

func newSource(o Options, seed uint64) *source {
	// The second word of the state is fixed: a run has one number as its seed.
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	enc := newEncoder()
	s := &source{
		rng: rng, enc: enc,
		seq:     newSequence(rng, len(enc.users)*len(enc.products)),
		recent:  pool{rng: rng},
		invalid: rotation{defects: invalidDefects}, corrupt: rotation{defects: corruptDefects},
	}
	s.duplicateBelow = o.DuplicateRate
	s.invalidBelow = s.duplicateBelow + o.InvalidRate
	s.corruptBelow = s.invalidBelow + o.CorruptRate
	s.futureBelow = s.corruptBelow + o.FutureRate
	return s
}

// appendRecord appends one record and counts it. now, in microseconds, is the
// time of the file.
func (s *source) appendRecord(dst []byte, now int64, t *Totals) []byte {
	t.Events++
	if s.futureBelow == 0 {
		return s.appendValid(dst, now, t)
	}
	switch draw := s.rng.Float64(); {
	case draw < s.duplicateBelow && !s.recent.empty():
		t.Valid++
		t.Duplicates++
		return s.enc.appendEvent(dst, s.recent.pick())
	case draw < s.duplicateBelow: // nothing to repeat yet
		return s.appendValid(dst, now, t)
	case draw < s.invalidBelow:
		return s.appendDamaged(dst, now, s.invalid.next(), t.Invalid)
	case draw < s.corruptBelow:
		return s.appendDamaged(dst, now, s.corrupt.next(), t.Corrupt)
	case draw < s.futureBelow:
		t.Future++
		ev := s.draw(now)
		ev.micros = inFuture(ev.micros)
		return s.enc.appendEvent(dst, ev)
	default:
		return s.appendValid(dst, now, t)
	}
}

func (s *source) appendValid(dst []byte, now int64, t *Totals) []byte {
	ev := s.draw(now)
	if s.duplicateBelow > 0 {
		s.recent.add(ev)
	}
	t.Valid++
	t.DistinctIDs++
	return s.enc.appendEvent(dst, ev)
}

func (s *source) appendDamaged(dst []byte, now int64, d defect, counts map[string]int64) []byte {
	counts[d.code]++
	return d.appendTo(dst, s.enc.fields(s.draw(now)))
}

// draw returns an event that no other of the run equals in user, product and
// time together.
func (s *source) draw(now int64) event {
	slot, pair := s.seq.next()
	oldest := now - windowMicros + 1
	ev := event{
		micros:  atSlot(oldest+s.rng.Int64N(windowMicros-slots), slot),
		user:    uint32(pair % len(s.enc.users)),
		product: uint32(pair / len(s.enc.users)),
	}
	if s.rng.Uint64N(100) < purchasePercent {
		factor := factorMin + s.rng.Int64N(factorMax-factorMin+1)
		ev.cents = (s.enc.products[ev.product].baseCents*factor + factorUnit/2) / factorUnit
	}
	return ev
}

// poolSize bounds what is remembered for duplicates: 2 MB, and enough that a
// duplicate mostly lies in another batch of a load than what it repeats.
const poolSize = 1 << 16

// pool remembers valid events for duplicates to repeat. Once full, a new event
// takes the place of any other, so that some very old ones are among them.
type pool struct {
	rng    *rand.Rand
	events []event
}

func (p *pool) empty() bool { return len(p.events) == 0 }

func (p *pool) add(ev event) {
	if len(p.events) < poolSize {
		p.events = append(p.events, ev)
		return
	}
	p.events[p.rng.IntN(poolSize)] = ev
}

func (p *pool) pick() event { return p.events[p.rng.IntN(len(p.events))] }
