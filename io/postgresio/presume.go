package postgresio

import (
	"hash/maphash"
	"math/bits"
	"sync"
)

// presumption decides whether the table is asked which keys it has before rows
// are copied into it. The answer takes a third of a load's time, and mostly is
// that it has none. So where that has been the answer for some batches, keys are
// presumed to be new; but for those that this run has loaded itself, as far as a
// filter remembers. A presumption that was wrong makes COPY fail, and the batch
// is loaded by asking: nothing depends on it but the time.
type presumption struct {
	mu sync.Mutex
	// clean counts the latest batches that met no key that was not remembered.
	clean int
	// patience is how many of them it takes: twice as many after each time that
	// the presumption was wrong, so that the rows that COPY leaves dead behind it
	// are few beside those that live.
	patience int
	loaded   keyFilter
}

const (
	minPatience = 2
	maxPatience = 64
)

// holds reports whether keys may be presumed to be new.
func (p *presumption) holds() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clean >= max(p.patience, minPatience)
}

// refuted notes that a key was there that was presumed to be new.
func (p *presumption) refuted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clean = 0
	p.patience = min(2*max(p.patience, minPatience), maxPatience)
}

// loads notes the keys of a batch that was committed, and whether the table had
// keys of it that were not remembered.
func (p *presumption) loads(rows []entry, surprised bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clean++
	if surprised {
		p.clean = 0
	}
	p.loaded.add(rows)
}

// forget drops what was learned of the table.
func (p *presumption) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clean, p.loaded = 0, keyFilter{}
}

// remembers reports whether this run may have loaded the key before.
func (p *presumption) remembers(k key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loaded.has(k)
}

// part parts rows, in the order of their keys, into those that are presumed to
// be new, each the only one of its key, and those to ask for. Keys that are held
// are among these.
func (p *presumption) part(rows []entry, held map[key]bool) (fresh []*row, rest []entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh = make([]*row, 0, len(rows))
	for i := range rows {
		k := &rows[i].key
		alone := (i == 0 || rows[i-1].key != *k) && (i+1 == len(rows) || rows[i+1].key != *k)
		if alone && !held[*k] && !p.loaded.has(*k) {
			fresh = append(fresh, rows[i].row)
		} else {
			rest = append(rest, rows[i])
		}
	}
	return fresh, rest
}

// keyFilter remembers keys: it knows each that was added, and takes one in a
// hundred others for one when it is half full. It is a Bloom filter whose bits
// for a key lie in one block of 64 bytes, so that they cost one look into memory
// (Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom
// Filters", 2007). When it is full it forgets everything.
//
// Keys that are spread evenly, as most uuids are, have their blocks in the order
// of the keys: those of a batch are then looked at in the order of the memory,
// which takes a third of the time.
type keyFilter struct {
	blocks  []filterBlock
	added   int
	ordered bool
}

type filterBlock [8]uint64

const (
	filterBits     = 17 // 2^17 blocks, 8 MiB
	filterCapacity = 10_000_000
	// fewestToTell is how many keys say something about how they are spread.
	fewestToTell = 1000
)

func (f *keyFilter) add(rows []entry) {
	if f.blocks == nil {
		f.blocks = make([]filterBlock, 1<<filterBits)
		f.ordered = len(rows) >= fewestToTell && spread(rows)
	}
	if f.added += len(rows); f.added > filterCapacity {
		clear(f.blocks)
		f.added = len(rows)
	}
	for i := range rows {
		block, mask := f.bits(rows[i].key)
		for w := range block {
			block[w] |= mask.word(w)
		}
	}
}

// has has no branches between its looks into memory, so that the processor makes
// those of several keys at a time.
func (f *keyFilter) has(k key) bool {
	if f.blocks == nil {
		return false
	}
	block, mask := f.bits(k)
	missing := uint64(0)
	for w := range block {
		missing |= mask.word(w) &^ block[w]
	}
	return missing == 0
}

// bits returns the block of a key, and which of its bits are the key's.
func (f *keyFilter) bits(k key) (*filterBlock, filterMask) {
	h := k.hash()
	place := h
	if f.ordered {
		place = k.high
	}
	return &f.blocks[place>>(64-filterBits)], filterMask(h * filterFactor)
}

// spread reports whether the first bits of sorted keys are spread evenly.
func spread(rows []entry) bool {
	different := 1
	for i := range rows[1:] {
		if rows[i].key.high>>(64-filterBits) != rows[i+1].key.high>>(64-filterBits) {
			different++
		}
	}
	return different > len(rows)/2
}

// filterMask is the bit of each word of a block, in six bits each.
type filterMask uint64

func (m filterMask) word(i int) uint64 { return 1 << (m >> (8 + 6*i) & 63) }

// filterFactor is odd and has no pattern: 2^64 divided by the golden ratio.
const filterFactor = 0x9e3779b97f4a7c15

var keySeed = maphash.MakeSeed()

func (k key) hash() uint64 {
	h := k.high*filterFactor ^ bits.RotateLeft64(k.low*filterFactor, 32)
	if k.text != "" {
		h ^= maphash.String(keySeed, k.text)
	}
	h ^= h >> 32
	return h * filterFactor
}
