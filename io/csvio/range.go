package csvio

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// slabSize is how many records are allocated at once. One record that is kept
// keeps its slab; and slabs of more than 32 kB would cost the allocator a trip to
// the heap each.
const slabSize = 128

// rangeReader makes the records of one range.
type rangeReader[T any] struct {
	rng     *record.Range
	format  *format
	header  *header
	schema  *schema
	fields  []string
	emit    func(*record.Record[T])
	stopped func() error

	// data holds the range; or, when the range is one line longer than any
	// bound, its first bytes and fullLength, what the line's length is.
	data       []byte
	fullLength int64

	slab    []record.Record[T]
	records int64
	line    int64
}

// load reads the range's bytes into memory, into a buffer of their own that is
// never written again.
func (r *rangeReader[T]) load(ctx context.Context, src *source) error {
	defer src.close()
	if err := r.fetch(ctx, src); err != nil {
		return err
	}
	return src.checkClosed(r.rng)
}

func (r *rangeReader[T]) fetch(ctx context.Context, src *source) error {
	size := r.rng.End - r.rng.Start
	if size < 0 || r.rng.Start < 0 || r.rng.End > r.rng.File.Size {
		return fmt.Errorf("range %d to %d is not in the file's %d bytes", r.rng.Start, r.rng.End, r.rng.File.Size)
	}
	if size <= max(r.format.limits.RangeBytes, r.format.limits.RecordBytes+1) {
		r.data = make([]byte, size)
		if err := src.readAt(ctx, r.data, r.rng.Start); err != nil {
			return err
		}
		return r.hash(ctx, src)
	}
	var end [2]byte
	if err := src.readAt(ctx, end[:], r.rng.End-2); err != nil {
		return err
	}
	r.fullLength = r.format.syntax.lineLength(size, end[:])
	r.data = make([]byte, r.format.limits.RecordBytes+1)
	if err := src.readAt(ctx, r.data, r.rng.Start); err != nil {
		return err
	}
	if bytes.IndexByte(r.data, r.format.syntax.newline) >= 0 {
		return errSuperseded // what was split was one line
	}
	return r.hashLine(ctx, src)
}

// hash sets the range's hash. What stands before the first range, the header, is part
// of it.
func (r *rangeReader[T]) hash(ctx context.Context, src *source) error {
	before, err := r.before(ctx, src)
	r.rng.Hash = files.Hash(before, r.data)
	return err
}

// hashLine sets the hash of a range that is too large to be in memory.
func (r *rangeReader[T]) hashLine(ctx context.Context, src *source) error {
	before, err := r.before(ctx, src)
	if err != nil {
		return err
	}
	h := files.NewHasher()
	h.Add(before)
	buf := make([]byte, readAhead)
	for pos := r.rng.Start; pos < r.rng.End; pos += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), r.rng.End-pos)]
		if err := src.readAt(ctx, buf, pos); err != nil {
			return err
		}
		h.Add(buf)
	}
	r.rng.Hash = h.Sum()
	return nil
}

// before returns what stands before the first range, and nothing for the others.
func (r *rangeReader[T]) before(ctx context.Context, src *source) ([]byte, error) {
	if r.rng.Index > 0 {
		return nil, nil
	}
	before := make([]byte, r.rng.Start)
	return before, src.readAt(ctx, before, 0)
}

// read emits the records and the range's end.
func (r *rangeReader[T]) read() error {
	// All strings of the range share its one buffer: unsafe.String spares a
	// copy, and is right because nobody writes the buffer after load.
	text := unsafe.String(unsafe.SliceData(r.data), len(r.data))
	valid := r.format.charset.valid(r.data)
	scan := recordScanner{syntax: r.format.syntax, max: r.format.limits.RecordBytes, size: r.rng.End, width: r.header.width}
	r.line = r.rng.FirstLine
	for pos := 0; pos < len(r.data); {
		it := scan.next(r.data[pos:], r.rng.Start+int64(pos))
		if it.size < 0 {
			it.size = len(r.data) - pos
		}
		if it.kind != blankLine {
			if err := r.record(it, text, pos, valid); err != nil {
				return err
			}
		}
		pos += it.size
		r.line += int64(it.lines)
	}
	if r.records != r.rng.Records {
		return fmt.Errorf("%w: the range had %d records and has %d", errSuperseded, r.rng.Records, r.records)
	}
	// The end is not from the slab: a runner's emitters keep what came last, and
	// would keep the range's buffer alive with it, one in each instance.
	r.emit(&record.Record[T]{
		Kind: record.KindRangeEnd, Source: record.Source{Range: r.rng, Line: r.line, Offset: r.rng.End},
	})
	return nil
}

// use takes a range's bytes from a stream's keeper, as load does from the file.
func (r *rangeReader[T]) use(data []byte) {
	r.data = data
	if size := r.rng.End - r.rng.Start; int64(len(data)) < size {
		r.fullLength = r.format.syntax.lineLength(size, data)
		r.data = bytes.Clone(data[:r.format.limits.RecordBytes+1])
	}
}

// record emits the record that the item at pos is.
func (r *rangeReader[T]) record(it item, text string, pos int, valid bool) error {
	if r.records%slabSize == 0 {
		if err := r.stopped(); err != nil {
			return err
		}
	}
	raw := r.format.syntax.trimLineEnd(r.data[pos : pos+it.size])
	rec := r.next(int64(pos))
	rec.Raw = raw[:len(raw):len(raw)]
	r.records++
	if fault := r.parse(rec, it, text[pos:pos+len(raw)], valid); fault != nil {
		var zero T
		rec.Kind, rec.Fault, rec.Value = record.KindFault, fault, zero
	}
	r.emit(rec)
	return nil
}

// next takes a record off the slab, at the offset pos of the range.
func (r *rangeReader[T]) next(pos int64) *record.Record[T] {
	if len(r.slab) == 0 {
		left := max(r.rng.Records-r.records, 1) // a changed file may have more
		r.slab = make([]record.Record[T], min(left, slabSize))
	}
	rec := &r.slab[0]
	r.slab = r.slab[1:]
	rec.Source = record.Source{Range: r.rng, Line: r.line, Offset: r.rng.Start + pos}
	return rec
}

// parse fills the record's value, or says why it can't.
func (r *rangeReader[T]) parse(rec *record.Record[T], it item, s string, valid bool) *record.Fault {
	switch it.kind {
	case largeRecord:
		return r.tooLarge(rec, it.size)
	case strayRecord:
		return r.stray(s)
	}
	if !valid {
		if s = r.format.charset.decode(s); !utf8.ValidString(s) {
			return &record.Fault{Code: record.CodeInvalidEncoding, Message: r.format.invalidBytes(s)}
		}
	}
	var fault *record.Fault
	if it.kind == plainRecord && r.format.syntax.newline == '\n' {
		r.fields = r.format.syntax.splitPlain(r.fields[:0], s)
	} else {
		r.fields, fault = r.format.syntax.splitQuoted(r.fields[:0], s)
	}
	switch {
	case fault != nil:
		return fault
	case len(r.fields) != r.header.width:
		return &record.Fault{
			Code:    record.CodeWrongFieldCount,
			Message: fmt.Sprintf("found %s; %s %d", fieldCount(len(r.fields)), r.format.whoNames(), r.header.width) + r.format.countHint(s, r.header.width),
		}
	}
	return r.schema.decode(unsafe.Pointer(&rec.Value), r.header, r.fields)
}

// stray is the fault of a line that begins a malformed record. It says nothing of
// the lines that follow: they may be of another range.
func (r *rangeReader[T]) stray(line string) *record.Fault {
	x := r.format.syntax
	_, _, place := x.scanQuotes([]byte(line), 0, fieldStart)
	message := fmt.Sprintf("the quote that opens here is not closed on this line, and the lines that follow do not complete "+
		"a record of %s and at most %d bytes; only this line is rejected", fieldCount(r.header.width), r.format.limits.RecordBytes)
	if x.escape == 0 && strings.Contains(line, `\`+string(rune(x.quote))) {
		message += `; if a backslash stands before quotes inside quotes in this file, set csv.escape to '\'`
	}
	return malformed(place, message)
}

// tooLarge cuts what the record keeps of the line.
func (r *rangeReader[T]) tooLarge(rec *record.Record[T], size int) *record.Fault {
	most := r.format.limits.RecordBytes
	pos := int(rec.Source.Offset - r.rng.Start)
	length := max(r.format.syntax.lineLength(int64(size), r.data[pos:pos+size]), r.fullLength)
	rec.Raw = rec.Raw[:min(int64(len(rec.Raw)), most)]
	return &record.Fault{Code: record.CodeRecordTooLarge, Message: fmt.Sprintf("the line has %d bytes; allowed are %d a record", length, most)}
}

// fieldCount is for messages.
func fieldCount(n int) string {
	if n == 1 {
		return "1 field"
	}
	return itoa(n) + " fields"
}

// whoNames tells what knows the number of fields.
func (f *format) whoNames() string {
	if f.dialect.Header {
		return "the header has"
	}
	return "csv.columns names"
}

// invalidBytes says where the first bytes stand that are no UTF-8.
func (f *format) invalidBytes(s string) string {
	if f.dialect.utf16() {
		return "the record has half of a surrogate pair, or half of a character at the end of the file: it is not UTF-16, which is set"
	}
	for i, c := range s {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return fmt.Sprintf("byte %d of the record (0x%02x) is not UTF-8, and no other encoding is set", i+1, s[i])
			}
		}
	}
	return "the record is not UTF-8"
}
