package decimal

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Decimal
		text     string
	}{
		{"an integer", "42", Decimal{42, 0}, "42"},
		{"cents", "19.99", Decimal{1999, 2}, "19.99"},
		{"negative", "-50.00", Decimal{-5000, 2}, "-50.00"},
		{"a plus sign", "+7", Decimal{7, 0}, "7"},
		{"trailing zeros are kept", "1.500", Decimal{1500, 3}, "1.500"},
		{"leading zeros", "007.10", Decimal{710, 2}, "7.10"},
		{"no digit before the point", ".5", Decimal{5, 1}, "0.5"},
		{"no digit after the point", "5.", Decimal{5, 0}, "5"},
		{"small", "-0.001", Decimal{-1, 3}, "-0.001"},
		{"zero has no sign", "-0.00", Decimal{0, 2}, "0.00"},
		{"a positive exponent", "1.25e3", Decimal{1250, 0}, "1250"},
		{"a negative exponent", "125E-4", Decimal{125, 4}, "0.0125"},
		{"an exponent that meets the fraction", "1.25e2", Decimal{125, 0}, "125"},
		{"zero with a huge exponent", "0e999999999999999999999", Decimal{0, 0}, "0"},
		{"the largest", "9223372036854775807", Decimal{math.MaxInt64, 0}, "9223372036854775807"},
		{"the smallest", "-92233720368547758.08", Decimal{math.MinInt64, 2}, "-92233720368547758.08"},
		{"zeros that do not fit are given up", "1.0000000000000000000000", Decimal{1, 0}, "1"},
		{"the largest scale", "1e-100", Decimal{1, 100}, "0." + strings.Repeat("0", 99) + "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.in)
			if err != nil || got != c.want || got.String() != c.text {
				t.Errorf("Parse(%q) = %+v (%s), %v, want %+v (%s)", c.in, got, got, err, c.want, c.text)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", ErrSyntax},
		{"a space", " ", ErrSyntax},
		{"space around", " 1", ErrSyntax},
		{"a sign alone", "-", ErrSyntax},
		{"a point alone", ".", ErrSyntax},
		{"two points", "1.2.3", ErrSyntax},
		{"two signs", "--1", ErrSyntax},
		{"not a number", "NaN", ErrSyntax},
		{"infinity", "-Inf", ErrSyntax},
		{"letters", "abc", ErrSyntax},
		{"letters after digits", "1.5 EUR", ErrSyntax},
		{"a comma", "1,50", ErrSyntax},
		{"underscores", "1_000", ErrSyntax},
		{"hexadecimal", "0x10", ErrSyntax},
		{"an exponent without digits", "1e", ErrSyntax},
		{"an exponent with a point", "1e1.5", ErrSyntax},
		{"digits of another script", "١٢", ErrSyntax},
		{"one too many", "9223372036854775808", ErrRange},
		{"one too few", "-9223372036854775809", ErrRange},
		{"beyond 64 bits", "99999999999999999999", ErrRange},
		{"too precise", "0.12345678901234567891", ErrRange},
		{"a large exponent", "1e19", ErrRange},
		{"an absurd exponent", "1e99999999999999999999", ErrRange},
		{"an absurd negative exponent", "1e-99999999999999999999", ErrRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decimal{7, 1}
			err := d.UnmarshalText([]byte(c.in))
			if !errors.Is(err, c.want) || d != (Decimal{7, 1}) {
				t.Errorf("%q gives %v, %v, want %v and no change", c.in, d, err, c.want)
			}
		})
	}
}

func TestErrorsStayShort(t *testing.T) {
	if _, err := Parse(strings.Repeat("x", 1<<20)); len(err.Error()) > 200 {
		t.Errorf("the message has %d bytes", len(err.Error()))
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		name string
		d    Decimal
		want string
		fail bool
	}{
		{"a negative scale", Decimal{5, -3}, "5000", false},
		{"zero with a negative scale", Decimal{0, -3}, "0", false},
		{"the smallest", Decimal{math.MinInt64, 19}, "-0.9223372036854775808", false},
		{"a scale beyond reason", Decimal{5, 1000}, "5E-1000", true},
		{"the smallest scale", Decimal{5, math.MinInt32}, "5E2147483648", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.d.String(); got != c.want {
				t.Errorf("String is %q, want %q", got, c.want)
			}
			if _, err := c.d.MarshalText(); (err != nil) != c.fail {
				t.Errorf("MarshalText's error is %v", err)
			}
		})
	}
}

// rat is the number as math/big sees it.
func rat(d Decimal) *big.Rat {
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.Scale, -d.Scale))), nil)
	r := new(big.Rat).SetInt64(d.Unscaled)
	if d.Scale < 0 {
		return r.Mul(r, new(big.Rat).SetInt(den))
	}
	return r.Quo(r, new(big.Rat).SetInt(den))
}

func FuzzCmp(f *testing.F) {
	f.Add(int64(15), int8(1), int64(150), int8(2))
	f.Add(int64(-1), int8(0), int64(-1), int8(-5))
	f.Add(int64(math.MinInt64), int8(0), int64(math.MaxInt64), int8(0))
	f.Add(int64(1), int8(100), int64(1), int8(-100))
	f.Add(int64(0), int8(3), int64(0), int8(-3))
	f.Add(int64(math.MaxInt64), int8(18), int64(9), int8(0))
	f.Fuzz(func(t *testing.T, a int64, as int8, b int64, bs int8) {
		x, y := Decimal{a, int32(as)}, Decimal{b, int32(bs)}
		want := rat(x).Cmp(rat(y))
		if got := x.Cmp(y); got != want || x.Less(y) != (want < 0) || x.Sign() != rat(x).Sign() {
			t.Errorf("(%v).Cmp(%v) = %d, want %d", x, y, got, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "0", "-12.50", "+.5", "5.", "1e3", "1.25E-7", "NaN", "9223372036854775808", "-9223372036854775808", "1.00000000000000000000", "0e99", "1e-101"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		if d.Sign() == 0 { // math/big refuses 0 with a huge exponent
			if mantissa, _, _ := strings.Cut(strings.ToLower(s), "e"); strings.Trim(mantissa, "+-.0") != "" {
				t.Fatalf("Parse(%q) = %v", s, d)
			}
		} else {
			want, ok := new(big.Rat).SetString(s)
			if !ok || rat(d).Cmp(want) != 0 {
				t.Fatalf("Parse(%q) = %v, math/big reads %v", s, d, want)
			}
		}
		text, err := d.MarshalText()
		if err != nil {
			t.Fatalf("%v can't be written: %v", d, err)
		}
		if again, err := Parse(string(text)); err != nil || again != d {
			t.Fatalf("%q was written as %q and read as %+v, %v", s, text, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("199.99"); err != nil {
			b.Fatal(err)
		}
	}
}
