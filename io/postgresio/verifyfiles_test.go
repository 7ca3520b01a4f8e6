package postgresio

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/transforms"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	csvio.Register[parcel]()
	Register[parcel]()
	csvio.Register[box]()
	Register[box]()
	csvio.Register[seat]()
	Register[seat]()
}

// parcel is a row with values of several types.
type parcel struct {
	ID     uuid.UUID        `csv:"id" db:"id"`
	Name   string           `csv:"name" db:"name"`
	Price  *decimal.Decimal `csv:"price" db:"price"`
	Sent   time.Time        `csv:"sent,timestamp" db:"sent"`
	Weight float64          `csv:"weight" db:"weight"`
}

const parcelTable = `create table parcels (id uuid primary key, name text not null, price numeric(6,2), sent timestamp(3), weight float8,
	twice float8 generated always as (weight * 2) stored, added timestamptz default now())`

// notBad refuses a name, and what was sent after the clock.
type notBad struct{}

func (notBad) Apply(now time.Time, p parcel) (parcel, error) {
	switch {
	case p.Name == "bad":
		return p, &record.Fault{Code: "bad_name", Column: "name", Message: "it is bad"}
	case p.Sent.After(now):
		return p, &record.Fault{Code: "future", Column: "sent", Message: "it is not sent yet"}
	}
	return p, nil
}

// shelf is a folder of files that are loaded into a table.
type shelf[T any, R transforms.Rules[T]] struct {
	*world
	table   string
	folder  string
	rules   R
	reading []csvio.Option
	sink    *sink[T]
	sinking []Option
}

func newShelf[T any, R transforms.Rules[T]](t *testing.T, table, ddl string, reading []csvio.Option, sinking ...Option) *shelf[T, R] {
	s := &shelf[T, R]{world: newWorld(t, ddl), table: table, folder: t.TempDir(), reading: reading, sinking: sinking}
	s.sink = newSink[T](s.world, table, sinking...)
	return s
}

func (s *shelf[T, R]) path(name string) string { return filepath.Join(s.folder, name) }

// read is the way from a file to the sink.
func (s *shelf[T, R]) read(ctx context.Context, f record.File, fingerprint string, clock func(int64) time.Time, each func(*record.Record[T]) error) error {
	err := csvio.ReadAgain(ctx, f, fingerprint, func(r *record.Record[T]) error {
		return each(transforms.Judge(s.rules, clock(r.Source.Range.Index), r))
	})
	var not *csvio.NotReadError
	if errors.As(err, &not) {
		return &SkipError{Reason: not.Reason}
	}
	return err
}

// put writes a file and loads it; only those of its ranges that only names,
// where it does.
func (s *shelf[T, R]) put(name string, content []byte, only ...int64) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	info, err := os.Stat(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	file := record.File{Path: s.path(name), Size: info.Size(), Modified: info.ModTime().UnixMicro()}
	var records []*record.Record[T]
	begun := time.Now()
	err = s.read(s.t.Context(), file, csvio.Fingerprint[T](s.reading...), func(int64) time.Time { return begun }, func(r *record.Record[T]) error {
		r.Source.Range.JudgedAt = begun.UnixMicro()
		if len(only) == 0 || slices.Contains(only, r.Source.Range.Index) {
			records = append(records, r)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.sink.load(records...)
}

// verify returns what is off: kind, line and key of findings about files, kind
// alone of those in the ledger, and the files that were not checked.
func (s *shelf[T, R]) verify() (off []string, v *Verification) {
	s.t.Helper()
	v, err := Verify(s.t.Context(), s.pool, s.table, &VerifyOptions{Files: RereadFiles(s.read, s.sinking...)})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range v.Findings {
		if f.Line > 0 {
			off = append(off, fmt.Sprintf("%s %d %s", f.Kind, f.Line, f.Key))
			if f.File == "" {
				s.t.Errorf("no file in %+v", f)
			}
		} else {
			off = append(off, f.Kind)
		}
	}
	for _, n := range v.Reread.NotChecked {
		off = append(off, "not checked: "+n.Reason)
	}
	slices.Sort(off)
	return off, v
}

func (s *shelf[T, R]) wantOff(want ...string) {
	s.t.Helper()
	got, v := s.verify()
	slices.Sort(want)
	same := len(got) == len(want)
	for i := range want {
		same = same && strings.HasPrefix(strings.TrimSpace(got[i]), want[i])
	}
	if !same {
		s.t.Errorf("got %q\nwant %q\n%+v", got, want, v.Findings)
	}
}

func parcels() []byte {
	var b bytes.Buffer
	line := func(id any, rest string) { fmt.Fprintf(&b, "%v,%s\n", id, rest) }
	line("id", "name,price,sent,weight")
	line(id(1), "one,1.50,2026-01-01 10:00:00.123456,0.1")                             // 2
	line(id(2), "two,2.005,2026-01-01 10:00:00.9996,-0")                               // 3
	line(id(1), "again,99999999,2026-01-01 10:00:00,7")                                // 4: a duplicate
	line(id(3), "bad,1,2026-01-01 10:00:00,7")                                         // 5: refused by a rule
	line("nonsense", "x,1,2026-01-01 10:00:00,7")                                      // 6
	b.WriteString("\n")                                                                // 7
	line(id(4), "four,99999999,2026-01-01 10:00:00,7")                                 // 8: refused by PostgreSQL
	line(id(5), `"fi`+"\n"+`ve",,2026-01-01 10:00:00,1e300`)                           // 9 and 10
	line(id(6), "six,6,"+time.Now().Add(time.Hour).Format("2006-01-02 15:04:05")+",6") // 11
	line(id(7), "seven,7,2026-01-01 10:00:00,7")                                       // 12
	return b.Bytes()
}

func shelfOfParcels(t *testing.T) *shelf[parcel, notBad] {
	s := newShelf[parcel, notBad](t, "parcels", parcelTable, []csvio.Option{csvio.WithMaxRangeRecords(3)})
	s.put("a.csv", parcels())
	s.put("b.csv", []byte("id,name,price,sent,weight\n"+id(2).String()+",other,1,2026-01-01 10:00:00,7\n"))
	s.put("empty.csv", nil)
	return s
}

// Each damage gives its finding, and no other.
func TestVerifyFilesFindsEveryDamage(t *testing.T) {
	const ofA = " where file_id = (select file_id from cartstream.files where file_name like '%a.csv')"
	key := func(n int) string { return "id=" + id(n).String() }
	row := func(n int) string { return " where id = '" + id(n).String() + "'" }
	for _, c := range []struct {
		name   string
		damage string
		file   func(s *shelf[parcel, notBad]) error
		want   []string
	}{
		{name: "none"},
		{name: "a row deleted", damage: "delete from parcels" + row(7), want: []string{"table", "row_missing 12 " + key(7)}},
		{name: "a row deleted, another in its place", damage: "update parcels set id = gen_random_uuid()" + row(7), want: []string{"row_missing 12 " + key(7)}},
		{name: "a text changed", damage: "update parcels set name = 'One'" + row(1), want: []string{"row_differs 2 " + key(1)}},
		{name: "a number changed", damage: "update parcels set price = price + 0.01" + row(2), want: []string{"row_differs 3 " + key(2)}},
		{name: "a number gone", damage: "update parcels set price = null" + row(1), want: []string{"row_differs 2 " + key(1)}},
		{name: "a number where there was none", damage: "update parcels set price = 0" + row(5), want: []string{"row_differs 9 " + key(5)}},
		{name: "a time changed", damage: "update parcels set sent = sent + interval '1 ms'" + row(1), want: []string{"row_differs 2 " + key(1)}},
		{name: "a column that no field writes changed", damage: "update parcels set added = null" + row(1)},
		{name: "the row of duplicates deleted", damage: "delete from parcels" + row(2), want: []string{"table", "row_missing 2 " + key(2), "row_missing 3 " + key(2)}},
		{name: "a dead letter deleted", damage: "delete from cartstream.dead_letters where line_number = 5", want: []string{"dead_letters", "dead_letter_missing 5"}},
		{name: "a dead letter of PostgreSQL's deleted", damage: "delete from cartstream.dead_letters where line_number = 8", want: []string{"dead_letters", "row_missing 8"}},
		{name: "a dead letter by the clock deleted", damage: "delete from cartstream.dead_letters where line_number = 11", want: []string{"dead_letters", "dead_letter_missing 11"}},
		{name: "a dead letter's code changed", damage: "update cartstream.dead_letters set code = 'x' where line_number = 5", want: []string{"dead_letter_differs 5"}},
		{name: "a dead letter's bytes changed", damage: "update cartstream.dead_letters set raw = raw || ' ' where line_number = 6", want: []string{"dead_letter_differs 6"}},
		{name: "a dead letter's line changed", damage: "update cartstream.dead_letters set line_number = 4 where line_number = 5", want: []string{"dead_letter_missing 5", "dead_letter_unexplained 4"}},
		{
			name:   "a dead letter twice",
			damage: "insert into cartstream.dead_letters (file_id, table_name, file_name, file_modified, line_number, byte_offset, code, message, raw) select file_id, table_name, file_name, file_modified, line_number, byte_offset, code, message, raw from cartstream.dead_letters where line_number = 5",
			want:   []string{"dead_letters", "dead_letter_unexplained 5"},
		},
		{
			name:   "a dead letter of a good record",
			damage: "insert into cartstream.dead_letters (file_id, table_name, file_name, file_modified, line_number, byte_offset, code, message, raw) select file_id, table_name, file_name, file_modified, 12, byte_offset, code, message, raw from cartstream.dead_letters where line_number = 11",
			want:   []string{"dead_letters", "dead_letter_unexplained 12"},
		},
		{
			name:   "a dead letter beyond the file",
			damage: "insert into cartstream.dead_letters (file_id, table_name, file_name, file_modified, line_number, byte_offset, code, message, raw) select file_id, table_name, file_name, file_modified, 99, 99999, code, message, raw from cartstream.dead_letters where line_number = 5",
			want:   []string{"dead_letters", "dead_letter_unexplained 99"},
		},
		{name: "a range deleted", damage: "delete from cartstream.ranges" + ofA + " and range_index = 1", want: []string{"ledger", "totals", "dead_letter_unexplained 5", "dead_letter_unexplained 6", "dead_letter_unexplained 8"}},
		{
			name:   "the first range deleted, those after it moved up",
			damage: "delete from cartstream.ranges" + ofA + " and range_index = 0; delete from cartstream.range_counts" + ofA + " and start_byte = 26; update cartstream.ranges set range_index = range_index - 1" + ofA,
			want:   []string{"totals", "file 2", "file 5", "file 9"},
		},
		{name: "a range begins later", damage: "update cartstream.range_counts set start_byte = 30" + ofA + " and start_byte = 26; update cartstream.ranges set start_byte = 30" + ofA + " and start_byte = 26", want: []string{"file 2"}},
		{name: "the last range deleted, the one before it made the last", damage: "with g as (delete from cartstream.ranges" + ofA + " and is_last returning *), c as (delete from cartstream.range_counts c using g where c.file_id = g.file_id and c.start_byte = g.start_byte) update cartstream.ranges set is_last = true" + ofA + " and range_index = 1", want: []string{"totals", "coverage", "dead_letters", "dead_letter_unexplained 11", "file 5", "file 9"}},
		{name: "the file deleted", file: func(s *shelf[parcel, notBad]) error { return os.Remove(s.path("a.csv")) }, want: []string{"not checked: it is no longer there"}},
		{name: "the file cut short", file: func(s *shelf[parcel, notBad]) error { return os.Truncate(s.path("a.csv"), 100) }, want: []string{"not checked: the file has changed since"}},
		{name: "the file touched", file: func(s *shelf[parcel, notBad]) error {
			return os.Chtimes(s.path("a.csv"), time.Time{}, time.Unix(1, 0))
		}, want: []string{"not checked: the file has changed since"}},
		{name: "the file changed without a trace", file: func(s *shelf[parcel, notBad]) error {
			return rewrite(s.path("a.csv"), "seven", "SEVEN")
		}, want: []string{"row_differs 12 " + key(7)}},
		{name: "the file's header changed without a trace", file: func(s *shelf[parcel, notBad]) error {
			return rewrite(s.path("a.csv"), "price", "prize")
		}, want: []string{"file"}},
		{name: "another record in the file without a trace", file: func(s *shelf[parcel, notBad]) error {
			return rewrite(s.path("a.csv"), id(7).String(), id(8).String())
		}, want: []string{"row_missing 12 " + key(8)}},
		{name: "a folder in the file's place", file: func(s *shelf[parcel, notBad]) error {
			return errors.Join(os.Remove(s.path("a.csv")), os.Mkdir(s.path("a.csv"), 0o700))
		}, want: []string{"not checked: "}},
		{name: "a file of another table", damage: "insert into cartstream.files (file_id, table_name, file_name, file_size, file_modified, seen_modified, fingerprint) values (md5('z')::uuid, 'x.y', 'z', 0, now(), now(), 'f')", want: []string{"not checked: it is another table"}},
		{name: "a file that another program began", damage: "update cartstream.files set fingerprint = 'csv0;x'" + ofA, want: []string{"not checked: fingerprint"}},
		{name: "a file of other columns", damage: "update cartstream.files set fingerprint = regexp_replace(fingerprint, 'schema=[^;]*', 'schema=0')" + ofA, want: []string{"not checked: it is of another program"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shelfOfParcels(t)
			if c.damage != "" {
				s.exec(withoutForeignKeys(c.damage))
			}
			if c.file != nil {
				if err := c.file(s); err != nil {
					t.Fatal(err)
				}
			}
			s.wantOff(c.want...)
		})
	}
}

// rewrite changes a file in place, and nothing that its listing shows.
func rewrite(path, from, to string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(content), from, to, 1)
	if changed == string(content) {
		return errors.New("nothing to change")
	}
	return errors.Join(os.WriteFile(path, []byte(changed), 0o600), os.Chtimes(path, time.Time{}, info.ModTime()))
}

// Where the table is that of another program, its files are not checked; where
// it has lost a column of this one's, that is said.
func TestVerifyFilesOfATableThatDoesNotFit(t *testing.T) {
	s := shelfOfParcels(t)
	s.exec("alter table parcels drop column name")
	_, err := Verify(t.Context(), s.pool, s.table, &VerifyOptions{Files: RereadFiles(s.read, s.sinking...)})
	if err == nil || !strings.Contains(err.Error(), `no column "name"`) {
		t.Errorf("got %v", err)
	}
	s.exec("update cartstream.files set fingerprint = regexp_replace(fingerprint, 'schema=[^;]*', 'schema=0')")
	s.wantOff("not checked: it is of another program", "not checked: it is of another program", "not checked: it is of another program")
}

func TestVerifyFilesCounts(t *testing.T) {
	s := shelfOfParcels(t)
	_, v := s.verify()
	if r := v.Reread; r.Files != 3 || r.Records != 10 || r.Pending != 0 || r.NotCheckedFiles != 0 || r.Bytes == 0 {
		t.Errorf("got %+v", r)
	}
}

// Of a file that is loading, what is committed is checked.
func TestVerifyFilesThatAreLoading(t *testing.T) {
	s := newShelf[parcel, notBad](t, "parcels", parcelTable, []csvio.Option{csvio.WithMaxRangeRecords(3)})
	s.put("a.csv", parcels(), 0, 2)
	s.wantOff()
	if _, v := s.verify(); v.Loading != 1 || v.Reread.Records != 6 || v.Reread.Pending != 3 {
		t.Errorf("got %+v, %+v", v, v.Reread)
	}
	s.exec("delete from parcels where id = $1", id(7))
	s.wantOff("table", "row_missing 12")
}

// Findings are bounded, their counts are not.
func TestVerifyFilesOfManyFindings(t *testing.T) {
	s := shelfOfParcels(t)
	s.exec("delete from parcels")
	v, err := Verify(t.Context(), s.pool, s.table, &VerifyOptions{Files: RereadFiles(s.read), Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Findings) != 2 || v.Off != 7 || v.OffByKind[OffRowMissing] != 6 || v.OffByKind[OffTable] != 1 {
		t.Errorf("got %d, %d, %v", len(v.Findings), v.Off, v.OffByKind)
	}
}

func TestVerifyFilesTellsHowFarItIs(t *testing.T) {
	before := progressPause
	progressPause = 0
	t.Cleanup(func() { progressPause = before })
	s := shelfOfParcels(t)
	log := captureLog(t)
	s.wantOff()
	if text := log.String(); !strings.Contains(text, `msg="Reading files again" files=3 of=3 records=10 off=0`) {
		t.Error(text)
	}
}

func TestVerifyFilesEndsWithItsContext(t *testing.T) {
	s := shelfOfParcels(t)
	ctx, cancel := context.WithCancel(t.Context())
	read := func(ctx context.Context, f record.File, fingerprint string, clock func(int64) time.Time, each func(*record.Record[parcel]) error) error {
		return s.read(ctx, f, fingerprint, clock, func(r *record.Record[parcel]) error {
			cancel()
			return each(r)
		})
	}
	if _, err := Verify(ctx, s.pool, s.table, &VerifyOptions{Files: RereadFiles(read)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func gzipped(t *testing.T, content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Archives and other dialects are read as they were.
func TestVerifyFilesOfOtherDialects(t *testing.T) {
	semicolons := csvio.DefaultDialect()
	semicolons.Delimiter, semicolons.Header, semicolons.Encoding = ';', false, csvio.EncodingLatin1
	semicolons.Columns, semicolons.NullValue = []string{"id", "name", "price", "sent", "weight"}, []string{`\N`}
	rows := fmt.Sprintf("%s;Caf\xe9;\\N;2026-01-01 10:00:00;1\n%s;bad;1;2026-01-01 10:00:00;1\n%s;tea;1;2026-01-01 10:00:00;1\n", id(1), id(2), id(3))
	for _, c := range []struct {
		name    string
		dialect csvio.Dialect
		content []byte
	}{
		{"gzip", csvio.DefaultDialect(), gzipped(t, []byte(fmt.Sprintf("id,name,price,sent,weight\n%s,Café,,2026-01-01 10:00:00,1\n%s,bad,1,2026-01-01 10:00:00,1\n%s,tea,1,2026-01-01 10:00:00,1\n", id(1), id(2), id(3))))},
		{"semicolons, latin1, no header", semicolons, []byte(rows)},
		{"the same, gzipped", semicolons, gzipped(t, []byte(rows))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShelf[parcel, notBad](t, "parcels", parcelTable, []csvio.Option{csvio.WithDialect(c.dialect), csvio.WithMaxRangeRecords(2)})
			s.put("a", c.content)
			s.wantOff()
			s.exec("update parcels set name = 'Cafe' where id = $1", id(1))
			s.exec("delete from parcels where id = $1", id(3))
			s.exec("delete from cartstream.dead_letters")
			got, v := s.verify()
			if len(got) != 5 || v.OffByKind[OffRowDiffers] != 1 || v.OffByKind[OffRowMissing] != 1 || v.OffByKind[OffDeadLetterMissing] != 1 {
				t.Errorf("got %q", got)
			}
		})
	}
}

// seat is a row whose key may have a NULL.
type seat struct {
	Room *string `csv:"room" db:"room"`
	N    *int32  `csv:"n" db:"n"`
	What string  `csv:"what" db:"what"`
}

type anySeat struct{}

func (anySeat) Apply(_ time.Time, s seat) (seat, error) { return s, nil }

// Keys of several columns, with NULLs, and columns of types that have no equal.
func TestVerifyFilesOfOtherKeys(t *testing.T) {
	const content = "room,n,what\na,1,x\na,,x\na,,y\n,,x\n,2,z\na,1,again\nb,1,w\n,,\n"
	for _, c := range []struct {
		name, ddl string
		damages   map[string][]string
	}{
		{"NULLs that differ", "create table seats (room text, n int, what text, unique (room, n))", map[string][]string{
			"delete from seats where room = 'a' and n is null and what = 'y'":             {"table", "row_missing 4 room=a, n=NULL"},
			"update seats set what = 'v' where room is null and n is null and what <> ''": {"row_missing 5 room=NULL, n=NULL"},
			"update seats set n = 3 where n = 2":                                          {"row_missing 6 room=NULL, n=2"},
			"delete from seats where room = 'a' and n = 1":                                {"table", "row_missing 2 room=a, n=1", "row_missing 7 room=a, n=1"},
			"update seats set what = 'v' where room = 'b'":                                {"row_differs 8 room=b, n=1"},
		}},
		{"NULLs that are equal", "create table seats (room text, n int, what text, unique nulls not distinct (room, n))", map[string][]string{
			"delete from seats where room = 'a' and n is null": {"table", "row_missing 3 room=a, n=NULL", "row_missing 4 room=a, n=NULL"},
			"update seats set what = 'v' where n = 2":          {"row_differs 6 room=NULL, n=2"},
		}},
		{"char, citext, json and a domain", "create extension citext; create domain small as int check (value < 9); create table seats (room citext, n small, what varchar(9), unique (room, n))", map[string][]string{
			"update seats set room = 'B' where room = 'b'": {"row_differs 8 room=b, n=1"},
			"update seats set n = 2 where room = 'b'":      {"row_missing 8 room=b, n=1"},
		}},
		{"json", "create table seats (room char(3), n bigint, what json, unique (room, n))", map[string][]string{}},
	} {
		for damage, want := range c.damages {
			t.Run(c.name+": "+damage, func(t *testing.T) {
				s := newShelf[seat, anySeat](t, "seats", c.ddl, []csvio.Option{csvio.WithMaxRangeRecords(4)})
				s.put("a.csv", []byte(content))
				s.wantOff()
				s.exec(damage)
				s.wantOff(want...)
			})
		}
	}
}

// Once rows were overwritten, only their keys can be looked for.
func TestVerifyFilesOfUpserts(t *testing.T) {
	ddl := strings.Replace(parcelTable, "timestamp(3)", "timestamp", 1)
	s := newShelf[parcel, notBad](t, "parcels", ddl, nil, WithUpsert(Upsert{Version: "sent"}))
	s.put("a.csv", parcels())
	s.put("b.csv", []byte("id,name,price,sent,weight\n"+id(1).String()+",newer,1,2026-01-02 10:00:00,7\n"+id(2).String()+",older,1,2025-01-02 10:00:00,7\n"))
	s.wantOff()
	s.sinking = nil // the settings say insert again, the ledger tells of upserts
	s.wantOff()
	s.exec("delete from parcels where id = $1", id(2))
	s.wantOff("table", "row_missing 3 id="+id(2).String(), "row_missing 3 id="+id(2).String())
}

// box is a row of types that are compared in their own ways.
type box struct {
	N      int64               `csv:"n" db:"n"`
	Tags   []byte              `csv:"tags" db:"tags"`
	Text   string              `csv:"text" db:"text"`
	Ratio  float32             `csv:"ratio" db:"ratio"`
	At     *time.Time          `csv:"at,timestamp" db:"at"`
	Amount decimal.Decimal     `csv:"amount" db:"amount"`
	List   pgtype.Array[int64] `db:"list"`
}

type boxRules struct{}

func (boxRules) Apply(_ time.Time, b box) (box, error) {
	b.List = pgtype.Array[int64]{Elements: []int64{b.N, 2}, Dims: []pgtype.ArrayDimension{{Length: 2, LowerBound: 1}}, Valid: true}
	return b, nil
}

// Values are compared as the column's type stores them.
func TestVerifyFilesOfOtherTypes(t *testing.T) {
	const content = `n,tags,text,ratio,at,amount
1,"{""a"": 1,  ""b"": 2}",x ,0.1,2026-01-01 10:00:00.5,1.005
2,[],"it's",1e10,,-2.5
`
	for _, c := range []struct {
		name, ddl string
		damages   map[string]string
	}{
		{"json, char, real, a rounded time, arrays", `create table boxes (n int8 primary key, tags json, text char(5), ratio real, at timestamptz(0), amount numeric(6,1), list int8[])`, map[string]string{
			`update boxes set tags = '{"a": 1, "b": 2}' where n = 1`:    "row_differs 2 n=1",
			`update boxes set text = 'y' where n = 1`:                   "row_differs 2 n=1",
			`update boxes set ratio = 0.10001 where n = 1`:              "row_differs 2 n=1",
			`update boxes set at = now() where n = 2`:                   "row_differs 3 n=2",
			`update boxes set amount = -2.4 where n = 2`:                "row_differs 3 n=2",
			`update boxes set list = '{2}' where n = 2`:                 "row_differs 3 n=2",
			`alter table boxes alter amount type numeric using -amount`: "row_differs 2 n=1",
		}},
		{"jsonb, a collation that knows no case, domains", `create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
			create domain price as numeric(6,1);
			create table boxes (n int8 primary key, tags jsonb, text text collate ci, ratio real, at timestamp, amount price, list numeric(9,2)[])`, map[string]string{
			`update boxes set tags = '{"a": 2, "b": 2}' where n = 1`: "row_differs 2 n=1",
			`update boxes set text = 'X ' where n = 1`:               "row_differs 2 n=1",
			`update boxes set ratio = ratio * 2 where n = 2`:         "row_differs 3 n=2",
			`update boxes set amount = null where n = 2`:             "row_differs 3 n=2",
		}},
	} {
		for damage, want := range c.damages {
			t.Run(c.name+": "+damage, func(t *testing.T) {
				s := newShelf[box, boxRules](t, "boxes", c.ddl, nil)
				s.put("a.csv", []byte(content))
				s.wantOff()
				if n := one[int64](s.world, "select count(*) from boxes"); n != 2 {
					t.Fatalf("%d rows: %q", n, s.list("select message from cartstream.dead_letters"))
				}
				s.exec(damage)
				if strings.HasPrefix(damage, "alter") {
					s.wantOff(want, "row_differs 3 n=2")
					return
				}
				s.wantOff(want)
			})
		}
	}
}
