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
}

// newCutter begins a range after the header, at offset start and the line
// given. proto has what all ranges of the file share.
func newCutter(l limits, proto record.Range, start, line int64, emit func(record.Range) error) *cutter {
	proto.Start, proto.End, proto.FirstLine = start, start, line
	return &cutter{limits: l, emit: emit, cur: proto, line: line}
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
	if isRecord {
		c.cur.Records++
	}
	return nil
}

// close lets the range at hand go and begins the next.
func (c *cutter) close() error {
	err := c.emit(c.cur)
	c.cur.Start, c.cur.FirstLine, c.cur.Records = c.cur.End, c.line, 0
	c.cur.Index++
	return err
}

// finish lets the last range go, which is an empty one when there is no other.
func (c *cutter) finish() error {
	c.cur.Last = true
	return c.emit(c.cur)
}
