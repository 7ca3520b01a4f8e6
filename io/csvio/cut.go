package csvio

import (
	"github.com/cartstream/cartstream/transforms/record"
)

// cutter gathers records into ranges. A range ends when there is a record or a
// blank line that it has no room for, so only finish emits the last.
type cutter struct {
	limits limits
	emit   func(record.Range) error
	// cur is the range that is being gathered.
	cur record.Range
	// line is the line at cur.End.
	line int64
	// before counts the records of the ranges before cur.
	before int64
}

// newCutter begins a range after the header, at offset start and the line
// given. proto has what all ranges of the file share.
func newCutter(l limits, proto record.Range, start, line int64, emit func(record.Range) error) *cutter {
	c := &cutter{limits: l, emit: emit, cur: proto}
	c.begin(start, line, 0)
	return c
}

// add takes in the next record, or blank line, of size bytes. A range is never
// empty, so a single record may be larger than the bound.
func (c *cutter) add(size int64, lines int64, isRecord bool) error {
	full := c.cur.End-c.cur.Start+size > c.limits.RangeBytes || isRecord && c.cur.Records == c.limits.RangeRecords
	if full && c.cur.End > c.cur.Start {
		if err := c.close(); err != nil {
			return err
		}
	}
	c.cur.End += size
	c.line += lines
	c.cur.Lines += lines
	if isRecord {
		c.cur.Records++
	}
	return nil
}

// close lets the range at hand go and begins the next.
func (c *cutter) close() error {
	err := c.emit(c.cur)
	c.before += c.cur.Records
	c.begin(c.cur.End, c.line, c.cur.Index+1)
	return err
}

func (c *cutter) begin(start, line, index int64) {
	c.cur.Start, c.cur.End, c.cur.FirstLine, c.cur.Index = start, start, line, index
	c.cur.Records, c.cur.Lines = 0, 0
	c.line = line
}

// skip begins the range after one that is done.
func (c *cutter) skip(d record.DoneRange) { c.begin(d.End, d.NextLine, d.Index+1) }

// finish lets the last range go, which is an empty one when there is no other.
func (c *cutter) finish() error {
	c.cur.Last = true
	return c.emit(c.cur)
}
