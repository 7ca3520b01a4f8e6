package postgresio

import (
	"cmp"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/jackc/pgx/v5/pgtype"
)

// key is a row's key in a form that compares fast: a uuid is high and low, an
// integer is high (its sign bit flipped, so that it sorts), a text is text with
// its first bytes in high. Any other key, of several columns or of another type,
// is its fields in the tuple, one after the other, as text, with the first bytes
// of the first field in high.
type key struct {
	high, low uint64
	text      string
}

func (k key) compare(o key) int {
	if c := cmp.Compare(k.high, o.high); c != 0 {
		return c
	}
	if c := cmp.Compare(k.low, o.low); c != 0 {
		return c
	}
	return strings.Compare(k.text, o.text)
}

// tableKey is what rows of a table are recognised by.
type tableKey struct {
	columns []column
	// places are those of the columns in a tuple, texts those of the texts
	// among them.
	places, texts []int
	// nullsEqual tells that one NULL is like another (NULLS NOT DISTINCT). If
	// not, a row with a NULL in its key is like no other row.
	nullsEqual bool
	// uuid tells that a key is the two halves of a uuid.
	uuid bool
}

// loose tells that keys may be equal that are spelled otherwise.
func (k *tableKey) loose() bool {
	return slices.ContainsFunc(k.columns, func(c column) bool { return c.loose })
}

// keyFunc reads the key of the struct at p, whose tuple is given.
type keyFunc func(p unsafe.Pointer, tuple []byte) key

// reader returns the function that reads keys. A key of one column of the usual
// types is read without making anything.
func (k *tableKey) reader(fields []field) keyFunc {
	f := fields[k.places[0]]
	offset := f.offset
	switch {
	case len(k.columns) > 1:
	case k.uuid:
		return func(p unsafe.Pointer, _ []byte) key {
			b := (*[16]byte)(unsafe.Add(p, offset))
			return key{high: binary.BigEndian.Uint64(b[:8]), low: binary.BigEndian.Uint64(b[8:])}
		}
	case f.typ.Implements(valuerType): // its value is not what its memory holds
	case f.typ.Kind() == reflect.String && isText(k.columns[0]):
		limit := k.columns[0].limit()
		return func(p unsafe.Pointer, _ []byte) key {
			s := *(*string)(unsafe.Add(p, offset))
			if limit > 0 {
				s = cutBlanks(s, limit)
			}
			return key{high: head(s), text: s}
		}
	case f.typ.Kind() == reflect.Int64:
		return func(p unsafe.Pointer, _ []byte) key { return intKey(*(*int64)(unsafe.Add(p, offset))) }
	case f.typ.Kind() == reflect.Int32:
		return func(p unsafe.Pointer, _ []byte) key { return intKey(int64(*(*int32)(unsafe.Add(p, offset)))) }
	}
	return func(_ unsafe.Pointer, tuple []byte) key { return k.encoded(tuple) }
}

// appendUUID appends a key that is a uuid as a field of a tuple.
func (k key) appendUUID(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 16)
	dst = binary.BigEndian.AppendUint64(dst, k.high)
	return binary.BigEndian.AppendUint64(dst, k.low)
}

func intKey(v int64) key {
	const signBit = 1 << 63
	return key{high: uint64(v) ^ signBit}
}

// loneKeys numbers keys that are like no other.
var loneKeys atomic.Uint64

// encoded is the key as its fields in the tuple.
func (k *tableKey) encoded(tuple []byte) key {
	var room [128]byte
	text := room[:0]
	null := false
	for _, place := range k.places {
		f := tupleField(tuple, place)
		null = null || isNull(f)
		text = append(text, f...)
	}
	result := key{text: string(text)}
	result.high = head(result.text[4:len(tupleField(tuple, k.places[0]))])
	if null && !k.nullsEqual {
		result.low = loneKeys.Add(1)
	}
	return result
}

// head is the first eight bytes, as a number that sorts like them.
func head(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// tupleField is a field of a tuple: int32 length, -1 for NULL, and the bytes.
func tupleField(tuple []byte, place int) []byte {
	rest := tuple[2:]
	for ; ; place-- {
		n := 4 + max(0, int(int32(binary.BigEndian.Uint32(rest))))
		if place == 0 {
			return rest[:n:n]
		}
		rest = rest[n:]
	}
}

// splitTuple sets fields to the first ones of a tuple.
func splitTuple(tuple []byte, fields [][]byte) {
	rest := tuple[2:]
	for i := range fields {
		n := 4 + max(0, int(int32(binary.BigEndian.Uint32(rest))))
		fields[i], rest = rest[:n:n], rest[n:]
	}
}

func isNull(field []byte) bool { return int32(binary.BigEndian.Uint32(field)) < 0 }

// The types that a key's columns may have; enums and citext count as text.
var keyOIDs = slices.Concat(textOIDs, []uint32{
	pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.UUIDOID, pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.BoolOID,
})

const allowedKeys = "uuid, smallint, integer, bigint, text, varchar, char, date, timestamp, timestamptz, boolean and enums"

func isText(c column) bool { return slices.Contains(textOIDs, c.typeOID) }
