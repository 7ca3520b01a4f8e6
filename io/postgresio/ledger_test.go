package postgresio

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// part is a range of a file that has three, 100 bytes and two records each.
func part(file record.File, index int64) []*record.Record[item] {
	return rangeOf[item](&record.Range{
		File: file, Fingerprint: "f1", Start: 100 * index, End: 100 * (index + 1), FirstLine: 2 + 2*index, Lines: 2, Index: index, Last: index == 2,
	}, items(int(10*index), int(10*index+2))...)
}

func markerOf(file record.File, kind record.Kind) *record.Record[item] {
	fault := &record.Fault{Code: "c", Message: "m"}
	return &record.Record[item]{Kind: kind, Fault: fault, Source: record.Source{
		Range: &record.Range{File: file, Fingerprint: "f1", Last: true, Failure: fault},
	}}
}

func TestLedgerKnowsTheStateOfEachFile(t *testing.T) {
	w := newWorld(t, itemTable, "create table other (like items including all)")
	s := newSink[item](w, "items")
	for _, load := range [][]*record.Record[item]{
		part(testFile("part"), 0), part(testFile("part"), 2),
		part(testFile("whole"), 0), part(testFile("whole"), 1), part(testFile("whole"), 2),
		{markerOf(testFile("failed"), record.KindFileFailed)},
		{markerOf(testFile("superseded"), record.KindSuperseded)},
		{markerOf(testFile("unreadable"), record.KindUnreadable)},
		{markerOf(testFile("readable again"), record.KindUnreadable)},
		part(testFile("readable again"), 1),
		part(testFile("unreadable half way"), 1),
		{markerOf(testFile("unreadable half way"), record.KindUnreadable)},
		part(testFile("from before"), 0),
		part(testFile("an archive"), 0),
		wholeRange[item](testFile("no UTF-8 \xff")),
	} {
		s.load(load...)
	}
	of := ` where file_id = (select file_id from cartstream.files where file_name = $1)`
	w.exec(`update cartstream.ranges set lines = null`+of, "from before")
	w.exec(`update cartstream.ranges set unsplit = true`+of, "an archive")
	newer := testFile("whole")
	newer.Modified++
	longer := testFile("whole")
	longer.Size++
	loading := func(done ...int64) record.FileState {
		s := record.FileState{Status: record.StatusLoading, Fingerprint: "f1"}
		for _, i := range done {
			s.Done = append(s.Done, record.DoneRange{Start: 100 * i, End: 100 * (i + 1), Index: i, NextLine: 4 + 2*i})
		}
		return s
	}
	before := loading(0)
	before.Done[0].NextLine = 0
	unreadable := func(s record.FileState) record.FileState {
		s.UnreadableSince = -1 // some time
		return s
	}
	cases := []struct {
		file record.File
		want record.FileState
	}{
		{testFile("never seen"), record.FileState{}},
		{testFile("part"), loading(0, 2)},
		{testFile("whole"), record.FileState{Status: record.StatusLoaded}},
		{newer, record.FileState{}},
		{longer, record.FileState{}},
		{testFile("failed"), record.FileState{Status: record.StatusFailed}},
		{testFile("superseded"), unreadable(loading())},
		{testFile("unreadable"), unreadable(loading())},
		{testFile("readable again"), unreadable(loading(1))},
		{testFile("unreadable half way"), unreadable(loading(1))},
		{testFile("from before"), before},
		{testFile("an archive"), before},
		{testFile("no UTF-8 \xff"), record.FileState{Status: record.StatusLoaded}},
		{testFile("whole"), record.FileState{Status: record.StatusLoaded}}, // asked for twice
	}
	var files []record.File
	for _, c := range cases {
		files = append(files, c.file)
	}
	states, err := Ledger{Run: w.run, Database: w.db, Table: "items", Fingerprint: "f1"}.Lookup(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		got := states[i]
		if since := time.UnixMicro(got.UnreadableSince); got.UnreadableSince != 0 && time.Since(since) < time.Hour {
			got.UnreadableSince = -1
		}
		if len(got.Done) == 0 {
			got.Done = nil
		}
		if len(c.want.Done) == 0 {
			c.want.Done = nil
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.file.Path, got, c.want)
		}
	}
	ledger := Ledger{Run: w.run, Database: w.db, Table: "items"}
	all, err := ledger.Settled(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		// Of one file the whole ledger is not read.
		alone, err := ledger.Settled(t.Context(), files[i:i+1])
		if want := c.want.Status == record.StatusLoaded; err != nil || all[i] != want || alone[0] != want {
			t.Errorf("%q is settled: %v among others, %v alone, want %v (%v)", c.file.Path, all[i], alone[0], want, err)
		}
	}
	for _, table := range []string{"other", "public.other", "not_there", "no.schema"} {
		states, err := Ledger{Run: w.run, Database: w.db, Table: table}.Lookup(t.Context(), files)
		if err != nil || len(states) != len(files) {
			t.Fatalf("%s: %d states, %v", table, len(states), err)
		}
		for i, s := range states {
			if s.Status != record.StatusUnknown {
				t.Errorf("%s: %q is %+v", table, files[i].Path, s)
			}
		}
	}
}

func TestLedgerAnswersInOrder(t *testing.T) {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	var files []record.File
	for i := range 1000 {
		f := testFile(fmt.Sprint(i))
		files = append(files, f)
		if i%3 == 0 {
			if err := s.bundleIn(part(f, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.fn.FinishBundle(t.Context(), ignoreRange); err != nil {
		t.Fatal(err)
	}
	states, err := Ledger{Run: w.run, Database: w.db, Table: "items"}.Lookup(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		if want := map[bool]record.Status{true: record.StatusLoading}[i%3 == 0]; s.Status != want {
			t.Errorf("file %d: got %+v", i, s)
		}
	}
	if states, err := (Ledger{Run: w.run, Database: w.db, Table: "items"}).Lookup(t.Context(), nil); err != nil || len(states) != 0 {
		t.Errorf("no files: got %v, %v", states, err)
	}
}

func TestLookupOfATableWithAnImpossibleName(t *testing.T) {
	w := newWorld(t)
	if _, err := (Ledger{Run: w.run, Database: w.db, Table: "a.b.c"}).Lookup(t.Context(), nil); err == nil {
		t.Error("no error")
	}
}

func TestLookupWaitsForTheDatabase(t *testing.T) {
	retryFast(t)
	w, _, back := awayAfterSetup(t)
	log := captureLog(t)
	l := Ledger{Run: w.run, Database: w.db, Table: "items"}
	done := inBackground(func() error {
		_, err := l.Lookup(context.Background(), []record.File{testFile("a")})
		return err
	})
	waitUntil(t, "a retry", func() bool { return retryLine.MatchString(log.String()) })
	back()
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestLookupEndsWithTheRun(t *testing.T) {
	w, _, _ := awayAfterSetup(t)
	l := Ledger{Run: w.run, Database: w.db, Table: "items"}
	done := inBackground(func() error {
		_, err := l.Lookup(context.Background(), []record.File{testFile("a")})
		return err
	})
	runctl.Of(w.run).Drain(10 * time.Millisecond)
	if err := result(t, done); err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("got %v", err)
	}
}

// A look at the ledger finds each file by the index of versions, however many
// there are: all its columns are conditions of the index.
func TestLedgerLooksFilesUpByTheirIndex(t *testing.T) {
	w := newWorld(t, itemTable)
	w.exec("create function plan(query text) returns text language plpgsql as $$ declare plan json; begin execute 'explain (generic_plan, format json) ' || query into plan; return plan; end $$")
	w.exec(`insert into cartstream.files (file_id, table_name, file_name, file_size, file_modified, seen_modified, fingerprint)
		select md5(n::text)::uuid, 'public.items', 'in/' || n, n, '2026-01-01', '2026-01-01', 'f' from generate_series(1, 20000) n`)
	w.exec("analyze cartstream.files")
	plan := one[string](w, "select plan($1)", lookupSQL)
	if want := `"Index Cond": "((table_name = `; !strings.Contains(plan, want) {
		t.Errorf("the plan has no %q:\n%s", want, plan)
	}
}

// The ranges before the damage of an archive are committed before the file has
// failed: in between the process may be killed, and a file that has failed is not
// tried again.
func TestFileFailsAfterWhatWasReadOfIt(t *testing.T) {
	w := newWorld(t, itemTable)
	holder, err := w.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "lock table items in share mode"); err != nil {
		t.Fatal(err)
	}
	s := newSink[item](w, "items", WithConnections(2), WithFlush(1, time.Millisecond))
	file := testFile("damaged")
	done := inBackground(func() error { return s.bundle(append(part(file, 0), markerOf(file, record.KindFileFailed))...) })
	waitUntil(t, "the range at the lock", func() bool {
		return one[int](w, "select count(*) from pg_locks where relation = 'items'::regclass and not granted and mode = 'RowExclusiveLock'") > 0
	})
	time.Sleep(200 * time.Millisecond) // in which the other writer would have committed the failure
	if n := one[int](w, "select count(*) from cartstream.file_outcomes"); n != 0 {
		t.Error("the file has failed before its range is committed")
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if got := one[string](w, "select status || ' ' || (select count(*) from cartstream.ranges) from cartstream.file_outcomes"); got != "failed 1" {
		t.Errorf("status and ranges: %s", got)
	}
}
