package postgresio

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/transforms/decimal"
)

// encodeFunc appends the binary form of the value at p; null reports that it
// is NULL and nothing was appended. An error says that the column can't hold
// the value.
type encodeFunc func(dst []byte, p unsafe.Pointer) (out []byte, null bool, err error)

// encoderOf returns the encoder for a Go type and a column: bytes appended by
// hand for the usual pairs, which costs a third of the time of pgx's plans, and
// pgx's own for every other pair that fits.
func encoderOf(t reflect.Type, col column, types *pgtype.Map) (encodeFunc, error) {
	if t.Kind() == reflect.Pointer {
		elem, err := encoderOf(t.Elem(), col, types)
		if err != nil {
			return nil, err
		}
		return func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
			target := *(*unsafe.Pointer)(p)
			if target == nil {
				return dst, true, nil
			}
			return elem(dst, target)
		}, nil
	}
	if !fits(t, col.typeOID, types) {
		return nil, misfit(t, col)
	}
	if encode := handEncoder(t, col.typeOID); encode != nil {
		if n := col.limit(); n > 0 && t.Kind() == reflect.String {
			return limited(n), nil
		}
		return encode, nil
	}
	if slices.Contains(textOIDs, col.typeOID) && marshalsText(t) {
		return textEncoder(t), nil
	}
	encode := pgxEncoder(t, col, types)
	if t == addrType {
		return withoutZone(encode), nil
	}
	return encode, nil
}

var (
	uuidType    = reflect.TypeFor[uuid.UUID]()
	timeType    = reflect.TypeFor[time.Time]()
	decimalType = reflect.TypeFor[decimal.Decimal]()
)

func handEncoder(t reflect.Type, oid uint32) encodeFunc {
	switch {
	case t == uuidType && oid == pgtype.UUIDOID:
		return encodeUUID
	case t == timeType && (oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID):
		return encodeTime
	case t == timeType && oid == pgtype.DateOID:
		return encodeDate
	case t == decimalType && oid == pgtype.NumericOID:
		return encodeDecimal
	case t.Kind() == reflect.String && (oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.BPCharOID):
		return encodeString
	case t.Kind() == reflect.String && oid == pgtype.XMLOID && !t.Implements(valuerType):
		return encodeXML
	case t.Kind() == reflect.Int64 && oid == pgtype.Int8OID:
		return encodeInt64
	}
	return nil
}

func encodeUUID(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	return append(dst, (*uuid.UUID)(p)[:]...), false, nil
}

func encodeString(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	return append(dst, *(*string)(p)...), false, nil
}

// limited encodes strings for varchar(n) without the blanks that it cuts off, so
// that keys and versions in a tuple are those that are stored.
func limited(n int) encodeFunc {
	return func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
		return append(dst, cutBlanks(*(*string)(p), n)...), false, nil
	}
}

func encodeInt64(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(*(*int64)(p))), false, nil
}

// encodeXML refuses a document that declares another encoding than UTF-8.
// PostgreSQL ignores the declaration in text, but goes by it in binary form.
func encodeXML(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	document := *(*string)(p)
	if name := declaredEncoding(document); name != "" && !strings.EqualFold(name, "UTF-8") && !strings.EqualFold(name, "UTF8") {
		return dst, false, fmt.Errorf("the document declares the encoding %q; its characters are UTF-8 here, so leave the declaration out", name)
	}
	return append(dst, document...), false, nil
}

// declaredEncoding is the encoding that an XML declaration names, or nothing.
func declaredEncoding(document string) string {
	declaration, _, _ := strings.Cut(document, "?>")
	_, value, found := strings.Cut(declaration, "encoding")
	value = strings.TrimLeft(value, " \t\r\n=")
	if !strings.HasPrefix(declaration, "<?xml") || !found || value == "" {
		return ""
	}
	name, _, _ := strings.Cut(value[1:], value[:1])
	return name
}

// postgresEpoch is 2000-01-01 UTC in microseconds since 1970; timestamps are
// int64 microseconds from it (PostgreSQL manual, "Date/Time Types").
const postgresEpoch = 946684800 * 1_000_000

func encodeTime(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	t := *(*time.Time)(p)
	if err := checkYear(t); err != nil {
		return dst, false, err
	}
	return binary.BigEndian.AppendUint64(dst, uint64(t.Unix()*1_000_000+roundMicros(t.Nanosecond())-postgresEpoch)), false, nil
}

// roundMicros rounds a fraction of a second as PostgreSQL rounds it in a text: the
// product of a double, to even (src/backend/utils/adt/datetime.c,
// ParseFractionalSecond).
func roundMicros(nanos int) int64 {
	if nanos%1000 == 0 {
		return int64(nanos / 1000)
	}
	return int64(math.RoundToEven(float64(nanos) / 1e9 * 1e6))
}

// encodeDate appends a day, midnight in UTC, as int32 days from 2000-01-01.
func encodeDate(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	t := *(*time.Time)(p)
	if err := checkYear(t); err != nil {
		return dst, false, err
	}
	const day = 24 * 60 * 60
	seconds := t.Unix() - postgresEpoch/1_000_000
	if seconds%day != 0 || t.Nanosecond() != 0 {
		return dst, false, fmt.Errorf("the date column would drop the time of day of %s", t.UTC().Format("2006-01-02 15:04:05.999999999 UTC"))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(int32(seconds/day))), false, nil
}

// The first second that PostgreSQL holds, and the first that it does not.
var (
	minSecond = time.Date(-4712, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	endSecond = time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

func checkYear(t time.Time) error {
	if s := t.Unix(); s < minSecond || s >= endSecond {
		return fmt.Errorf("the year %d is out of PostgreSQL's range, 4713 BC to 294276", t.UTC().Year())
	}
	return nil
}

// encodeDecimal appends a numeric: int16 number of digits in base 10000,
// weight of the first, sign, digits after the point, and the digits
// (PostgreSQL, src/backend/utils/adt/numeric.c, numeric_recv).
func encodeDecimal(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
	d := *(*decimal.Decimal)(p)
	sign, unscaled := uint16(0), uint64(d.Unscaled)
	if d.Unscaled < 0 {
		sign, unscaled = 0x4000, -unscaled
	}
	scale := int(d.Scale)
	if scale < -1000 || scale > 1000 {
		return dst, false, fmt.Errorf("the scale %d is out of range, -1000 to 1000", scale)
	}
	// Digits of base 10000 begin at multiples of four decimal places from the
	// point: shift so that the number ends at one.
	shift := ((-scale)%4 + 4) % 4
	var digits [6]uint16 // the lowest first: 2^63 * 1000 has 22 decimal digits
	n := 0
	for high, low := bits.Mul64(unscaled, pow10[shift]); high|low != 0; n++ {
		var rem uint64
		high, rem = high/10000, high%10000
		low, rem = bits.Div64(rem, low, 10000)
		digits[n] = uint16(rem)
	}
	weight := n - 1 - (scale+shift)/4
	first := 0
	for first < n && digits[first] == 0 {
		first++
	}
	if n == 0 {
		weight = 0
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(n-first))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(max(scale, 0)))
	for i := n - 1; i >= first; i-- {
		dst = binary.BigEndian.AppendUint16(dst, digits[i])
	}
	return dst, false, nil
}

// pgxEncoder uses pgx's encoders, for pairs that fit. A document is given by its
// address, because its methods may need one.
func pgxEncoder(t reflect.Type, col column, types *pgtype.Map) encodeFunc {
	byAddress := t.Kind() == reflect.Struct && slices.Contains(jsonOIDs, col.typeOID)
	return func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
		value := reflect.NewAt(t, p)
		if !byAddress {
			value = value.Elem()
		}
		out, err := types.Encode(col.typeOID, pgtype.BinaryFormatCode, value.Interface(), dst)
		if err != nil {
			return dst, false, err
		}
		if out == nil {
			return dst, true, nil
		}
		return out, false, nil
	}
}

// textEncoder writes a type's MarshalText.
func textEncoder(t reflect.Type) encodeFunc {
	return func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
		text, err := reflect.NewAt(t, p).Interface().(encoding.TextMarshaler).MarshalText()
		return append(dst, text...), false, err
	}
}

// withoutZone refuses addresses with a zone, such as fe80::1%eth0: PostgreSQL has none.
func withoutZone(encode encodeFunc) encodeFunc {
	return func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
		if a := (*netip.Addr)(p); a.Zone() != "" {
			return dst, false, fmt.Errorf("the address %s has a zone, which PostgreSQL does not store", a)
		}
		return encode(dst, p)
	}
}

var pow10 = [4]uint64{1, 10, 100, 1000}
