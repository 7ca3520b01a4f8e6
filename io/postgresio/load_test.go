package postgresio

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// historyOf is a file's line of the view: status and the equation's terms.
const historyOf = `select status, row_parsed, row_count, duplicate_count, error_count from cartstream.load_history where file_name = $1`

func wantHistory(w *world, file, want string) {
	w.t.Helper()
	if got := w.list(historyOf, file); !slices.Equal(got, []string{want}) {
		w.t.Errorf("load_history of %s: got %q, want %q", file, got, want)
	}
}

func TestLoadWritesRowsDeadLettersAndLedger(t *testing.T) {
	w := newWorld(t, itemTable)
	newSink[item](w, "items").load(wholeRange[item](testFile("in/a.csv"),
		item{ID: id(1), Name: "one", Price: price("9.99")},
		record.Fault{Code: record.CodeInvalidNumber, Column: "price", Message: "found \"x\""},
		item{ID: id(2), Name: "two"},
	)...)
	if got, want := w.list(`select name, price::text from items order by name`), []string{"one 9.99", "two <nil>"}; !slices.Equal(got, want) {
		t.Errorf("rows: got %q, want %q", got, want)
	}
	got := w.list(`select file_name, line_number, byte_offset, column_name, code, message, convert_from(raw, 'utf8') from cartstream.dead_letters`)
	if want := []string{`in/a.csv 3 20 price invalid_number found "x" raw 1`}; !slices.Equal(got, want) {
		t.Errorf("dead letters: got %q, want %q", got, want)
	}
	wantHistory(w, "in/a.csv", "loaded 3 2 0 1")
	totals := RunTotals(w.run)
	if totals.Records != 3 || totals.Inserted != 2 || totals.DeadLetters != 1 || totals.Files != 1 {
		t.Errorf("totals: got %+v", totals)
	}
}

func TestDuplicates(t *testing.T) {
	a, b := item{ID: id(1), Name: "a"}, item{ID: id(2), Name: "b"}
	again := item{ID: id(1), Name: "again"}
	for _, c := range []struct {
		name  string
		loads [][]any // a file each
		rows  []string
		last  string // history of the last file
	}{
		{"within a range the first counts", [][]any{{a, again, b}}, []string{"a", "b"}, "loaded 3 2 1 0"},
		{"against the table the row that is there counts", [][]any{{a}, {again, b}}, []string{"a", "b"}, "loaded 2 1 1 0"},
		{"all of them", [][]any{{a, b}, {a, b, a}}, []string{"a", "b"}, "loaded 3 0 3 0"},
		{
			"when the first is refused the next counts",
			[][]any{{item{ID: id(1), Name: "dear", Price: price("99999")}, item{ID: id(1), Name: "dearer", Price: price("999999")}, again, a}},
			[]string{"again"},
			"loaded 4 1 1 2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			s := newSink[item](w, "items")
			var file record.File
			for i, values := range c.loads {
				file = testFile(string(rune('a'+i)) + ".csv")
				s.load(wholeRange[item](file, values...)...)
			}
			if got := w.list(`select name from items order by name`); !slices.Equal(got, c.rows) {
				t.Errorf("rows: got %q, want %q", got, c.rows)
			}
			wantHistory(w, file.Path, c.last)
		})
	}
}

func TestRowsThatPostgreSQLRefusesBecomeDeadLetters(t *testing.T) {
	trigger := func(body string) []string {
		return []string{
			itemTable,
			"create function f() returns trigger language plpgsql as $$ begin " + body + " return new; end $$",
			"create trigger t before insert on items for each row execute function f()",
		}
	}
	bad := item{ID: id(50), Name: "bad"}
	for _, c := range []struct {
		name   string
		ddl    []string
		bad    item
		column string // of the dead letter
		says   []string
	}{
		{"numeric overflow", []string{itemTable}, item{ID: id(50), Name: "bad", Price: price("10000")}, "price", []string{"22003"}},
		{"check constraint", []string{itemTable, "alter table items add constraint no_bad check (name <> 'bad')"}, bad, "name", []string{"23514", "no_bad", "DETAIL: Failing row contains"}},
		{"not null", []string{itemTable, "alter table items alter price set not null"}, bad, "price", []string{"23502"}},
		{"text too long", []string{strings.Replace(itemTable, "name text", "name varchar(5)", 1)}, item{ID: id(50), Name: "badbad"}, "name", []string{"22001"}},
		{"NUL byte", []string{itemTable}, item{ID: id(50), Name: "b\x00d"}, "name", []string{"22021"}},
		{"invalid UTF-8", []string{itemTable}, item{ID: id(50), Name: "b\xffd"}, "name", []string{"22021"}},
		{"second unique key", []string{itemTable, "create unique index second on items (name) where name = 'n1' or name = 'bad'", "insert into items values ('00000000-0000-0000-0000-000000000000', 'bad')"}, bad, "name", []string{"23505", "second", "DETAIL: Key (name)=(bad) already exists."}},
		{"foreign key", []string{itemTable, "create table names (name text primary key)", "insert into names select 'n' || i from generate_series(0, 99) i", "alter table items add foreign key (name) references names"}, bad, "name", []string{"23503", "DETAIL: Key (name)=(bad) is not present"}},
		{"trigger's exception", trigger("if new.name = 'bad' then raise exception 'not this one'; end if;"), bad, "<nil>", []string{"P0001", "not this one"}},
		{"trigger that leaves the row out", trigger("if new.name = 'bad' then return null; end if;"), bad, "<nil>", []string{"a trigger"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.ddl...)
			before := one[int64](w, "select count(*) from items")
			var values []any
			for i := range 100 {
				values = append(values, item{ID: id(i), Name: "n" + string(rune('0'+i%10)), Price: price("1")})
			}
			if c.name == "second unique key" {
				for i := range values {
					values[i] = item{ID: id(i), Name: "n2", Price: price("1")}
				}
			}
			values[50] = c.bad
			newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), values...)...)
			if got := one[int64](w, "select count(*) from items") - before; got != 99 {
				t.Errorf("%d of the 99 good rows are there", got)
			}
			wantHistory(w, "a.csv", "loaded 100 99 0 1")
			got := w.list("select line_number, code, column_name, convert_from(raw, 'utf8'), message from cartstream.dead_letters")
			if len(got) != 1 || !strings.HasPrefix(got[0], "52 rejected_by_database "+c.column+" raw 50 ") {
				t.Fatalf("dead letters: got %q", got)
			}
			for _, s := range c.says {
				if !strings.Contains(got[0], s) {
					t.Errorf("the dead letter %q does not say %q", got[0], s)
				}
			}
		})
	}
}

func TestEveryRowRefused(t *testing.T) {
	w := newWorld(t, itemTable, "alter table items add check (name = 'good')")
	var values []any
	for i := range 3000 {
		values = append(values, item{ID: id(i), Name: "bad"})
	}
	newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), values...)...)
	wantHistory(w, "a.csv", "loaded 3000 0 0 3000")
}

func TestKeysThatPostgreSQLFindsEqual(t *testing.T) {
	w := newWorld(t,
		`create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
		`create table words (name text collate ci primary key, n bigint)`,
	)
	s := newSink[named](w, "words")
	s.load(wholeRange[named](testFile("a.csv"), named{"Apple", 1}, named{"apple", 2}, named{"pear", 3})...)
	wantHistory(w, "a.csv", "loaded 3 2 1 0")
	s.load(wholeRange[named](testFile("b.csv"), named{"APPLE", 4}, named{"plum", 5})...)
	wantHistory(w, "b.csv", "loaded 2 1 1 0")
	// After batches that met nothing, the first of equal ones is stored as before.
	for i := range maxPatience {
		s.load(wholeRange[named](testFile(fmt.Sprint("clean", i)), named{fmt.Sprint("clean", i), 1})...)
	}
	s.load(wholeRange[named](testFile("c.csv"), named{"FIG", 6}, named{"fig", 7}, named{"FIG", 8})...)
	if got := one[int64](w, "select n from words where name = 'fig'"); got != 6 {
		t.Errorf("the row of record %d was stored, want that of the first, 6", got)
	}
}

// Keys that their column cuts or rounds are those that are stored.
func TestKeysThatAreStoredEqualAreOneKey(t *testing.T) {
	type timed struct {
		At time.Time `db:"at"`
		N  int64     `db:"n"`
	}
	w := newWorld(t,
		"create domain short as varchar(5); create domain instant as timestamp(0)",
		"create table words (name varchar(5) primary key, n bigint); create table shorts (name short primary key, n bigint); create table times (at instant primary key, n bigint)",
	)
	for _, table := range []string{"words", "shorts"} {
		s := newSink[named](w, table)
		s.load(wholeRange[named](testFile(table+"1"), named{"ab      ", 1}, named{"ab   ", 2}, named{"ab", 3}, named{"é        ", 4}, named{"abcdef", 5})...)
		wantHistory(w, table+"1", "loaded 5 3 1 1")
		s.load(wholeRange[named](testFile(table+"2"), named{"ab         ", 6}, named{"é    ", 7}, named{"é     ", 8})...)
		wantHistory(w, table+"2", "loaded 3 0 3 0")
		wantSound(w, table, 3)
	}
	w.exec("truncate words")
	ordered := newSink[named](w, "words", WithUpsert(Upsert{}))
	ordered.load(wholeRange[named](testFile("o1"), named{"ab      ", 1}, named{"ab   ", 2})...)
	ordered.load(wholeRange[named](testFile("o2"), named{"ab       ", 3}, named{"cd       ", 4}, named{"ab   ", 5}, named{"cd   ", 6})...)
	if got := w.list("select trim(name), n from words order by name"); !slices.Equal(got, []string{"ab 5", "cd 6"}) {
		t.Errorf("got %q, want the last records", got)
	}
	at := time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)
	s := newSink[timed](w, "times")
	s.load(wholeRange[timed](testFile("t1"), timed{at.Add(time.Second / 4), 1}, timed{at.Add(-time.Second / 4), 2}, timed{at.Add(time.Second), 3})...)
	wantHistory(w, "t1", "loaded 3 2 1 0")
	s.load(wholeRange[timed](testFile("t2"), timed{at, 4}, timed{at.Add(time.Second * 3 / 4), 5})...)
	wantHistory(w, "t2", "loaded 2 0 2 0")
}

func TestTriggerThatChangesTheKey(t *testing.T) {
	w := newWorld(t,
		`create table words (name text primary key, n bigint)`,
		"create function f() returns trigger language plpgsql as $$ begin new.name = lower(new.name); if new.n = 9 then return null; end if; return new; end $$",
		"create trigger t before insert on words for each row execute function f()",
	)
	newSink[named](w, "words").load(wholeRange[named](testFile("a.csv"),
		named{"A", 1}, named{"B", 2}, named{"left out", 9}, named{"C", 3})...)
	wantHistory(w, "a.csv", "loaded 4 3 0 1")
}

func TestRangeIsLoadedOnce(t *testing.T) {
	w := newWorld(t, itemTable)
	records := wholeRange[item](testFile("a.csv"), item{ID: id(1), Name: "a"}, record.Fault{Code: "c", Message: "m"})
	for range 3 {
		newSink[item](w, "items").load(records...)
	}
	wantHistory(w, "a.csv", "loaded 2 1 0 1")
}

func TestRangesAreEmittedWhenTheyAreCommitted(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items", WithFlush(1, time.Millisecond))
	var emitted []string
	emit := func(r record.Range) {
		emitted = append(emitted, r.File.Path)
		if n := one[int64](w, "select count(*) from cartstream.load_history where file_name = $1 and status = 'loaded'", r.File.Path); n != 1 {
			t.Errorf("%s is emitted and not loaded", r.File.Path)
		}
	}
	process := func(records ...*record.Record[item]) {
		for _, r := range records {
			if err := s.fn.ProcessElement(t.Context(), r, emit); err != nil {
				t.Fatal(err)
			}
		}
	}
	process(wholeRange[item](testFile("a.csv"), item{ID: id(1)})...)
	if len(emitted) > 0 {
		t.Errorf("%v is emitted before anybody can know", emitted)
	}
	waitUntil(t, "the commit", func() bool {
		s.fn.mu.Lock()
		defer s.fn.mu.Unlock()
		return len(s.fn.committed) == 1
	})
	process(wholeRange[item](testFile("b.csv"), record.Fault{Code: "c"})...)
	if !slices.Equal(emitted, []string{"a.csv"}) {
		t.Errorf("%v is emitted in the bundle, want what is committed by then", emitted)
	}
	unreadable := wholeRange[item](testFile("c.csv"), item{ID: id(2)})
	unreadable[1].Kind, unreadable[1].Fault = record.KindUnreadable, &record.Fault{Code: record.CodeUnreadable}
	process(unreadable...)
	if err := s.fn.FinishBundle(t.Context(), emit); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(emitted, []string{"a.csv", "b.csv"}) {
		t.Errorf("%v is emitted, want what is committed", emitted)
	}
}

func TestFileIsLoadedWhenAllItsRangesAreThere(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	part := func(i int64) []*record.Record[item] {
		return rangeOf[item](&record.Range{
			File: testFile("a.csv"), Fingerprint: "f1", Start: 100 * i, End: 100 * (i + 1), FirstLine: 1 + i, Index: i, Last: i == 2,
		}, item{ID: id(int(i)), Name: "x"})
	}
	for i, want := range map[int64]string{2: "loading 1 1 0 0"} {
		s.load(part(i)...)
		wantHistory(w, "a.csv", want)
	}
	s.load(part(0)...)
	wantHistory(w, "a.csv", "loading 2 2 0 0")
	s.load(part(1)...)
	wantHistory(w, "a.csv", "loaded 3 3 0 0")
}

func TestFilesWithoutRecordsAreLoaded(t *testing.T) {
	w := newWorld(t, itemTable)
	newSink[item](w, "items").load(wholeRange[item](testFile("header only.csv"))...)
	wantHistory(w, "header only.csv", "loaded 0 0 0 0")
}

func TestMarkersOfWholeFiles(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	marker := func(file string, kind record.Kind, fault *record.Fault) *record.Record[item] {
		r := &record.Range{File: testFile(file), Fingerprint: "f1", Last: true, Failure: fault, FailureLine: 1}
		return &record.Record[item]{Kind: kind, Source: record.Source{Range: r}, Fault: fault}
	}
	half := rangeOf[item](&record.Range{File: testFile("changed.csv"), Fingerprint: "f1", FirstLine: 2}, item{ID: id(1)}, item{ID: id(2)})
	half = append(half[:1], &record.Record[item]{Kind: record.KindSuperseded, Source: half[0].Source})
	s.load(marker("bad.csv", record.KindFileFailed, &record.Fault{Code: record.CodeInvalidHeader, Column: "id", Message: "no column id"}))
	s.load(marker("later.csv", record.KindUnreadable, &record.Fault{Code: record.CodeUnreadable, Message: "permission denied"}))
	s.load(half...)
	wantHistory(w, "bad.csv", "failed 0 0 0 0")
	wantHistory(w, "later.csv", "loading 0 0 0 0")
	wantHistory(w, "changed.csv", "superseded 0 0 0 0")
	got := w.list("select first_error_message, first_error_line_number, first_error_column_name from cartstream.load_history where file_name = 'bad.csv'")
	if want := []string{"no column id 1 id"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if totals := RunTotals(w.run); totals.FailedFiles != 1 || totals.UnreadableFiles != 1 {
		t.Errorf("totals: got %+v", totals)
	}
}

// A version that nobody finished is superseded when a later one of its path was
// begun. What has an end, loaded or failed, keeps it.
func TestVersionsThatALaterOneFollowed(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	version := func(path string, n int64) record.File {
		f := testFile(path)
		f.Modified += n
		return f
	}
	s.load(part(version("killed", 1), 0)...)
	s.load(wholeRange[item](version("loaded", 1), item{ID: id(7)})...)
	s.load(markerOf(version("failed", 1), record.KindFileFailed))
	s.load(part(version("other", 1), 0)...)
	for _, path := range []string{"killed", "loaded", "failed"} {
		wantHistory(w, path, map[string]string{"killed": "loading 2 2 0 0", "loaded": "loaded 1 1 0 0", "failed": "failed 0 0 0 0"}[path])
		s.load(part(version(path, 2), 0)...)
	}
	got := w.list("select file_name, status from cartstream.load_history order by begun_order")
	want := []string{"killed superseded", "loaded loaded", "failed failed", "other loading", "killed loading", "loaded loading", "failed loading"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, index := range []int64{1, 2} { // the old content was put back
		s.load(part(version("killed", 1), index)...)
	}
	if got := w.list("select status from cartstream.load_history where file_name = 'killed' order by begun_order"); got[0] != "loaded" {
		t.Errorf("put back and loaded: got %q", got)
	}
}

// However many ranges were in hand, the ledger says once that the file changed.
func TestAChangeIsToldOnce(t *testing.T) {
	w := newWorld(t, itemTable)
	newSink[item](w, "items").load(markerOf(testFile("a"), record.KindSuperseded), markerOf(testFile("a"), record.KindSuperseded), markerOf(testFile("b"), record.KindSuperseded))
	if got := w.list("select file_id from cartstream.file_outcomes order by 1"); len(got) != 2 {
		t.Errorf("outcomes of %q", got)
	}
}

func TestFileOfAnotherFingerprintIsLeftOut(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.load(rangeOf[item](&record.Range{File: testFile("a.csv"), Fingerprint: "f1", End: 500}, item{ID: id(1), Name: "f1"})...)
	s.load(rangeOf[item](&record.Range{File: testFile("a.csv"), Fingerprint: "f2", Start: 400, End: 1000, Last: true}, item{ID: id(2), Name: "f2"})...)
	if got := w.list("select name from items"); !slices.Equal(got, []string{"f1"}) {
		t.Errorf("rows: got %q", got)
	}
	wantHistory(w, "a.csv", "loading 1 1 0 0")
}

func TestFailedFileIsTriedWithAnotherFingerprint(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	fault := &record.Fault{Code: record.CodeInvalidHeader, Message: "no column id"}
	s.load(&record.Record[item]{
		Kind: record.KindFileFailed, Fault: fault,
		Source: record.Source{Range: &record.Range{File: testFile("a.csv"), Fingerprint: "old", Failure: fault}},
	})
	for _, c := range []struct {
		fingerprint string
		want        record.Status
	}{{"old", record.StatusFailed}, {"f1", record.StatusUnknown}} {
		l := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: c.fingerprint}
		states, err := l.Lookup(t.Context(), []record.File{testFile("a.csv")})
		if err != nil || states[0].Status != c.want {
			t.Errorf("fingerprint %s: got %+v, %v; want status %q", c.fingerprint, states, err, c.want)
		}
	}
	newSink[item](w, "items").load(wholeRange[item](testFile("a.csv"), item{ID: id(1)})...)
	wantHistory(w, "a.csv", "loaded 1 1 0 0")
}

func TestBrokenFusionIsAnError(t *testing.T) {
	whole := wholeRange[item](testFile("a.csv"), item{ID: id(1)}, item{ID: id(2)})
	other := wholeRange[item](testFile("b.csv"), item{ID: id(3)})
	for _, c := range []struct {
		name    string
		records []*record.Record[item]
		says    string
	}{
		{"the range's end is missing", whole[:2], "fusion"},
		{"another range in between", []*record.Record[item]{whole[0], other[0]}, "fusion"},
		{"a record is missing", []*record.Record[item]{whole[0], whole[2]}, "1 records of a range of 2"},
		{"a record too many", []*record.Record[item]{whole[0], whole[1], whole[1], whole[2]}, "3 records of a range of 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			err := newSink[item](w, "items").bundle(c.records...)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if n := one[int64](w, "select count(*) from items"); n != 0 {
				t.Errorf("%d rows were written", n)
			}
		})
	}
}

func TestWhatNoRetryMendsEndsTheRun(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	w.exec("drop table items")
	err := s.bundle(wholeRange[item](testFile("a.csv"), item{ID: id(1)})...)
	if err == nil || !strings.Contains(err.Error(), "42P01") {
		t.Errorf("got %v, want SQLSTATE 42P01", err)
	}
	if n := one[int64](w, "select count(*) from cartstream.ranges"); n != 0 {
		t.Errorf("%d ranges are in the ledger", n)
	}
}

func TestQuotedNames(t *testing.T) {
	type odd struct {
		Key  string `db:"the \"key\"; --"`
		Text string `db:"Text"`
	}
	w := newWorld(t, `create schema "My.Schema"`, `create table "My.Schema"."odd ""name"";--" ("the ""key""; --" text primary key, "Text" text)`)
	w.t = t
	fn := &loadFn[odd]{Options: newLoadOptions(`"My.Schema"."odd ""name"";--"`, []Option{WithRun(w.run), WithDatabase(w.db)})}
	if err := fn.Setup(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := &sink[odd]{w: w, fn: fn}
	s.load(wholeRange[odd](testFile("a.csv"), odd{"k", "v"}, odd{"k", "w"}, odd{"l\x00", "w"})...)
	if err := fn.Teardown(); err != nil {
		t.Error(err)
	}
	wantHistory(w, "a.csv", "loaded 3 1 1 1")
}

func TestPathsThatAreNoUTF8(t *testing.T) {
	w := newWorld(t, itemTable)
	newSink[item](w, "items").load(wholeRange[item](testFile("a\xff'; drop table items;--\n.csv"), item{ID: id(1)})...)
	wantHistory(w, `a\xFF'; drop table items;--`+"\n.csv", "loaded 1 1 0 0")
}
