package postgresio

import (
	"unsafe"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/record"
)

// unit is a range on its way into the database: what the sink has collected of
// it, or the marker that ended it.
type unit struct {
	source *record.Range
	// marker is KindRangeEnd for a whole range, else the marker that came
	// instead, with its fault.
	marker record.Kind
	fault  *record.Fault
	rows   []row
	// tuples holds the rows in COPY's binary form, one after the other.
	tuples []byte
	// dead are the dead letters that came along the line.
	dead []record.DeadLetter
	// counts are what became of the records, once the unit is committed; none
	// where somebody else had committed it before.
	counts counts
	// leads tells that it is the first of its batch that was committed.
	leads bool
	// void tells that it was left out, to be read again.
	void bool
	// leftOut is how many records were left out for good, because their file has too many
	// dead letters. failedBefore tells that the ledger said so before.
	leftOut      int64
	failedBefore bool
	// done is called once: when the unit is committed or found to be so, or
	// when it never will be.
	done func(committed bool)
}

// row is a value that is to become a row. There are some hundred thousand at a
// time, so it is kept small.
type row struct {
	key          key
	unit         *unit
	line, offset int64
	bytes        *byte  // of the record, as in the file
	length       uint32 // of these
	start, end   uint32 // of its tuple
	outcome      outcome
}

func (r *row) tuple() []byte { return r.unit.tuples[r.start:r.end] }

// raw is the record as in the file.
func (r *row) raw() []byte { return unsafe.Slice(r.bytes, r.length) }

// outcome is what became of a row in the attempt that is under way.
type outcome uint8

const (
	pending outcome = iota
	inserted
	updated
	duplicate
	stale
	rejected
)

// addValue appends a value. One that its column can't hold is a dead letter.
func (u *unit) addValue(enc *rowEncoder, p unsafe.Pointer, src record.Source, raw []byte) {
	start := len(u.tuples)
	tuples, err := enc.appendTuple(u.tuples, p)
	u.tuples = tuples
	if err != nil {
		u.dead = append(u.dead, record.DeadLetter{
			File: src.Range.File, Line: src.Line, Offset: src.Offset, Raw: raw,
			Fault: record.Fault{Code: record.CodeRejectedByDatabase, Column: err.column, Message: err.err.Error()},
		})
		return
	}
	u.rows = append(u.rows, row{
		key: enc.key(p, tuples[start:]), unit: u, line: src.Line, offset: src.Offset,
		bytes: unsafe.SliceData(raw), length: uint32(len(raw)), start: uint32(start), end: uint32(len(tuples)),
	})
}

// records is how many records the unit holds.
func (u *unit) records() int64 { return int64(len(u.rows) + len(u.dead)) }

// bytes is about what the unit holds in memory.
func (u *unit) bytes() int {
	const rowSize = int(unsafe.Sizeof(row{}))
	return len(u.tuples) + len(u.rows)*rowSize + int(u.source.End-u.source.Start)
}

// batch is what one transaction loads.
type batch struct {
	// id is the load's id in the ledger. It stays the same in every attempt,
	// so that a commit whose reply was lost is recognised.
	id uuid.UUID
	// number is its place among the batches of the run, from 0.
	number int
	units  []*unit
	bytes  int
	// tries counts the attempts to load it.
	tries int
	// raised are the latest errors of these, if triggers raised them.
	raised raisedErrors
	// aside are units that were taken out of it, to be loaded later; late tells that
	// this is a batch of such.
	aside []*unit
	late  bool
	// rows are the records that are to become rows; the others are dead letters.
	rows, records int
}

func (b *batch) add(u *unit) {
	b.units = append(b.units, u)
	b.bytes += u.bytes()
	b.rows += len(u.rows)
	b.records += int(u.records())
}
