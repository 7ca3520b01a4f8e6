package record

// Kind tells what a Record is: data (a value or a fault) or a marker, which
// passes every transform untouched and is not counted.
type Kind int32

// The kinds of a record.
const (
	// KindValue is a record whose Value holds.
	KindValue Kind = iota
	// KindFault is a record that is no valid T; Fault and Raw say why.
	KindFault
	// KindRangeEnd is the marker after the last record of a range, also of a
	// range that has none.
	KindRangeEnd
	// KindFileFailed is the marker of a file that can't be read as a whole
	// (Fault says why).
	KindFileFailed
	// KindSuperseded is the marker of a range whose file no longer is the
	// version that was listed. The records of the range that came before it
	// are void.
	KindSuperseded
	// KindUnreadable is the marker of a range that could not be read (Fault
	// says why) and is to be tried again later. The records of the range that
	// came before it are void.
	KindUnreadable
)

// Source is where a record comes from.
type Source struct {
	// Range is shared by all records of the range and must not be changed.
	Range *Range
	// Line is 1-based: the line the record begins on.
	Line int64
	// Offset is the byte the record begins at.
	Offset int64
}

// Record is one record of a file on its way to the database, or a marker. A
// record is never dropped: it ends as a row or as a dead letter.
//
// Records are handed on by pointer and are immutable once emitted, Raw and the
// strings of Value included: they share the buffer of their range.
type Record[T any] struct {
	Kind   Kind
	Source Source
	// Raw holds the record's own bytes, without its line end.
	Raw   []byte
	Value T
	Fault *Fault
}

// Data reports whether r is a value or a fault, not a marker.
func (r *Record[T]) Data() bool { return r.Kind == KindValue || r.Kind == KindFault }

// WithFault returns the record as a fault with the same source and bytes.
func (r *Record[T]) WithFault(f *Fault) *Record[T] {
	return &Record[T]{Kind: KindFault, Source: r.Source, Raw: r.Raw, Fault: f}
}

// DeadLetter returns the dead letter of a fault.
func (r *Record[T]) DeadLetter() DeadLetter {
	return DeadLetter{
		File: r.Source.Range.File, Line: r.Source.Line, Offset: r.Source.Offset,
		Fault: *r.Fault, Raw: r.Raw,
	}
}
