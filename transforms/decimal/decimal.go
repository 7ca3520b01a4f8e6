// Package decimal holds exact decimal numbers, for money: never a float.
//
// A Decimal is a plain struct with exported fields, because Beam's coder drops
// unexported ones without a word; so it crosses every stage of a pipeline
// unchanged, which most decimal types do not.
package decimal

import (
	"cmp"
	"encoding"
	"fmt"
	"math/bits"
	"strconv"
)

// MaxScale is the largest number of digits after the point, and of zeros
// before it, that text is read from and written to.
const MaxScale = 100

// Decimal is the number Unscaled × 10^-Scale: {1999, 2} is 19.99. The zero
// value is 0. Equal numbers may differ in scale (1.5 and 1.50), so compare with
// Cmp, not with ==.
type Decimal struct {
	Unscaled int64
	Scale    int32
}

var (
	_ encoding.TextMarshaler   = Decimal{}
	_ encoding.TextAppender    = Decimal{}
	_ encoding.TextUnmarshaler = (*Decimal)(nil)
	_ fmt.Stringer             = Decimal{}
)

// UnmarshalText implements encoding.TextUnmarshaler; see Parse. d is unchanged
// when it returns an error.
func (d *Decimal) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// String returns plain notation with Scale digits after the point, such as
// -12.50. Only a scale that text could not have given (beyond MaxScale) comes
// as 5E-1000.
func (d Decimal) String() string {
	b, err := d.AppendText(nil)
	if err != nil {
		return fmt.Sprintf("%dE%d", d.Unscaled, -int64(d.Scale))
	}
	return string(b)
}

// MarshalText implements encoding.TextMarshaler: plain notation, as
// PostgreSQL's numeric reads it. It fails when the scale is beyond MaxScale.
func (d Decimal) MarshalText() ([]byte, error) { return d.AppendText(nil) }

// AppendText implements encoding.TextAppender; see MarshalText.
func (d Decimal) AppendText(b []byte) ([]byte, error) {
	if d.Scale < -MaxScale || d.Scale > MaxScale {
		return b, fmt.Errorf("decimal: scale %d is beyond the %d digits that can be written", d.Scale, MaxScale)
	}
	if d.Unscaled < 0 {
		b = append(b, '-')
	}
	var room [20]byte
	digits := strconv.AppendUint(room[:0], magnitude(d.Unscaled), 10)
	whole := len(digits) - int(d.Scale)
	switch {
	case d.Unscaled == 0 && d.Scale < 0:
		return append(b, '0'), nil
	case d.Scale <= 0:
		return appendZeros(append(b, digits...), -int(d.Scale)), nil
	case whole <= 0:
		b = appendZeros(append(b, "0."...), -whole)
		return append(b, digits...), nil
	default:
		b = append(append(b, digits[:whole]...), '.')
		return append(b, digits[whole:]...), nil
	}
}

// Sign returns -1, 0 or +1.
func (d Decimal) Sign() int { return cmp.Compare(d.Unscaled, 0) }

// Cmp returns -1 when d is less than o, +1 when it is greater, and 0 when they
// are the same number, whatever their scales.
func (d Decimal) Cmp(o Decimal) int {
	if d.Sign() != o.Sign() || d.Sign() == 0 {
		return cmp.Compare(d.Sign(), o.Sign())
	}
	c := 0
	if shift := int64(o.Scale) - int64(d.Scale); shift >= 0 {
		c = cmpShifted(magnitude(d.Unscaled), shift, magnitude(o.Unscaled))
	} else {
		c = -cmpShifted(magnitude(o.Unscaled), -shift, magnitude(d.Unscaled))
	}
	return c * d.Sign()
}

// Less reports whether d is less than o.
func (d Decimal) Less(o Decimal) bool { return d.Cmp(o) < 0 }

// cmpShifted compares a × 10^shift with b, for a > 0 and b of an int64.
func cmpShifted(a uint64, shift int64, b uint64) int {
	if shift >= int64(len(pow10)) {
		return 1 // 10^19 is more than any int64
	}
	hi, lo := bits.Mul64(a, pow10[shift])
	if hi != 0 {
		return 1
	}
	return cmp.Compare(lo, b)
}

// pow10 holds the powers of ten below 2^63.
var pow10 = func() (p [19]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// magnitude returns |v|, also of the smallest int64, which has no counterpart.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func appendZeros(b []byte, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, '0')
	}
	return b
}
