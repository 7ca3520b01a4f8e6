package postgresio

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/transforms/decimal"
)

// upper is a type that only its MarshalText makes a text of.
type upper struct{ S string }

func (u upper) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(u.S)), nil }

// hidden has nothing that could be written.
type hidden struct{ _ string }

type (
	status string
	level  int16
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", s)
	if err != nil {
		panic(err)
	}
	return t
}

func ptr[V any](v V) *V { return &v }

// typesDDL makes the types of the cases below.
const typesDDL = `
create type color as enum ('red', 'green');
create domain short as varchar(5);
create domain shorter as short check (value <> 'no');
create domain tint as color;
create domain cents as numeric(8,2);
create extension if not exists citext;`

// fieldCases are values, the types of columns, and how PostgreSQL shows what is
// stored: <null> for NULL, and nothing at all where the value is refused.
var fieldCases = []struct {
	value  any
	column string
	want   string
}{
	{uuid.MustParse("38f9045a-d91d-5386-9bca-30576879af99"), "uuid", "38f9045a-d91d-5386-9bca-30576879af99"},
	{uuid.UUID{}, "uuid", "00000000-0000-0000-0000-000000000000"},
	{uuid.MustParse("38f9045a-d91d-5386-9bca-30576879af99"), "text", "38f9045a-d91d-5386-9bca-30576879af99"},
	{ptr(uuid.UUID{15: 1}), "uuid", "00000000-0000-0000-0000-000000000001"},
	{(*uuid.UUID)(nil), "uuid", "<null>"},

	{"", "text", ""},
	{"a\tb\n\"c\" \\N é 🛒", "text", "a\tb\n\"c\" \\N é 🛒"},
	{strings.Repeat("x", 100_000), "text", strings.Repeat("x", 100_000)},
	{"five5", "varchar(5)", "five5"},
	{"abc", "char(5)", "abc"},
	{"abc", "bpchar", "abc"},
	{"red", "color", "red"},
	{"green", "tint", "green"},
	{"abc", "short", "abc"},
	{"abc", "shorter", "abc"},
	{"AbC", "citext", "AbC"},
	{"abc", "name", "abc"},
	{`{"a": 1}`, "json", `{"a": 1}`},
	{`{"a":   1}`, "jsonb", `{"a": 1}`},
	{"<a/>", "xml", "<a/>"},
	{status("open"), "text", "open"},
	{ptr(status("open")), "text", "open"},
	{ptr("x"), "varchar", "x"},
	{(*string)(nil), "jsonb", "<null>"},

	{true, "boolean", "true"},
	{false, "boolean", "false"},
	{ptr(false), "boolean", "false"},
	{(*bool)(nil), "boolean", "<null>"},

	{int8(-128), "smallint", "-128"},
	{int16(-32768), "smallint", "-32768"},
	{int32(math.MinInt32), "integer", "-2147483648"},
	{int64(math.MinInt64), "bigint", "-9223372036854775808"},
	{int64(math.MaxInt64), "bigint", "9223372036854775807"},
	{int64(math.MinInt64), "numeric", "-9223372036854775808"},
	{int(7), "integer", "7"},
	{int64(7), "smallint", "7"},
	{uint8(255), "smallint", "255"},
	{uint16(65535), "integer", "65535"},
	{uint32(math.MaxUint32), "bigint", "4294967295"},
	{uint64(math.MaxUint64), "numeric", "18446744073709551615"},
	{uint(7), "numeric", "7"},
	{level(3), "smallint", "3"},
	{ptr(int64(5)), "bigint", "5"},
	{(*int64)(nil), "bigint", "<null>"},

	{float32(1.5), "real", "1.5"},
	{float32(0.1), "double precision", "0.10000000149011612"},
	{0.1, "double precision", "0.1"},
	{math.MaxFloat64, "double precision", "1.7976931348623157e+308"},
	{math.NaN(), "double precision", "NaN"},
	{math.Inf(-1), "double precision", "-Infinity"},
	{0.1, "numeric", "0.1"},
	{(*float64)(nil), "double precision", "<null>"},

	{*price("19.99"), "numeric(12,2)", "19.99"},
	{*price("19.999"), "numeric(12,2)", "20.00"},
	{*price("-0.5"), "cents", "-0.50"},
	{*price("19.90"), "numeric", "19.90"},
	{*price("19.90"), "text", "19.90"},
	{price("7"), "numeric", "7"},
	{(*decimal.Decimal)(nil), "numeric", "<null>"},

	{at("2026-01-29T10:00:00.123456Z"), "timestamptz", "2026-01-29 10:00:00.123456+00"},
	{at("2026-01-29T10:00:00.123456789Z"), "timestamptz", "2026-01-29 10:00:00.123457+00"},
	{at("2026-01-29T10:00:00.0000005Z"), "timestamptz", "2026-01-29 10:00:00+00"},
	{at("2026-01-29T10:00:00.0000015Z"), "timestamptz", "2026-01-29 10:00:00.000002+00"},
	{at("1969-12-31T23:59:59.9999996Z"), "timestamptz", "1970-01-01 00:00:00+00"},
	{at("2026-01-29T10:00:00+02:00"), "timestamptz", "2026-01-29 08:00:00+00"},
	{at("2026-01-29T10:00:00+02:00"), "timestamp", "2026-01-29 08:00:00"},
	{at("1999-12-31T23:59:59.999999Z"), "timestamptz", "1999-12-31 23:59:59.999999+00"},
	{at("0001-01-01T00:00:00Z"), "timestamptz", "0001-01-01 00:00:00+00"},
	{at("9999-12-31T23:59:59.999999Z"), "timestamp", "9999-12-31 23:59:59.999999"},
	{time.Date(-4700, 1, 1, 0, 0, 0, 0, time.UTC), "timestamp", "4701-01-01 00:00:00 BC"},
	{at("2026-01-29T19:00:00-05:00"), "date", "2026-01-30"},
	{at("2000-01-01T01:00:00+01:00"), "date", "2000-01-01"},
	{at("0001-01-01T00:00:00Z"), "date", "0001-01-01"},
	{at("9999-12-31T00:00:00Z"), "date", "9999-12-31"},
	{ptr(at("1999-12-31T00:00:00Z")), "date", "1999-12-31"},
	{(*time.Time)(nil), "timestamptz", "<null>"},
	{90 * time.Second, "interval", "00:01:30"},
	{3 * time.Nanosecond, "bigint", "3"},

	{[]byte{0, 1, 0xff}, "bytea", `\x0001ff`},
	{[]byte{}, "bytea", `\x`},
	{[]byte(nil), "bytea", "<null>"},
	{json.RawMessage(`[1, 2]`), "jsonb", "[1, 2]"},
	{[]string{"a", "b,c"}, "text[]", `{a,"b,c"}`},
	{[]int32{1, 2}, "integer[]", "{1,2}"},
	{map[string]int{"a": 1}, "jsonb", `{"a": 1}`},
	{upper{"abc"}, "text", "ABC"},
	{ptr(upper{"abc"}), "varchar", "ABC"},
	{*big.NewInt(7), "text", "7"},
	{`<?xml version="1.0" encoding="utf-8"?><a>é</a>`, "xml", `<?xml version="1.0" encoding="utf-8"?><a>é</a>`},
	{netip.MustParseAddr("10.0.0.1"), "inet", "10.0.0.1/32"},
	{netip.MustParsePrefix("10.0.0.0/8"), "cidr", "10.0.0.0/8"},
	{pgtype.Text{}, "text", "<null>"},
}

// rowType is a struct with a key and a field of a type.
func rowType(t reflect.Type) reflect.Type {
	return reflect.StructOf([]reflect.StructField{
		{Name: "ID", Type: reflect.TypeFor[int64](), Tag: `db:"id"`},
		{Name: "V", Type: t, Tag: `db:"v"`},
	})
}

func TestFieldsRoundTrip(t *testing.T) {
	w := newWorld(t, typesDDL)
	for i, c := range fieldCases {
		name := fmt.Sprintf("%T to %s", c.value, c.column)
		t.Run(name, func(t *testing.T) {
			table := fmt.Sprintf("t%d", i)
			w.exec(fmt.Sprintf("create table %s (id bigint primary key, v %s)", table, c.column))
			for id, staged := range []bool{false, true} {
				if err := storeField(w, table, int64(id), c.value, staged); err != nil {
					t.Fatal(err)
				}
				text := "v::text"
				if c.column == "char(5)" {
					text = "rtrim(v::text)"
				}
				got := one[string](w, fmt.Sprintf("select coalesce(%s, '<null>') from %s where id = $1", text, table), id)
				if got != c.want {
					t.Errorf("staged %v: got %.200q, want %.200q", staged, got, c.want)
				}
			}
		})
	}
}

// storeField writes a row with the value by COPY or by INSERT, the sink's two ways.
func storeField(w *world, table string, id int64, value any, staged bool) error {
	ctx := context.Background()
	typ := rowType(reflect.TypeOf(value))
	fields, err := fieldsOf(typ)
	if err != nil {
		return err
	}
	target, err := inspect(ctx, w.pool, loadOptions{Table: table}, fields)
	if err != nil {
		return err
	}
	enc, err := newRowEncoder(fields, target, pgtype.NewMap())
	if err != nil {
		return err
	}
	v := reflect.New(typ)
	v.Elem().Field(0).SetInt(id)
	v.Elem().Field(1).Set(reflect.ValueOf(value))
	tuple, refused := enc.appendTuple(nil, v.UnsafePointer())
	if refused != nil {
		return refused
	}
	u := &unit{tuples: tuple}
	r := &row{key: enc.key(v.UnsafePointer(), tuple), end: uint32(len(tuple)), unit: u}
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	a := &attempt{e: &engine{table: target, columns: columnsOf(fields)}, conn: conn.Conn()}
	if staged {
		return a.insertRows(ctx, []*row{r})
	}
	return a.copyRows(ctx, []*row{r})
}

func TestValuesThatTheirColumnCannotHold(t *testing.T) {
	w := newWorld(t, typesDDL)
	for _, c := range []struct {
		value  any
		column string
		says   string
	}{
		{int64(40_000), "smallint", "40000"},
		{uint64(math.MaxUint64), "bigint", "18446744073709551615"},
		{time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), "timestamptz", "year 300000"},
		{time.Date(-4713, 1, 1, 0, 0, 0, 0, time.UTC), "timestamp", "year -4713"},
		{decimal.Decimal{Unscaled: 1, Scale: 1001}, "numeric", "scale 1001"},
		{at("2026-01-29T23:00:00-05:00"), "date", "the time of day of 2026-01-30 04:00:00 UTC"},
		{at("2026-01-29T00:00:00.000000001Z"), "date", "time of day"},
		{netip.MustParseAddr("fe80::1%eth0"), "inet", "fe80::1%eth0 has a zone"},
		{`<?xml version="1.0" encoding='ISO-8859-1'?><a>é</a>`, "xml", `declares the encoding "ISO-8859-1"`},
		{strings.Repeat("x", 64), "name", "42622"},
		{"blue", "color", "22P02"},
		{"no", "shorter", "23514"},
		{"{", "jsonb", "22P02"},
		{"toolong", "varchar(5)", "22001"},
		{*price("1000000"), "cents", "22003"},
	} {
		t.Run(fmt.Sprintf("%v in %s", c.value, c.column), func(t *testing.T) {
			w.exec("drop table if exists t")
			w.exec("create table t (id bigint primary key, v " + c.column + ")")
			if err := storeField(w, "t", 1, c.value, false); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
		})
	}
}

func TestTypesThatDoNotFitAreRefusedAtStart(t *testing.T) {
	w := newWorld(t, typesDDL)
	for _, c := range []struct {
		value  any
		column string
		right  string // what a column would be
	}{
		{uuid.UUID{}, "bytea", "uuid"},
		{uuid.UUID{}, "bigint", "uuid"},
		{"", "uuid", "text"},
		{"", "numeric", "text"},
		{"", "timestamptz", "text"},
		{"", "money", "text"},
		{"", `"char"`, "text"},
		{true, "text", "boolean"},
		{int64(0), "text", "bigint"},
		{int64(0), "money", "bigint"},
		{int32(0), "real", "integer"},
		{uint64(0), "boolean", "numeric"},
		{1.5, "integer", "double precision"},
		{1.5, "real", "double precision"},
		{float32(1.5), "bigint", "real"},
		{decimal.Decimal{}, "double precision", "numeric"},
		{ptr(decimal.Decimal{}), "bigint", "numeric"},
		{time.Time{}, "text", "timestamptz"},
		{time.Time{}, "time", "timestamptz"},
		{time.Second, "text", "interval"},
		{[]byte{}, "text", "bytea"},
		{[]string{}, "integer[]", "jsonb"},
		{map[string]string{}, "text", "jsonb"},
		{upper{}, "integer", "text"},
		{netip.Addr{}, "text", "inet"},
	} {
		t.Run(fmt.Sprintf("%T to %s", c.value, c.column), func(t *testing.T) {
			w.exec("drop table if exists t")
			w.exec("create table t (id bigint primary key, v " + c.column + ")")
			err := storeField(w, "t", 1, c.value, false)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, s := range []string{".V", `"v"`, "public.t", reflect.TypeOf(c.value).String(), c.right} {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error %q does not say %q", err, s)
				}
			}
		})
	}
}

func TestDecimalsOfEveryScale(t *testing.T) {
	w := newWorld(t)
	var unscaled []int64
	for _, v := range []int64{0, 1, 9, 10, 99, 1000, 9999, 10000, 10001, 99999999, 100000000, 123456789012345678, math.MaxInt64} {
		unscaled = append(unscaled, v, -v)
	}
	unscaled = append(unscaled, math.MinInt64)
	for _, v := range unscaled {
		for _, scale := range []int32{-1000, -100, -9, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 18, 19, 20, 37, 100, 1000} {
			d := decimal.Decimal{Unscaled: v, Scale: scale}
			b, _, err := encodeDecimal(nil, pointerTo(&d))
			if err != nil {
				t.Fatal(err)
			}
			got := w.decodeNumeric(b)
			want := one[string](w, "select ($1::text || 'e' || $2::int)::numeric::text", fmt.Sprint(v), -scale)
			if got != want {
				t.Errorf("%de%d: got %.40s, want %.40s", v, -scale, got, want)
			}
		}
	}
}

// decodeNumeric has PostgreSQL read the binary form of a numeric.
func (w *world) decodeNumeric(b []byte) string {
	w.t.Helper()
	conn, err := w.pool.Acquire(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Release()
	r := conn.Conn().PgConn().ExecParams(context.Background(), "select $1::numeric::text", [][]byte{b}, nil, []int16{1}, nil).Read()
	if r.Err != nil {
		w.t.Fatalf("%x: %v", b, r.Err)
	}
	return string(r.Rows[0][0])
}

// FuzzEncodeDecimal holds the binary form against pgx's reading of it and the
// decimal's own text.
func FuzzEncodeDecimal(f *testing.F) {
	f.Add(int64(1999), int32(2))
	f.Add(int64(math.MinInt64), int32(-7))
	f.Add(int64(-10000), int32(3))
	types := pgtype.NewMap()
	f.Fuzz(func(t *testing.T, unscaled int64, scale int32) {
		d := decimal.Decimal{Unscaled: unscaled, Scale: scale % (decimal.MaxScale + 1)}
		b, null, err := encodeDecimal(nil, pointerTo(&d))
		if err != nil || null {
			t.Fatalf("%v: null %v, %v", d, null, err)
		}
		var n pgtype.Numeric
		if err := types.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, b, &n); err != nil {
			t.Fatalf("%v: %x: %v", d, b, err)
		}
		var want pgtype.Numeric
		if err := want.Scan(d.String()); err != nil {
			t.Fatal(err)
		}
		if got, want := plain(t, n), plain(t, want); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	})
}

// plain is a number's text without an exponent or zeros at the end.
func plain(t *testing.T, n pgtype.Numeric) string {
	t.Helper()
	for n.Int.Sign() != 0 && n.Exp < 0 && strings.HasSuffix(n.Int.String(), "0") {
		n.Int.SetString(strings.TrimSuffix(n.Int.String(), "0"), 10)
		n.Exp++
	}
	if n.Int.Sign() == 0 {
		return "0"
	}
	for ; n.Exp > 0; n.Exp-- {
		n.Int.SetString(n.Int.String()+"0", 10)
	}
	return fmt.Sprintf("%se%d", n.Int, n.Exp)
}
