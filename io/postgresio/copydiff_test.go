package postgresio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// The differential test loads the same text into the same type of column twice:
// by Cartstream (csvio's decoder, the encoder, binary COPY) and by PostgreSQL's
// own COPY of CSV, which is \copy. For each pair of a Go type and a column type
// that is not refused at startup, each text must be stored the same, or be a
// dead letter, or be an intended difference, which docs/library.md lists.

// cell is a row with a field of a type. The others have the field's options.
type cell[V any] struct {
	ID int64 `csv:"id" db:"id"`
	V  V     `csv:"v" db:"v"`
}

type dateCell[V any] struct {
	ID int64 `csv:"id" db:"id"`
	V  V     `csv:"v,date" db:"v"`
}

type zonelessCell[V any] struct {
	ID int64 `csv:"id" db:"id"`
	V  V     `csv:"v,timestamp" db:"v"`
}

type (
	// word, whole and blob are named types.
	word  string
	whole int32
	blob  []byte
	// shout changes what it reads, and writes it by MarshalText.
	shout struct{ s string }
	// boxed has fields, and no way to write itself but JSON.
	boxed struct{ Text string }
)

func (s *shout) UnmarshalText(text []byte) error { s.s = strings.ToUpper(string(text)); return nil }
func (s shout) MarshalText() ([]byte, error)     { return []byte(s.s), nil }
func (b *boxed) UnmarshalText(text []byte) error { b.Text = string(text); return nil }

// goType is a type of field, by which files can be loaded.
type goType struct {
	name string
	row  reflect.Type
	// own is set for a type that reads and writes text by its own methods.
	own bool
	// load gives what became of each text: what is stored, or a dead letter.
	load func(w *world, table string, texts []text) map[int64]fate
}

func typed[V any](name string) goType {
	return goType{name: name, row: reflect.TypeFor[cell[V]](), load: loadCells[cell[V]]}
}

func (g goType) ownMethods() goType { g.own = true; return g }

// goTypes are all types that csvio reads, and pointers to one of each kind.
func goTypes() []goType {
	return []goType{
		typed[string]("string"), typed[*string]("*string"), typed[word]("word"),
		typed[bool]("bool"), typed[*bool]("*bool"),
		typed[int]("int"), typed[int8]("int8"), typed[int16]("int16"), typed[int32]("int32"), typed[int64]("int64"), typed[*int64]("*int64"), typed[whole]("whole"),
		typed[uint]("uint"), typed[uint8]("uint8"), typed[uint16]("uint16"), typed[uint32]("uint32"), typed[uint64]("uint64"),
		typed[float32]("float32"), typed[float64]("float64"), typed[*float64]("*float64"),
		typed[decimal.Decimal]("decimal.Decimal"), typed[*decimal.Decimal]("*decimal.Decimal"),
		typed[time.Time]("time.Time"), typed[*time.Time]("*time.Time"),
		{name: "time.Time,date", row: reflect.TypeFor[dateCell[time.Time]](), load: loadCells[dateCell[time.Time]]},
		{name: "*time.Time,date", row: reflect.TypeFor[dateCell[*time.Time]](), load: loadCells[dateCell[*time.Time]]},
		{name: "time.Time,timestamp", row: reflect.TypeFor[zonelessCell[time.Time]](), load: loadCells[zonelessCell[time.Time]]},
		{name: "*time.Time,timestamp", row: reflect.TypeFor[zonelessCell[*time.Time]](), load: loadCells[zonelessCell[*time.Time]]},
		typed[time.Duration]("time.Duration"), typed[uuid.UUID]("uuid.UUID"), typed[*uuid.UUID]("*uuid.UUID"),
		typed[json.RawMessage]("json.RawMessage"), typed[*json.RawMessage]("*json.RawMessage"),
		typed[[]byte]("[]byte"), typed[*[]byte]("*[]byte"), typed[blob]("blob"),
		typed[netip.Addr]("netip.Addr"), typed[*netip.Addr]("*netip.Addr"), typed[netip.Prefix]("netip.Prefix"),
		typed[uuid.NullUUID]("uuid.NullUUID").ownMethods(), typed[big.Int]("big.Int").ownMethods(),
		typed[shout]("shout").ownMethods(), typed[*boxed]("*boxed").ownMethods(),
	}
}

// columnTypes are those that fields can be written to, and some that they can't.
var columnTypes = []string{
	"smallint", "integer", "bigint", "numeric", "numeric(6,2)", "numeric(30,10)", "numeric(5,-2)", "real", "double precision",
	"text", "varchar", "varchar(5)", "char(5)", "bpchar", "citext", "name", "color", "tint", "short", "shorter", "cents",
	"boolean", "date", "timestamp", "timestamp(3)", "timestamptz", "timestamptz(0)", "timestamptz(5)", "time", "timetz", "interval", "interval(1)",
	"uuid", "json", "jsonb", "xml", "bytea", "inet", "cidr", "macaddr", "money", `"char"`, "bit(3)", "varbit", "oid", "int4range", "point", "text[]", "integer[]",
}

// text is a field of a file.
type text struct {
	id     int64
	s      string
	quoted bool
}

// line is the record of the text. The other program's is the same.
func (x text) line() string {
	if !x.quoted {
		return fmt.Sprintf("%d,%s\n", x.id, x.s)
	}
	return fmt.Sprint(x.id) + `,"` + strings.ReplaceAll(x.s, `"`, `""`) + "\"\n"
}

// fate is what became of a text.
type fate struct {
	stored bool
	value  string // as text, nullText for NULL; what was wrong with it when it is not stored
}

const nullText = "<null>"

var edges = []string{
	"", " ", "a", "abc", "abcde", "abcde   ", "abcdef", "  abc", "Red", "red", "green", " red ", "é🛒", "a\nb", "a\r\nb", "a,b", `a"b`, `a\b`, `\N`, `\.`, "NULL", "no", "No",
	"a\x00b", "\xff", "a\xc3", "\ufeffa", "\u00a05", "5\u00a0", "\t5\t", "\v5", "5\n",
	"t", "f", "true", "TRUE", "tru", "T", "y", "yes", "ye", "on", "of", "off", "OFF", "0", "1", "2", "-1", " true ", "n", "o",
	"+5", "-5", " 5 ", "05", "-0", "-0.0", "0.0", "00.50", "1e3", "1E3", "1e-3", "1.5e1", "1_000", "0x10", "0b101", "0o17", ".5", "5.", "5.0", "5.50", "+.5", "-.5", ".", "e5", "1e",
	"127", "128", "-128", "-129", "255", "256", "32767", "32768", "-32768", "-32769", "65535", "65536", "2147483647", "2147483648", "-2147483648", "4294967295", "4294967296",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
	"1.005", "1.015", "-1.005", "2.5", "0.004", "0.005", "0.0049999", "9999.994", "9999.995", "9999.99", "123456789.123456789", "0.1", "0.10", "0.30000000000000004", "1.0000000000000000000000",
	"12345678901234567.00", "12.340000000000000000000000", "0.1000000000000000055511151231257827", "123456789012345678901234567890", "149", "150", "250", "-250", "1e100", "1e-100", "1e-101", "0e5", "0.000e2", "0e-5",
	"16777217", "9007199254740993", "3.4028235e38", "3.4028236e38", "1e39", "1e-45", "7e-46", "1e-46", "1e308", "1.8e308", "5e-324", "2e-324", "1e-400", "-1e-400", "0e-400", "1e999", "0.0000000000000000000000001",
	"NaN", "nan", "inf", "Infinity", "-infinity", "+Infinity", "infinity", "Inf", "0x1p4", "1,5",
	"38f9045a-d91d-5386-9bca-30576879af99", "38F9045A-D91D-5386-9BCA-30576879AF99", "{38f9045a-d91d-5386-9bca-30576879af99}", "{38F9045A-D91D-5386-9BCA-30576879AF99}", "38f9045ad91d53869bca30576879af99",
	"urn:uuid:38f9045a-d91d-5386-9bca-30576879af99", "{38f9045ad91d53869bca30576879af99}", "38f9-045a-d91d-5386-9bca-3057-6879-af99", " 38f9045a-d91d-5386-9bca-30576879af99 ", "38f9045a-d91d-5386-9bca-30576879af9", "38f9045ad-91d-5386-9bca-30576879af99",
	"{}", `{"a": 1}`, ` {"a":  1} `, `{"a":1,"a":2}`, `[1, 2]`, `"x"`, "null", `{"n": 1.50, "e": 1e400, "x": 12345678901234567890}`, `"\u0000"`, `"\ud83d"`, `{"a": "é"}`, `{"a": 1`, "[1,]", "\u00a0{}", `"<&>"`, `{"b":1,"a":2}`, "\n{}\n", "01",
	"<a/>", "<a>é</a>", `<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>`, `<?xml version="1.0" encoding="UTF-8"?><a>é</a>`, `<?xml version="1.0"?><a/>`, `<?xml version="1.0" standalone="yes"?><a/>`, "<a>", " <a/> ", `<!DOCTYPE a><a/>`,
	`\x0001ff`, `\xDEADBEEF`, `\x0`, `\001\377`, `\\`, "10.0.0.1", "10.0.0.1/8", "10.0.0.0/8", "10.0.0.0/08", "10", "10.0", "::1", "fe80::1%eth0", "::ffff:1.2.3.4", "::ffff:1.2.3.4/128", "2001:db8::/32", "2001:DB8::1/64", "1.2.3.4/32", "1.2.3.04", "08:00:2b:01:02:03",
	"$5", "1.50 USD", "101", "B'101'", "[1,5)", "(1,2)", "{1,2}", "{a,b}", "1 day", "90", "00:01:30", "1.5 s", "-1:00", "P1D",
	"2026-01-29", "2026-01-29 ", " 2026-01-29", "20260129", "2026-1-9", "29.01.2026", "01/29/2026", "Jan 29 2026", "0001-01-01", "0000-01-01", "0001-01-01 BC", "4713-01-01 BC", "9999-12-31", "10000-01-01", "2024-02-29", "2023-02-29", "today", "now", "epoch", "allballs",
	"2026-01-29 00:00:00", "2026-01-29 10:00:00", "2026-01-29 10:00", "2026-01-29T10:00:00", "2026-01-29t10:00:00z", "2026-01-29T10:00:00Z", "2026-01-29 10:00:00Z", "2026-01-29 10:00:00 Z", "2026-01-29 10:00:00 UTC", "2026-01-29 10:00:00 Europe/Berlin", "2026-01-29 10:00:00 CET",
	"2026-01-29 10:00:00+02", "2026-01-29 10:00:00-05:30", "2026-01-29 10:00:00+0530", "2026-01-29 10:00:00+05:30:15", "2026-01-29 10:00:00+15:59", "2026-01-29 10:00:00+16:00", "2026-01-29 10:00:00-23:59", "2026-01-29 10:00:00-00:00", "2026-01-29 10:00:00 +02", "2026-01-29 23:30:00-01",
	"2026-01-29 24:00:00", "2026-01-29 24:00:01", "2026-01-29 23:59:60", "2026-12-31 23:59:60.5", "2026-01-29 10:00:00.", "2026-01-29 10:00:00,5", "2026-01-29  10:00:00", "2026-01-29_10:00:00", "0001-01-01 00:00:00", "0001-01-01 00:00:00+01", "9999-12-31 23:59:59.9999999", "9999-12-31 23:59:59-01",
	"9999-12-31 23:59:59.999999", "10000-01-01 00:00:00", "294276-12-31 23:59:59.999999", "294277-01-01 00:00:00", "0044-03-15 10:00:00 BC", "1969-12-31 23:59:59.9999995", "1900-01-01 00:00:00.0000005", "1999-12-31 23:59:59.9999996",
	"2026-12-31 23:59:59.9999995", "2026-12-31 23:59:59.9999994", "2026-12-31 23:59:59.99999949999", "2026-12-31 23:59:59.9999995000001", "2026-01-29 10:00:00.1234565", "2026-01-29 10:00:00.1234575", "2026-01-29 10:00:00.0000005", "2026-01-29 10:00:00.0000015", "2026-01-29 10:00:00.0000025",
	"2026-01-29 10:00:00.00000050000000000000000000000001", "2026-01-29 10:00:00.000000500000000001", "2026-01-29 10:00:00.12345649999999999999999999999", "2026-01-29 10:00:00.9999999999999999999999", "2026-01-29 10:00:00.5", "2026-01-29 10:00:00.0005", "2026-01-29 10:00:00.1235", "2026-01-29 10:00:00.4999995",
	"1769680800", "10:00:00", "10:00:00.1234565", "24:00:00", "10:00:00+02", "04:05 PM",
}

// generated are texts of each kind by chance: the same ones each time.
func generated() (texts []string) {
	r := rand.New(rand.NewPCG(15, 3))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	for range 50 {
		at := time.Unix(r.Int64N(253402300800+62135596800)-62135596800, 0).UTC().Format("2006-01-02 15:04:05")
		fraction := digits(r.IntN(13))
		if n := r.IntN(4); n > 0 { // near a tie
			fraction = digits(6) + []string{"", "5", "49999", "50000"}[n] + digits(r.IntN(2)*r.IntN(14))
		}
		if fraction != "" {
			at += "." + fraction
		}
		texts = append(texts, at, at+[]string{"Z", "+02", "-11:30", "+1400"}[r.IntN(4)])
	}
	for range 30 {
		n := []string{"", "-", "+"}[r.IntN(3)] + digits(r.IntN(12))
		texts = append(texts, n+"."+digits(1+r.IntN(12)), n+digits(1+r.IntN(9)), n+"."+digits(1+r.IntN(20))+"e"+fmt.Sprint(r.IntN(40)-20))
	}
	return texts
}

func textsOfAllKinds() (texts []text) {
	for _, s := range slices.Concat(edges, generated()) {
		texts = append(texts, text{int64(len(texts)), s, true})
		if s == "NULL" || s == `\N` || strings.Trim(s, " \t") != s || s == "" { // what a dialect may take for nothing, or trim
			texts = append(texts, text{int64(len(texts)), s, false})
		}
	}
	return texts
}

func TestTextIsStoredAsByCopyOrIsADeadLetter(t *testing.T) {
	w := newWorld(t, typesDDL)
	texts := textsOfAllKinds()
	used := map[string]bool{}
	for _, column := range columnTypes {
		t.Run(column, func(t *testing.T) {
			w := w.in(t)
			var copied map[int64]fate
			w.exec("drop schema if exists pairs cascade; create schema pairs; create table pairs.theirs (id bigint primary key, v " + column + ")")
			for i, g := range goTypes() {
				if w.accept(g.row, "pairs.theirs") != nil {
					continue
				}
				if copied == nil {
					copied = w.copyEach("pairs.theirs", texts)
				}
				table := fmt.Sprintf("pairs.ours_%d", i)
				w.exec("create table " + table + " (id bigint primary key, v " + column + ")")
				some := texts
				if strings.HasPrefix(g.name, "*") { // a pointer differs in what is empty
					some = slices.DeleteFunc(slices.Clone(texts), func(x text) bool { return strings.TrimSpace(x.s) != "" && x.id%12 > 0 })
				}
				compareFates(t, g, column, some, g.load(w, table, some), copied, used)
			}
		})
	}
	for _, d := range intended {
		if !used[d.says()] {
			t.Errorf("no text differs as is intended: %s", d.says())
		}
	}
}

// TestTextThatAColumnWouldChangeIsRefusedAtStart has fields that a file fills. The
// same pairs are accepted for fields that the rules fill.
func TestTextThatAColumnWouldChangeIsRefusedAtStart(t *testing.T) {
	w := newWorld(t)
	types := map[string]goType{}
	for _, g := range goTypes() {
		types[g.name] = g
	}
	for _, c := range []struct{ field, column, says, allowed string }{
		{"time.Time", "date", `tag csv:"v,date"`, "time.Time,date"},
		{"*time.Time", "date", "drops the time of day", "*time.Time,date"},
		{"time.Time,timestamp", "date", "drops the time of day", "time.Time,date"},
		{"time.Time", "timestamp(3)", `tag csv:"v,timestamp"`, "time.Time,timestamp"},
		{"*time.Time", "timestamp", "drops the zone", "*time.Time,date"},
		{"uuid.UUID", "text", "make the column uuid, or the field a string", "string"},
		{"*uuid.UUID", "varchar(36)", "letters of the file", "*string"},
		{"decimal.Decimal", "text", "digits of the file", "string"},
		{"float32", "double precision", "digits would be lost", "float64"},
		{"float32", "numeric", "column real", "decimal.Decimal"},
		{"*float64", "numeric(6,2)", "decimal.Decimal, or the column double precision", "*decimal.Decimal"},
		{"time.Duration", "interval", "nanoseconds", ""},
		{"json.RawMessage", "bytea", "column jsonb", "[]byte"},
	} {
		w.exec("drop table if exists t")
		w.exec("create table t (id bigint primary key, v " + c.column + ")")
		err := w.accept(types[c.field].row, "t")
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s in %s: got %v, want an error that says %q", c.field, c.column, err, c.says)
		}
		if err := w.accept(rowType(types[strings.TrimSuffix(c.field, ",timestamp")].row.Field(1).Type), "t"); err != nil {
			t.Errorf("%s that no file fills in %s: %v", c.field, c.column, err)
		}
		if c.allowed == "" {
			continue
		}
		if err := w.accept(types[c.allowed].row, "t"); err != nil {
			t.Errorf("%s in %s: %v", c.allowed, c.column, err)
		}
	}
}

// compareFates reports what is not stored as \copy stores it.
func compareFates(t *testing.T, g goType, column string, texts []text, ours, copied map[int64]fate, used map[string]bool) {
	t.Helper()
	storedOnes := 0
	for _, x := range texts {
		is, there := ours[x.id]
		want := copied[x.id]
		switch {
		case !there:
			t.Errorf("%s: %q is neither stored nor a dead letter", g.name, x.s)
		case !is.stored:
		case is == want:
			storedOnes++
		default:
			i := slices.IndexFunc(intended, func(d difference) bool { return d.holds(g, column, x, is, want) })
			if i < 0 {
				t.Errorf("%s: %q (quoted %v) gives %q, \\copy %q", g.name, x.s, x.quoted, is.value, want.value)
				continue
			}
			used[intended[i].says()] = true
		}
	}
	if storedOnes == 0 && !g.own {
		t.Errorf("%s: no text is stored as \\copy stores it", g.name)
	}
}

// accept returns the error with which the struct is refused at startup.
func (w *world) accept(row reflect.Type, table string) error {
	w.t.Helper()
	fields, err := fieldsOf(row)
	if err != nil {
		return err
	}
	target, err := inspect(context.Background(), w.pool, loadOptions{Table: table}, fields)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = newRowEncoder(fields, target, pgtype.NewMap())
	return err
}

// in is the world for a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t, sub.run = t, uuid.NewString()
	t.Cleanup(func() { runctl.Forget(sub.run) })
	return &sub
}

// loadCells loads a file of texts into a table.
func loadCells[T any](w *world, table string, texts []text) map[int64]fate {
	w.t.Helper()
	var content strings.Builder
	content.WriteString("id,v\n")
	for _, x := range texts {
		content.WriteString(x.line())
	}
	path := filepath.Join(w.t.TempDir(), "texts.csv")
	if err := os.WriteFile(path, []byte(content.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	file := record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
	s := newSink[T](w, table)
	var records []*record.Record[T]
	if err := csvio.ReadAgain(context.Background(), file, csvio.Fingerprint[T](), func(r *record.Record[T]) error {
		records = append(records, r)
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	s.load(records...)
	fates := w.storedIn(table)
	rows, err := w.pool.Query(context.Background(), `select d.raw, d.code || ': ' || d.message from cartstream.dead_letters d
		join cartstream.load_history h using (file_id) where h.file_name = $1`, path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		var reason string
		if err := rows.Scan(&raw, &reason); err != nil {
			w.t.Fatal(err)
		}
		var id int64
		if _, err := fmt.Sscanf(string(raw), "%d,", &id); err != nil {
			w.t.Fatalf("%q: %v", raw, err)
		}
		fates[id] = fate{value: reason}
	}
	return fates
}

// storedIn is what a table has, by id.
func (w *world) storedIn(table string) map[int64]fate {
	w.t.Helper()
	rows, err := w.pool.Query(context.Background(), "select id, coalesce(v::text, '"+nullText+"') from "+table)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	fates := map[int64]fate{}
	for rows.Next() {
		var id int64
		var value string
		if err := rows.Scan(&id, &value); err != nil {
			w.t.Fatal(err)
		}
		fates[id] = fate{true, value}
	}
	return fates
}

// copyEach copies the texts into a table, each with a COPY of its own.
func (w *world) copyEach(table string, texts []text) map[int64]fate {
	w.t.Helper()
	conn, err := w.pool.Acquire(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Release()
	failed := map[int64]fate{}
	for _, x := range texts {
		_, err := conn.Conn().PgConn().CopyFrom(context.Background(), strings.NewReader(x.line()), "copy "+table+" from stdin (format csv)")
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &pg):
			failed[x.id] = fate{value: "ERROR: " + pg.Message}
		case err != nil:
			w.t.Fatal(err)
		}
	}
	fates := w.storedIn(table)
	for id, f := range failed {
		fates[id] = f
	}
	return fates
}

// difference is one that is intended: a line of a table in docs/library.md.
type difference struct {
	types, text, cartstream, copies string
	holds                           func(g goType, column string, x text, is, copied fate) bool
}

func (d difference) says() string {
	return fmt.Sprintf("| %s | %s | %s | %s |", d.types, d.text, d.cartstream, d.copies)
}

// intended must be the table in docs/library.md.
var intended = []difference{
	{
		"`string`, `[]byte`", "empty, without quotes", "an empty value", "NULL",
		func(g goType, _ string, x text, is, copied fate) bool {
			return g.holdsBytes() && x.s == "" && !x.quoted && copied.value == nullText
		},
	},
	{
		"a pointer", "empty in quotes; white space, where it is ignored", "NULL", "an empty value or white space, or an error",
		func(g goType, _ string, x text, is, _ fate) bool {
			return strings.HasPrefix(g.name, "*") && strings.TrimSpace(x.s) == "" && (x.s == "" || !g.holdsBytes()) && is.value == nullText
		},
	},
	{
		"all but `string`, `[]byte` and JSON", "a value with white space around it, no-break spaces included", "the value", "an error, for uuids and no-break spaces",
		func(g goType, _ string, x text, _, copied fate) bool {
			return !g.holdsBytes() && !g.is("json.RawMessage") && strings.TrimSpace(x.s) != x.s && !copied.stored
		},
	},
	{
		"`[]byte` in bytea", "a backslash, or a zero byte", "the bytes as they are", "what the escape stands for, or an error",
		func(g goType, column string, x text, _, _ fate) bool {
			return g.holdsBytes() && column == "bytea" && strings.ContainsAny(x.s, "\\\x00")
		},
	},
	{
		"`decimal.Decimal` in numeric without a scale", "a fraction with zeros at its end, and more digits than fit", "the number without those zeros", "the number with them",
		func(g goType, column string, x text, is, copied fate) bool {
			return g.is("decimal.Decimal") && column == "numeric" && len(copied.value) > 18 && strings.TrimRight(strings.TrimRight(copied.value, "0"), ".") == is.value
		},
	},
	{
		"a type with its own `UnmarshalText`", "any", "what its `Value`, `MarshalText` or JSON gives", "the text, or an error",
		func(g goType, _ string, x text, _, _ fate) bool { return g.own },
	},
}

func TestIntendedDifferencesAreThoseInTheDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "library.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### What is stored\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented, tested []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "|") {
			documented = append(documented, strings.TrimSpace(line))
		}
	}
	for _, d := range intended {
		tested = append(tested, d.says())
	}
	if len(documented) < 2 || !slices.Equal(documented[2:], tested) {
		t.Errorf("docs/library.md has\n%s\nthe test has\n%s", strings.Join(documented, "\n"), strings.Join(tested, "\n"))
	}
}

// is reports whether a goType is a type or a pointer to it.
func (g goType) is(name string) bool { return strings.TrimPrefix(g.name, "*") == name }

// holdsBytes tells whether the type has the text as it is.
func (g goType) holdsBytes() bool {
	return slices.Contains([]string{"string", "word", "[]byte", "blob"}, strings.TrimPrefix(g.name, "*"))
}
