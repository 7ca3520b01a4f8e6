package postgresio

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

const allowedVersions = "timestamptz, timestamp, date, smallint, integer, bigint, numeric, real, double precision, uuid, text and varchar (by their bytes)"

// versionOrder compares two values of a column in binary form, as they are once
// they are stored: rounded to what the column's type holds.
func versionOrder(c column) func(a, b []byte) int {
	compare := versionOrders[c.typeOID]
	if c.modifier < 0 {
		return compare
	}
	switch c.typeOID {
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return func(a, b []byte) int { return cmp.Compare(roundTime(a, c.modifier), roundTime(b, c.modifier)) }
	case pgtype.NumericOID:
		scale := int((c.modifier-modifierHeader)&0x7ff^0x400) - 0x400 // 11 bits, with a sign
		return func(a, b []byte) int { return roundedNumerics(a, b, scale) }
	}
	return compare
}

// roundTime rounds a timestamp to a number of digits after the second's point,
// half away from 2000-01-01 (PostgreSQL, src/backend/utils/adt/timestamp.c,
// AdjustTimestampForTypmod).
func roundTime(t []byte, digits int32) int64 {
	micros := int64(binary.BigEndian.Uint64(t))
	if micros == math.MinInt64 || micros == math.MaxInt64 { // infinity
		return micros
	}
	unit := int64(math.Pow10(6 - int(min(digits, 6))))
	half := unit / 2
	if micros < 0 {
		half = -half
	}
	return (micros + half) / unit * unit
}

// cutBlanks cuts what is too long for varchar(n) and blank, as PostgreSQL does; a
// text that is too long otherwise stays so. n of 0 is no limit.
func cutBlanks(text string, n int) string {
	if n == 0 || len(text) <= n {
		return text
	}
	for excess := utf8.RuneCountInString(text) - n; excess > 0 && text[len(text)-1] == ' '; excess-- {
		text = text[:len(text)-1]
	}
	return text
}

// versionOrders compare two values in binary form.
var versionOrders = map[uint32]func(a, b []byte) int{
	pgtype.Int2OID:        signed,
	pgtype.Int4OID:        signed,
	pgtype.Int8OID:        signed,
	pgtype.DateOID:        signed,
	pgtype.TimestampOID:   signed,
	pgtype.TimestamptzOID: signed,
	pgtype.Float4OID: func(a, b []byte) int {
		return floats(float64(math.Float32frombits(binary.BigEndian.Uint32(a))), float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
	},
	pgtype.Float8OID: func(a, b []byte) int {
		return floats(math.Float64frombits(binary.BigEndian.Uint64(a)), math.Float64frombits(binary.BigEndian.Uint64(b)))
	},
	pgtype.NumericOID: numerics,
	pgtype.UUIDOID:    bytes.Compare,
	pgtype.TextOID:    bytes.Compare,
	pgtype.VarcharOID: bytes.Compare,
}

// signed compares big-endian integers of one length, which dates and
// timestamps are too.
func signed(a, b []byte) int {
	if c := cmp.Compare(int8(a[0]), int8(b[0])); c != 0 {
		return c
	}
	return bytes.Compare(a[1:], b[1:])
}

// floats has NaN equal to itself and after all others, as PostgreSQL does.
func floats(a, b float64) int {
	if math.IsNaN(a) || math.IsNaN(b) {
		return cmp.Compare(boolInt(math.IsNaN(a)), boolInt(math.IsNaN(b)))
	}
	return cmp.Compare(a, b)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The form of a numeric: int16 number of digits, weight of the first, sign,
// and scale, then the digits, to the base 10,000 (PostgreSQL,
// src/backend/utils/adt/numeric.c, numeric_send).
const (
	numericNegative = 0x4000
	numericNaN      = 0xC000
	numericInf      = 0xD000
	numericMinusInf = 0xF000
)

// numerics compares numbers; NaN is after all others.
func numerics(a, b []byte) int {
	ra, rb := numericRank(a), numericRank(b)
	if ra != rb || ra == 0 || ra > 1 || ra < -1 {
		return cmp.Compare(ra, rb)
	}
	return ra * magnitudes(a, b)
}

// roundedNumerics is numerics after rounding to a scale.
func roundedNumerics(a, b []byte, scale int) int {
	ra, rb := numericRank(a), numericRank(b)
	if max(ra, -ra, rb, -rb) > 1 {
		return cmp.Compare(ra, rb)
	}
	return unscaled(a, scale).Cmp(unscaled(b, scale))
}

// unscaled is a finite number times 10^scale, rounded half away from zero, as
// PostgreSQL rounds.
func unscaled(n []byte, scale int) *big.Int {
	v := new(big.Int)
	for d := n[8:]; len(d) > 0; d = d[2:] {
		v.Add(v.Mul(v, big.NewInt(10_000)), big.NewInt(int64(binary.BigEndian.Uint16(d))))
	}
	exponent := scale + 4*(int(int16(binary.BigEndian.Uint16(n[2:])))+1-len(n[8:])/2)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent >= 0 {
		v.Mul(v, power)
	} else {
		v.Quo(v.Add(v, new(big.Int).Rsh(power, 1)), power)
	}
	if binary.BigEndian.Uint16(n[4:]) == numericNegative {
		v.Neg(v)
	}
	return v
}

// numericRank is 0 for zero, ±1 for a finite number, ±2 for an infinite one,
// and 3 for NaN.
func numericRank(n []byte) int {
	switch binary.BigEndian.Uint16(n[4:]) {
	case numericNaN:
		return 3
	case numericInf:
		return 2
	case numericMinusInf:
		return -2
	case numericNegative:
		return -boolInt(len(trimDigits(n)) > 0)
	}
	return boolInt(len(trimDigits(n)) > 0)
}

// magnitudes compares finite numbers other than zero without their signs.
func magnitudes(a, b []byte) int {
	da, db := trimDigits(a), trimDigits(b)
	if c := cmp.Compare(firstWeight(a), firstWeight(b)); c != 0 {
		return c
	}
	return bytes.Compare(da, db)
}

// trimDigits is the digits without zeros at either end.
func trimDigits(n []byte) []byte {
	digits := n[8:]
	for len(digits) > 0 && digits[0] == 0 && digits[1] == 0 {
		digits = digits[2:]
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 && digits[len(digits)-2] == 0 {
		digits = digits[:len(digits)-2]
	}
	return digits
}

// firstWeight is the weight of the first digit that is not zero.
func firstWeight(n []byte) int {
	weight := int(int16(binary.BigEndian.Uint16(n[2:])))
	for d := n[8:]; len(d) > 0 && d[0] == 0 && d[1] == 0; d = d[2:] {
		weight--
	}
	return weight
}
