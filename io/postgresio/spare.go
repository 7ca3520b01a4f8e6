package postgresio

import (
	"sync"

	"github.com/cartstream/cartstream/transforms/record"
)

// Bounds of the room that is made for rows, and for the bytes of their tuples,
// before they come.
const (
	maxPreallocRows  = 1 << 16
	maxPreallocBytes = 10 << 20
)

// minSpareRows is how many rows a unit has whose room is kept: that of small
// ones is cheaper to make than to find again.
const minSpareRows = 1 << 12

// room is memory for the rows of a unit.
type room struct {
	rows   []row
	tuples []byte
}

// spareRoom is what units have left that are done with. Memory that is used
// again is no garbage, of which the collector lets as much pile up as is in
// use. There is never more than there were large units at a time.
type spareRoom struct {
	mu   sync.Mutex
	free []room
}

// take returns empty room for the records of a range.
func (s *spareRoom) take(src *record.Range) room {
	if src.Records <= 0 {
		return room{}
	}
	if src.Records >= minSpareRows {
		s.mu.Lock()
		defer s.mu.Unlock()
		if last := len(s.free) - 1; last >= 0 {
			r := s.free[last]
			s.free = s.free[:last]
			return r
		}
	}
	size := src.End - src.Start // a tuple is about as long as its line
	return room{
		rows:   make([]row, 0, min(src.Records, maxPreallocRows)),
		tuples: make([]byte, 0, min(size+size/8, maxPreallocBytes)),
	}
}

// give takes the room of a unit that nobody looks at any more.
func (s *spareRoom) give(u *unit) {
	r := room{u.rows, u.tuples}
	u.rows, u.tuples = nil, nil
	if len(r.rows) < minSpareRows {
		return
	}
	clear(r.rows) // they hold the range's bytes
	r.rows, r.tuples = r.rows[:0], r.tuples[:0]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, r)
}
