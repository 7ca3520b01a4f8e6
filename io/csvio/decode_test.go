package csvio

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

type (
	color string
	// encoded is base64 in the file; it chooses its own code.
	encoded struct{ Text string }
	// loud refuses with an ordinary error.
	loud string
)

func (e *encoded) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return &record.Fault{Code: "invalid_base64", Message: "not base64"}
	}
	clear(text) // it may do what it likes with its argument
	e.Text = string(b)
	return nil
}

func (l *loud) UnmarshalText(text []byte) error {
	if *l = loud(strings.ToUpper(string(text))); *l == "NO" {
		return errors.New("no is not allowed")
	}
	return nil
}

// set parses text into a V, as the setter of V's type does.
func set[V any](t *testing.T, text string) (V, *record.Fault) {
	t.Helper()
	var v V
	s, ok := setterOf(reflect.TypeFor[V]())
	if !ok {
		t.Fatalf("%T has no setter", v)
	}
	fault := s(unsafe.Pointer(&v), text)
	return v, fault
}

// takes tests that text becomes want; refuses that it becomes the fault.
func takes[V any](text string, want V) func(*testing.T) {
	return func(t *testing.T) {
		s, ok := setterOf(reflect.TypeFor[V]())
		if !ok {
			t.Fatalf("%T has no setter", want)
		}
		var got V
		if fault := s(unsafe.Pointer(&got), text); fault != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %v, %v; want %v", text, got, fault, want)
		}
	}
}

func refuses[V any](text, code, message string) func(*testing.T) {
	return func(t *testing.T) {
		_, fault := set[V](t, text)
		if fault == nil || fault.Code != code || !strings.Contains(fault.Message, message) {
			t.Errorf("%q gives %v, want %s: …%s…", text, fault, code, message)
		}
	}
}

func ptr[V any](v V) *V { return &v }

func TestTypes(t *testing.T) {
	id := uuid.MustParse("38f9045a-d91d-5386-9bca-30576879af99")
	for name, test := range map[string]func(*testing.T){
		"string":                         takes(" x ", " x "),
		"empty string":                   takes("", ""),
		"named string":                   takes("red", color("red")),
		"bytes":                          takes(" x ", []byte(" x ")),
		"bool":                           takes("true", true),
		"bool in one letter":             takes(" F ", false),
		"bool in a word":                 takes("Yes", true),
		"bool in another word":           takes("OFF", false),
		"bool refused":                   refuses[bool]("si", record.CodeInvalidValue, `found "si"; allowed is true, false, yes, no,`),
		"bool as a number":               refuses[bool]("2", record.CodeInvalidValue, `found "2"`),
		"json":                           takes(` {"a": [1, null, "\u00e9"]} `, json.RawMessage(` {"a": [1, null, "\u00e9"]} `)),
		"json beside a no-break space":   refuses[json.RawMessage]("\u00a0{}", record.CodeInvalidValue, "allowed is JSON"),
		"json of a number":               takes("1.50", json.RawMessage("1.50")),
		"json refused":                   refuses[json.RawMessage](`{"a": 1`, record.CodeInvalidValue, `found "{\"a\": 1"; allowed is JSON`),
		"json, a word":                   refuses[json.RawMessage]("None", record.CodeInvalidValue, "allowed is JSON"),
		"json empty":                     refuses[json.RawMessage]("", record.CodeMissingValue, "allowed is JSON"),
		"pointer to json, white":         takes(" ", (*json.RawMessage)(nil)),
		"bool empty":                     refuses[bool]("", record.CodeMissingValue, "the value is empty"),
		"int":                            takes(" -42\t", -42),
		"int8 at its bound":              takes("-128", int8(-128)),
		"int8 beyond it":                 refuses[int8]("128", record.CodeInvalidNumber, `found "128"; allowed is a whole number of 8 bits`),
		"int16":                          takes("-32768", int16(math.MinInt16)),
		"int32":                          takes("+7", int32(7)),
		"int64":                          takes("9223372036854775807", int64(math.MaxInt64)),
		"int with a point":               refuses[int]("1.0", record.CodeInvalidNumber, `"1.0"`),
		"int with underscores":           refuses[int]("1_000", record.CodeInvalidNumber, `"1_000"`),
		"int in hexadecimal":             refuses[int]("0x10", record.CodeInvalidNumber, `"0x10"`),
		"int empty":                      refuses[int]("  ", record.CodeMissingValue, "allowed is a whole number"),
		"named int":                      takes("3", time.Duration(3)),
		"uint":                           takes("42", uint(42)),
		"uint8":                          takes("255", uint8(255)),
		"uint16":                         takes("65535", uint16(65535)),
		"uint32":                         takes("4294967295", uint32(math.MaxUint32)),
		"uint64":                         takes("18446744073709551615", uint64(math.MaxUint64)),
		"uint below 0":                   refuses[uint]("-1", record.CodeInvalidNumber, "0 or more"),
		"float64":                        takes("-1.5e3", -1500.0),
		"float32":                        takes("0.5", float32(0.5)),
		"float32 beyond its range":       refuses[float32]("1e39", record.CodeInvalidNumber, "1e39"),
		"float64 beyond its range":       refuses[float64]("1e999", record.CodeInvalidNumber, "1e999"),
		"float32 below its range":        refuses[float32]("7e-46", record.CodeInvalidNumber, "7e-46"),
		"float64 below its range":        refuses[float64]("-1e-400", record.CodeInvalidNumber, "-1e-400"),
		"float of zeros":                 takes("0.00e-400", 0.0),
		"float NaN":                      refuses[float64]("NaN", record.CodeInvalidNumber, "no NaN"),
		"float infinity":                 refuses[float64]("-Inf", record.CodeInvalidNumber, "no infinity"),
		"float in hexadecimal":           refuses[float64]("0x1p4", record.CodeInvalidNumber, "0x1p4"),
		"float with a comma":             refuses[float64]("1,5", record.CodeInvalidNumber, "1,5"),
		"decimal":                        takes(" 19.99 ", decimal.Decimal{Unscaled: 1999, Scale: 2}),
		"decimal NaN":                    refuses[decimal.Decimal]("NaN", record.CodeInvalidNumber, `found "NaN"; allowed is an exact decimal number`),
		"decimal infinity":               refuses[decimal.Decimal]("Infinity", record.CodeInvalidNumber, "Infinity"),
		"decimal too large":              refuses[decimal.Decimal]("99999999999999999999", record.CodeInvalidNumber, "9999"),
		"decimal with a currency":        refuses[decimal.Decimal]("$5", record.CodeInvalidNumber, "$5"),
		"decimal empty":                  refuses[decimal.Decimal]("", record.CodeMissingValue, "decimal"),
		"pointer to decimal":             takes("1", &decimal.Decimal{Unscaled: 1}),
		"pointer to decimal, refused":    refuses[*decimal.Decimal]("x", record.CodeInvalidNumber, `"x"`),
		"pointer to decimal, empty":      takes("", (*decimal.Decimal)(nil)),
		"pointer to decimal, white":      takes(" ", (*decimal.Decimal)(nil)),
		"pointer to string":              takes("x", ptr("x")),
		"pointer to string, empty":       takes("", (*string)(nil)),
		"pointer to string, white":       takes(" ", ptr(" ")),
		"pointer to bytes, white":        takes(" ", ptr([]byte(" "))),
		"pointer to a named string":      takes("red", ptr(color("red"))),
		"pointer to time":                takes("2026-01-29 10:00:00", ptr(time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC))),
		"uuid":                           takes(" 38f9045a-d91d-5386-9bca-30576879af99", id),
		"uuid in upper case":             takes("38F9045A-D91D-5386-9BCA-30576879AF99", id),
		"uuid without hyphens":           takes("38f9045ad91d53869bca30576879af99", id),
		"uuid in braces":                 takes("{38f9045a-d91d-5386-9bca-30576879af99}", id),
		"uuid as a URN":                  refuses[uuid.UUID]("urn:uuid:38f9045a-d91d-5386-9bca-30576879af99", record.CodeInvalidUUID, "urn:"),
		"uuid in what is no braces":      refuses[uuid.UUID]("(38f9045a-d91d-5386-9bca-30576879af99)", record.CodeInvalidUUID, "(38f9"),
		"uuid cut":                       refuses[uuid.UUID]("38f9045a", record.CodeInvalidUUID, `found "38f9045a"; allowed is a UUID such as`),
		"uuid with other letters":        refuses[uuid.UUID]("z8f9045a-d91d-5386-9bca-30576879af99", record.CodeInvalidUUID, "z8f9"),
		"uuid empty":                     refuses[uuid.UUID]("", record.CodeMissingValue, "UUID"),
		"text unmarshaler":               takes("aGk=", encoded{"hi"}),
		"text unmarshaler, own fault":    refuses[encoded]("?", "invalid_base64", "not base64"),
		"text unmarshaler, other error":  refuses[loud]("no", record.CodeInvalidValue, `found "no"; allowed is what csvio.loud reads (no is not allowed)`),
		"text unmarshaler, trimmed":      takes(" yes ", loud("YES")),
		"text unmarshaler, empty":        refuses[loud]("", record.CodeMissingValue, "empty"),
		"pointer to a text unmarshaler":  takes("yes", ptr(loud("YES"))),
		"what was found is kept short":   refuses[int](strings.Repeat("x", 1000), record.CodeInvalidNumber, `"`+strings.Repeat("x", 64)+`"…; allowed`),
		"and cut between two characters": refuses[int](strings.Repeat("€", 1000), record.CodeInvalidNumber, `"`+strings.Repeat("€", 21)+`"…; allowed`),
	} {
		t.Run(name, test)
	}
}

func TestTimestamps(t *testing.T) {
	at := time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]func(*testing.T){
		"with a space":                takes("2026-01-29 10:00:00", at),
		"with a T":                    takes("2026-01-29T10:00:00", at),
		"RFC 3339":                    takes("2026-01-29T10:00:00Z", at),
		"in small letters":            takes("2026-01-29t10:00:00z", at),
		"microseconds":                takes("2026-01-29 10:00:00.123456", at.Add(123_456*time.Microsecond)),
		"one digit of a second":       takes("2026-01-29 10:00:00.5", at.Add(time.Second/2)),
		"nanoseconds":                 takes("2026-01-29T10:00:00.123456789Z", at.Add(123_456_789)),
		"digits below a nanosecond":   takes("2026-01-29T10:00:00.1234567899Z", at.Add(123_456_789)),
		"digits that decide a tie":    takes("2026-01-29 10:00:00.0000005000000001", at.Add(501)),
		"digits below a double":       takes("2026-01-29 10:00:00.00000050000000000000000000000001", at.Add(500)),
		"almost a tie":                takes("2026-01-29 10:00:00.0000014999999999999999999999999", at.Add(1500)),
		"as long as PostgreSQL reads": takes("2026-01-29 10:00:00."+strings.Repeat("0", 108), at),
		"longer":                      refuses[time.Time]("2026-01-29 10:00:00."+strings.Repeat("0", 109), record.CodeInvalidTimestamp, ""),
		"the furthest zone":           takes("2026-01-29 10:00:00+15:59", at.Add(-16*time.Hour+time.Minute)),
		"a zone beyond it":            refuses[time.Time]("2026-01-29 10:00:00-16:00", record.CodeInvalidTimestamp, ""),
		"east":                        takes("2026-01-29T11:30:00+01:30", at),
		"west, the day before":        takes("2026-01-28T23:00:00.5-11:00", at.Add(time.Second/2)),
		"an offset in hours":          takes("2026-01-29 12:00:00+02", at),
		"an offset without a colon":   takes("2026-01-29 12:00:00+0200", at),
		"white space around":          takes(" 2026-01-29 10:00:00\t", at),
		"a leap day":                  takes("2024-02-29 00:00:00", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)),
		"a leap day in 2000":          takes("2000-02-29 00:00:00", time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC)),
		"the first":                   takes("0001-01-01 00:00:00", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)),
		"the last":                    takes("9999-12-31 23:59:59.999999", time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)),
		"empty":                       refuses[time.Time]("", record.CodeMissingValue, "a time such as 2006-01-02"),
		"no leap day":                 refuses[time.Time]("2025-02-29 00:00:00", record.CodeInvalidTimestamp, `found "2025-02-29 00:00:00"; allowed is a time such as`),
		"no leap day in 1900":         refuses[time.Time]("1900-02-29 00:00:00", record.CodeInvalidTimestamp, ""),
		"no day 31":                   refuses[time.Time]("2026-04-31 00:00:00", record.CodeInvalidTimestamp, ""),
		"no day 0":                    refuses[time.Time]("2026-01-00 00:00:00", record.CodeInvalidTimestamp, ""),
		"no month 13":                 refuses[time.Time]("2026-13-01 00:00:00", record.CodeInvalidTimestamp, ""),
		"no month 0":                  refuses[time.Time]("2026-00-01 00:00:00", record.CodeInvalidTimestamp, ""),
		"no hour 24":                  refuses[time.Time]("2026-01-01 24:00:00", record.CodeInvalidTimestamp, ""),
		"no minute 60":                refuses[time.Time]("2026-01-01 00:60:00", record.CodeInvalidTimestamp, ""),
		"no second 60":                refuses[time.Time]("2026-01-01 23:59:60", record.CodeInvalidTimestamp, ""),
		"no year 0":                   refuses[time.Time]("0000-01-01 00:00:00", record.CodeInvalidTimestamp, ""),
		"before year 1 in UTC":        refuses[time.Time]("0001-01-01 00:00:00+01", record.CodeInvalidTimestamp, ""),
		"after year 9999 in UTC":      refuses[time.Time]("9999-12-31 23:59:59-01", record.CodeInvalidTimestamp, ""),
		"a date alone":                refuses[time.Time]("2026-01-29", record.CodeInvalidTimestamp, ""),
		"no seconds":                  refuses[time.Time]("2026-01-29 10:00", record.CodeInvalidTimestamp, ""),
		"a point without digits":      refuses[time.Time]("2026-01-29 10:00:00.", record.CodeInvalidTimestamp, ""),
		"another order":               refuses[time.Time]("29.01.2026 10:00:00", record.CodeInvalidTimestamp, ""),
		"slashes":                     refuses[time.Time]("2026/01/29 10:00:00", record.CodeInvalidTimestamp, ""),
		"a zone by its name":          refuses[time.Time]("2026-01-29 10:00:00 CET", record.CodeInvalidTimestamp, ""),
		"a zone of a sign":            refuses[time.Time]("2026-01-29 10:00:00+", record.CodeInvalidTimestamp, ""),
		"a zone of one digit":         refuses[time.Time]("2026-01-29 10:00:00+1", record.CodeInvalidTimestamp, ""),
		"a zone with another colon":   refuses[time.Time]("2026-01-29 10:00:00+01.30", record.CodeInvalidTimestamp, ""),
		"a zone without a sign":       refuses[time.Time]("2026-01-29 10:00:00x01:30", record.CodeInvalidTimestamp, ""),
		"a zone of 24 hours":          refuses[time.Time]("2026-01-29 10:00:00+24:00", record.CodeInvalidTimestamp, ""),
		"a zone of 60 minutes":        refuses[time.Time]("2026-01-29 10:00:00+01:60", record.CodeInvalidTimestamp, ""),
		"text after the zone":         refuses[time.Time]("2026-01-29 10:00:00ZZ", record.CodeInvalidTimestamp, ""),
		"seconds since 1970":          refuses[time.Time]("1769680800", record.CodeInvalidTimestamp, ""),
		"letters among the digits":    refuses[time.Time]("2026-01-2a 10:00:00", record.CodeInvalidTimestamp, ""),
		"signs among the digits":      refuses[time.Time]("2026-01-+9 10:00:00", record.CodeInvalidTimestamp, ""),
		"digits of another script":    refuses[time.Time]("٢026-01-29 10:00:00", record.CodeInvalidTimestamp, ""),
		"something between the two":   refuses[time.Time]("2026-01-29_10:00:00", record.CodeInvalidTimestamp, ""),
		"a letter in the fraction":    refuses[time.Time]("2026-01-29 10:00:00.12a", record.CodeInvalidTimestamp, ""),
		"letters among zone's digit":  refuses[time.Time]("2026-01-29 10:00:00+0a:00", record.CodeInvalidTimestamp, ""),
	} {
		t.Run(name, test)
	}
}

// FuzzTimestamp holds that every RFC 3339 time that time.Parse reads is read
// the same, as far as PostgreSQL has its zone, and that nothing else panics.
func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{"2026-01-29T10:00:00Z", "2026-01-29 10:00:00.123456", "2024-02-29T23:59:59.999999999-11:59", "0001-01-01T00:00:00+23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTimestamp(s)
		if err == nil && (got.Location() != time.UTC || got.Year() < 1 || got.Year() > 9999) {
			t.Fatalf("%q gives %v", s, got)
		}
		want, errWant := time.Parse(time.RFC3339Nano, s)
		_, east := want.Zone()
		if y := want.UTC().Year(); errWant != nil || y < 1 || y > 9999 || strings.ContainsRune(s, ',') || max(east, -east) >= 16*3600 || len(s) > maxTimeLen {
			return // time.Parse also takes other zones, and a comma before the fraction
		}
		if err != nil && len(s) >= len("2006-01-02T15:04:05Z") && s[13] == ':' {
			t.Fatalf("%q is refused, time.Parse reads %v", s, want)
		}
		if d := got.Sub(want); err == nil && d != 0 && d != 1 { // 1: see settleTie
			t.Fatalf("%q gives %v, time.Parse reads %v", s, got, want)
		}
	})
}

// FuzzUUID holds that what uuid.Parse reads is read the same, but for what
// PostgreSQL refuses, and that what it refuses is refused.
func FuzzUUID(f *testing.F) {
	for _, s := range []string{
		"38f9045a-d91d-5386-9bca-30576879af99", "38F9045A-D91D-5386-9BCA-30576879AF99", "38f9045a-d91d-5386-9bca-30576879af9g", "38f9045ad-91d-5386-9bca-30576879af99",
		"{38f9045a-d91d-5386-9bca-30576879af99}", "urn:uuid:38f9045a-d91d-5386-9bca-30576879af99", "38f9045ad91d53869bca30576879af99", "38f9045a_d91d_5386_9bca_30576879af99",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseUUID(s)
		want, errWant := uuid.Parse(s)
		if len(s) == 38 && (s[0] != '{' || s[37] != '}') || len(s) == len("urn:uuid:")+36 {
			errWant = errors.New("PostgreSQL does not read these")
		}
		if (err == nil) != (errWant == nil) || err == nil && got != want {
			t.Fatalf("%q gives %v, %v; uuid.Parse: %v, %v", s, got, err, want, errWant)
		}
	})
}

func TestTheFirstBadColumnOfTheFileWins(t *testing.T) {
	recs := readAll[order](t, splitAll[order](t, record.Work{File: writeFile(t,
		"price,placed,user,id\nx,never,Ann,?\n1,never,Ann,?\n1,2026-01-29 10:00:00,Ann,?\n")}))
	for i, want := range []string{"price", "placed", "id"} {
		if recs[i].Fault == nil || recs[i].Fault.Column != want || recs[i].Value != (order{}) {
			t.Errorf("record %d: fault %v, value %v, want column %s", i, recs[i].Fault, recs[i].Value, want)
		}
	}
}

func TestOptionalColumns(t *testing.T) {
	const row = "38f9045a-d91d-5386-9bca-30576879af99,Ann,1,2026-01-29 10:00:00"
	for _, c := range []struct {
		name, content string
		want          *string
	}{
		{"missing", "id,user,price,placed\n" + row + "\n", nil},
		{"empty", "id,user,price,placed,comment\n" + row + ",\n", nil},
		{"there", "id,user,price,placed,comment\n" + row + ",hi\n", ptr("hi")},
	} {
		t.Run(c.name, func(t *testing.T) {
			recs := readAll[order](t, splitAll[order](t, record.Work{File: writeFile(t, c.content)}))
			if got := recs[0]; got.Kind != record.KindValue || !reflect.DeepEqual(got.Value.Comment, c.want) {
				t.Errorf("the comment is %v, fault %v", got.Value.Comment, got.Fault)
			}
		})
	}
}

func TestTimesWithoutAZone(t *testing.T) {
	type placed struct {
		At time.Time `csv:"at,timestamp"`
	}
	s := mustSchema[placed]()
	at := time.Date(2024, 2, 29, 10, 0, 0, 123456789, time.UTC)
	for text, want := range map[string]time.Time{
		"2024-02-29T10:00:00.123456789": at,
		" 2024-02-29 10:00:00 ":         at.Truncate(time.Second),
		"2024-02-29 10:00:00Z":          {},
		"2024-02-29 10:00:00+00":        {},
		"2024-02-29 10:00:00.5-01:00":   {},
		"2024-02-29":                    {},
	} {
		var p placed
		fault := s.columns[0].set(unsafe.Pointer(&p.At), text)
		if !p.At.Equal(want) || want.IsZero() && (fault == nil || !strings.Contains(fault.Message, "a time without a zone")) {
			t.Errorf("%q gives %v, %v", text, p.At, fault)
		}
	}
}

func TestDates(t *testing.T) {
	type dated struct {
		Day   time.Time  `csv:"day,date"`
		Other *time.Time `csv:"other,optional,date"`
	}
	s := mustSchema[dated]()
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text string
		want *time.Time
		code string
	}{
		{"2024-02-29", &day, ""},
		{" 2024-02-29 ", &day, ""},
		{"2023-02-29", nil, record.CodeInvalidTimestamp},
		{"2024-02-29 00:00:00", nil, record.CodeInvalidTimestamp},
		{"29.02.2024", nil, record.CodeInvalidTimestamp},
		{"20240229", nil, record.CodeInvalidTimestamp},
		{"0000-01-01", nil, record.CodeInvalidTimestamp},
		{"", nil, record.CodeMissingValue},
	} {
		var d dated
		fault := s.columns[0].set(unsafe.Pointer(&d.Day), c.text)
		if c.want != nil && (fault != nil || !d.Day.Equal(*c.want)) || c.want == nil && (fault == nil || fault.Code != c.code) {
			t.Errorf("%q gives %v, %v", c.text, d.Day, fault)
		}
		fault = s.columns[1].set(unsafe.Pointer(&d.Other), c.text)
		if c.want != nil && (fault != nil || !d.Other.Equal(*c.want)) || c.text == "" && (fault != nil || d.Other != nil) {
			t.Errorf("pointer: %q gives %v, %v", c.text, d.Other, fault)
		}
	}
}
