package postgresio

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/jackc/pgx/v5/pgtype"
)

// key is a row's key in a form that compares fast: a uuid is high and low, an
// integer is high (its sign bit flipped, so that it sorts), a text is text with its first
// bytes in high.
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

// keyOf returns the function that reads the key from a struct.
func keyOf(f field) (func(unsafe.Pointer) key, error) {
	offset := f.offset
	switch {
	case f.typ == uuidType:
		return func(p unsafe.Pointer) key {
			b := (*[16]byte)(unsafe.Add(p, offset))
			return key{high: binary.BigEndian.Uint64(b[:8]), low: binary.BigEndian.Uint64(b[8:])}
		}, nil
	case f.typ.Kind() == reflect.String:
		return func(p unsafe.Pointer) key { return textKey(*(*string)(unsafe.Add(p, offset))) }, nil
	case f.typ.Kind() == reflect.Int64:
		return func(p unsafe.Pointer) key { return intKey(*(*int64)(unsafe.Add(p, offset))) }, nil
	case f.typ.Kind() == reflect.Int32:
		return func(p unsafe.Pointer) key { return intKey(int64(*(*int32)(unsafe.Add(p, offset)))) }, nil
	}
	return nil, fmt.Errorf("the key %q is a %s in %s; a key is a uuid.UUID, a string, an int64 or an int32", f.column, f.typ, f.goName)
}

// isKeyOf reports whether a field can write a column and be its key.
func isKeyOf(f field, c column) bool {
	_, err := keyOf(f)
	return err == nil && f.column == c.name && keyKind(f.typ) == keyArrayType(c)
}

// keyKind is the element type of an array of the keys that a field holds.
func keyKind(t reflect.Type) string {
	switch {
	case t == uuidType:
		return "uuid"
	case t.Kind() == reflect.String:
		return "text"
	default:
		return "bigint"
	}
}

func textKey(s string) key {
	var head [8]byte
	copy(head[:], s)
	return key{high: binary.BigEndian.Uint64(head[:]), text: s}
}

const signBit = 1 << 63

func intKey(v int64) key { return key{high: uint64(v) ^ signBit} }

// appendKeyElement appends the key as an element of the array it is looked up
// with: int32 length and the bytes.
func appendKeyElement(dst []byte, k key, arrayType string) []byte {
	switch arrayType {
	case "uuid":
		dst = binary.BigEndian.AppendUint32(dst, 16)
		dst = binary.BigEndian.AppendUint64(dst, k.high)
		return binary.BigEndian.AppendUint64(dst, k.low)
	case "bigint":
		dst = binary.BigEndian.AppendUint32(dst, 8)
		return binary.BigEndian.AppendUint64(dst, k.high^signBit)
	default:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(k.text)))
		return append(dst, k.text...)
	}
}

// readKey is the inverse of the element's bytes, for keys that come back.
func readKey(b []byte, arrayType string) (key, bool) {
	switch {
	case arrayType == "uuid" && len(b) == 16:
		return key{high: binary.BigEndian.Uint64(b[:8]), low: binary.BigEndian.Uint64(b[8:])}, true
	case arrayType == "bigint" && len(b) == 8:
		return key{high: binary.BigEndian.Uint64(b) ^ signBit}, true
	case arrayType == "text":
		return textKey(string(b)), true
	}
	return key{}, false
}

// elementOID is the type of an array's elements.
func elementOID(arrayType string) uint32 {
	switch arrayType {
	case "uuid":
		return pgtype.UUIDOID
	case "bigint":
		return pgtype.Int8OID
	default:
		return pgtype.TextOID
	}
}

// appendArrayHeader appends the head of a one-dimensional binary array: int32
// dimensions, has-nulls flag, element type, length, lower bound (PostgreSQL,
// src/backend/utils/adt/arrayfuncs.c, array_recv).
func appendArrayHeader(dst []byte, element uint32, n int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 1)
	dst = binary.BigEndian.AppendUint32(dst, 1)
	dst = binary.BigEndian.AppendUint32(dst, element)
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	return binary.BigEndian.AppendUint32(dst, 1)
}
