package decimal

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// What Parse's errors wrap.
var (
	ErrSyntax = errors.New("not a decimal number")
	ErrRange  = errors.New("more digits than a decimal holds")
)

// Parse reads a number: an optional sign, digits with an optional point among
// or around them, an optional exponent (12.50, -3, +.5, 1e3). The scale is the
// number of digits after the point, so trailing zeros are kept where they fit.
// White space, NaN, infinities, digit separators and hexadecimal are refused
// with ErrSyntax, and what does not fit into 63 bits or MaxScale with ErrRange:
// nothing is ever rounded.
func Parse(s string) (Decimal, error) {
	n, err := scan(s)
	if err == nil {
		var d Decimal
		if d, err = n.decimal(); err == nil {
			return d, nil
		}
	}
	return Decimal{}, fmt.Errorf("decimal: %q: %w", shorten(s), err)
}

// number is the parts of a number's text.
type number struct {
	negative    bool
	whole, frac string
	exponent    int
}

// scan takes the text apart.
func scan(s string) (n number, err error) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.negative, s = s[0] == '-', s[1:]
	}
	n.whole, s = digits(s)
	if s != "" && s[0] == '.' {
		n.frac, s = digits(s[1:])
	}
	if n.whole == "" && n.frac == "" {
		return n, ErrSyntax
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		err = n.scanExponent(s[1:])
		return n, err
	}
	if s != "" {
		return n, ErrSyntax
	}
	return n, nil
}

// scanExponent reads what follows the e. Large exponents are cut to a value
// that is out of range anyway, so that they can't overflow.
func (n *number) scanExponent(s string) error {
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	exp, rest := digits(s)
	if exp == "" || rest != "" {
		return ErrSyntax
	}
	for i := range len(exp) {
		n.exponent = min(n.exponent*10+int(exp[i]-'0'), math.MaxInt32)
	}
	n.exponent *= sign
	return nil
}

// decimal puts the parts together. Zeros at the end of the fraction are given
// up only when the number does not fit with them.
func (n number) decimal() (Decimal, error) {
	d, ok := n.fit()
	if !ok {
		n.frac = strings.TrimRight(n.frac, "0")
		d, ok = n.fit()
	}
	if !ok {
		return Decimal{}, fmt.Errorf("%w (18 digits always fit, %d after the point)", ErrRange, MaxScale)
	}
	return d, nil
}

func (n number) fit() (Decimal, bool) {
	v, ok := accumulate(0, n.whole)
	if ok {
		v, ok = accumulate(v, n.frac)
	}
	scale := len(n.frac) - n.exponent
	for ; ok && scale < 0 && v != 0; scale++ {
		v, ok = accumulate(v, "0")
	}
	limit := uint64(math.MaxInt64)
	if n.negative {
		limit++
	}
	if !ok || v > limit || scale > MaxScale {
		return Decimal{}, false
	}
	d := Decimal{Unscaled: int64(v), Scale: int32(max(scale, 0))}
	if n.negative {
		d.Unscaled = -d.Unscaled
	}
	return d, true
}

// accumulate appends decimal digits to v and reports whether they fit into 64
// bits.
func accumulate(v uint64, digits string) (uint64, bool) {
	for i := range len(digits) {
		next := v*10 + uint64(digits[i]-'0')
		if v > (math.MaxUint64-9)/10 {
			return 0, false
		}
		v = next
	}
	return v, true
}

// digits cuts s after its leading digits.
func digits(s string) (lead, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// shorten keeps an error readable when a whole page stands where a number is
// expected.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
