package postgresio

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// loseHistory puts the ledger and the table back to a state before the first load, as
// a failover to a standby that lagged does: no trigger fires.
func loseHistory(w *world) {
	w.t.Helper()
	w.exec(`set session_replication_role = replica;
		delete from cartstream.dead_letters; delete from cartstream.file_outcomes; delete from cartstream.range_counts;
		delete from cartstream.ranges; delete from cartstream.files; delete from cartstream.loads; delete from cartstream.watches;
		delete from items;
		reset session_replication_role`)
}

func TestLoadAfterLostHistoryRegistersFilesAgain(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	a := testFile("a")
	a.Size = 300
	s.load(part(a, 0)...)
	loseHistory(w)
	s.load(part(a, 1)...)
	s.load(wholeRange[item](testFile("b"), items(70, 75)...)...)
	s.load(part(a, 0)...)
	s.load(part(a, 2)...)
	wantHistory(w, "a", "loaded 6 6 0 0")
	wantHistory(w, "b", "loaded 5 5 0 0")
	wantSound(w, "items", 11)
}

func TestEntriesLostDuringALoadAreWrittenAgain(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.load(part(testFile("a"), 0)...)
	holder, err := w.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "lock table cartstream.ranges in share mode"); err != nil {
		t.Fatal(err)
	}
	done := inBackground(func() error { return s.bundle(part(testFile("a"), 1)...) })
	waitUntil(t, "the claim at the lock", func() bool {
		return one[int](w, "select count(*) from pg_locks where relation = 'cartstream.ranges'::regclass and not granted") > 0
	})
	if _, err := holder.Exec(t.Context(), "set local session_replication_role = replica; delete from cartstream.files"); err != nil {
		t.Fatal(err)
	}
	if err := holder.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	if got := one[int](w, "select count(*) from cartstream.ranges join cartstream.files using (file_id)"); got != 1 {
		t.Errorf("%d ranges have their file, want that of the second load", got)
	}
}

func TestRangeWithoutItsFileIsRefused(t *testing.T) {
	w := newWorld(t, itemTable)
	newSink[item](w, "items").load(wholeRange[item](testFile("a"), record.Fault{Code: "c", Message: "m"})...)
	for _, table := range []string{"ranges", "range_counts", "dead_letters"} {
		_, err := w.pool.Exec(t.Context(), "update cartstream."+table+" set file_id = md5('x')::uuid")
		if !isMissingEntry(err) {
			t.Errorf("%s: got %v, want a violated foreign key", table, err)
		}
	}
	w.exec("delete from cartstream.files")
	for _, table := range []string{"ranges", "range_counts", "dead_letters"} {
		if n := one[int](w, "select count(*) from cartstream."+table); n != 0 {
			t.Errorf("%d rows of %s are left without their file", n, table)
		}
	}
}

// What is left adds up, whichever way entries are deleted.
func TestLedgerAddsUpWhenEntriesAreDeleted(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want int
	}{
		{"delete from cartstream.files where file_name = 'a'", 6},
		{"delete from cartstream.ranges where start_byte = 100", 8},
		{"delete from cartstream.ranges where file_id = (select file_id from cartstream.files where file_name = 'b')", 6},
		{"delete from cartstream.ranges", 0},
		{"truncate cartstream.files cascade", 0},
		{"truncate cartstream.ranges cascade", 0},
	} {
		w := newWorld(t, itemTable)
		s := newSink[item](w, "items")
		bad := record.Fault{Code: "c", Message: "m"}
		load := func(name string, index int64) []*record.Record[item] {
			return rangeOf[item](&record.Range{
				File: testFile(name), Fingerprint: "f1", Start: 100 * index, End: 100 * (index + 1), FirstLine: 2, Lines: 2, Index: index, Last: index == 2,
			}, items(int(10*index), int(10*index+1))[0], bad)
		}
		s.load(slices.Concat(load("a", 0), load("a", 1), load("b", 0))...)
		s.load(slices.Concat(load("a", 2), load("b", 1), load("b", 2))...)
		w.exec(c.sql)
		for what, sql := range map[string]string{
			"records of ranges": "select coalesce(sum(records), 0) from cartstream.ranges",
			"records of loads":  "select sum(records)::bigint from cartstream.loads",
			"counts of loads":   "select sum(inserted + updated + duplicates + stale + dead_letters)::bigint from cartstream.loads",
			"dead letters":      "select 2 * count(*) from cartstream.dead_letters",
			"counted ones":      "select 2 * sum(dead_letters)::bigint from cartstream.loads",
		} {
			if got := one[int](w, sql); got != c.want {
				t.Errorf("%s: %s: %d, want %d", c.sql, what, got, c.want)
			}
		}
	}
}

func TestHistoryChangesWhenEntriesAreMissing(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		changes   bool
	}{
		{"nothing", "select", false},
		{"more loads", "insert into cartstream.loads (load_id, table_name, records, inserted, updated, duplicates, dead_letters, seconds) select md5(n::text)::uuid, 't', 0, 0, 0, 0, 0, 0 from generate_series(1, 200) n", false},
		{"a file deleted", "delete from cartstream.files where file_name = 'a'", true},
		{"a range deleted", "delete from cartstream.ranges where start_byte = 100", true},
		{"files truncated", "truncate cartstream.files cascade", true},
		{"a load lost", "set session_replication_role = replica; delete from cartstream.loads where load_id = (select load_id from cartstream.loads order by committed_at desc limit 1); reset session_replication_role", true},
		{"another ledger", "update cartstream.ledger_id set id = md5('x')::uuid", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			s := newSink[item](w, "items")
			s.load(part(testFile("a"), 0)...)
			s.load(part(testFile("a"), 1)...)
			l := Ledger{Run: "watcher of " + w.run, Database: w.db, Table: "items"}
			before, err := l.History(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.exec(c.sql)
			after, err := l.History(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if changed := after != before; changed != c.changes {
				t.Errorf("era %d, then %d", before, after)
			}
			if again, err := l.History(t.Context()); err != nil || again != after {
				t.Errorf("era %d without another change, %v", again, err)
			}
		})
	}
}

// A process that has not seen a load cannot miss it; the one that misses it tells.
func TestChangeOfHistoryReachesOtherProcesses(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	s.load(part(testFile("a"), 0)...)
	other := Ledger{Run: "another process than " + w.run, Database: w.db, Table: "items"}
	before, err := other.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.load(part(testFile("a"), 1)...)
	w.exec(`set session_replication_role = replica;
		with lost as (delete from cartstream.ranges where start_byte = 100 returning file_id, start_byte, load_id),
			counts as (delete from cartstream.range_counts c using lost where c.file_id = lost.file_id and c.start_byte = lost.start_byte)
		delete from cartstream.loads l using lost where l.load_id = lost.load_id;
		reset session_replication_role`)
	s.load(part(testFile("a"), 2)...)
	after, err := other.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after == before {
		t.Error("the other process knows of no change")
	}
	if again, err := other.History(t.Context()); err != nil || again != after {
		t.Errorf("era %d, then %d without another change; %v", after, again, err)
	}
}

// Files that were read before a change of history may come after others that are
// missing now.
func TestOrderedUpsertsOfAnEarlierEraAreLeftOut(t *testing.T) {
	retryFast(t)
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items", WithUpsert(Upsert{}))
	of := func(file string, era int64, name string) []*record.Record[item] {
		f := testFile(file)
		return rangeOf[item](&record.Range{File: f, Fingerprint: "f1", Start: 10, End: f.Size, FirstLine: 2, Last: true, Era: era}, item{ID: id(1), Name: name})
	}
	s.load(of("a", 1, "from a")...)
	loseHistory(w)
	s.load(of("b", 1, "from b")...)
	if n := one[int](w, "select count(*) from items"); n != 0 {
		t.Fatalf("%d rows of a file whose predecessor is missing", n)
	}
	s.load(of("a", 2, "from a")...)
	s.load(of("b", 2, "from b")...)
	if got := one[string](w, "select name from items"); got != "from b" {
		t.Errorf("got %q", got)
	}
	wantSound(w, "items", 1)
}

func TestLostTimeOfTheFirstRunIsRestored(t *testing.T) {
	w := newWorld(t, itemTable)
	l := Ledger{Run: w.run, Database: w.db, Table: "items"}
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if _, err := l.BeginWatch(t.Context(), []string{"in/*.csv"}, first); err != nil {
		t.Fatal(err)
	}
	for _, lost := range []string{"delete from cartstream.watches", "update cartstream.watches set since = now()", "select"} {
		w.exec(lost)
		if err := l.RestoreWatch(t.Context(), []string{"in/*.csv"}, first); err != nil {
			t.Fatal(err)
		}
		since, err := l.BeginWatch(t.Context(), []string{"in/*.csv"}, time.Now())
		if err != nil || !since.Equal(first) {
			t.Errorf("%s: got %v, %v", lost, since, err)
		}
	}
}

func TestFileNamesAreInjective(t *testing.T) {
	parts := []string{"a", `\`, "x", "F", "5C", "\xff", "\x00", "\\x", "ü", "\xc3", `\xFF`, `\xff`}
	names := map[string]string{}
	for n := range len(parts) * len(parts) * len(parts) {
		path := parts[n%len(parts)] + parts[n/len(parts)%len(parts)] + parts[n/len(parts)/len(parts)]
		name := FileName(path)
		if other, there := names[name]; there && other != path {
			t.Errorf("%q and %q are both %q", path, other, name)
		}
		names[name] = path
		if got := pathOf(name); got != path {
			t.Errorf("%q is written as %q and read as %q", path, name, got)
		}
	}
}

func TestMigrationKeepsNamesWithBackslashes(t *testing.T) {
	w := newWorld(t)
	for i, path := range []string{`in\x41.csv`, `in\xff.csv`, "in\xff.csv", `in\y.csv`} {
		w.exec("insert into cartstream.files (file_id, table_name, file_name, file_size, file_modified, seen_modified, fingerprint) values (md5($1)::uuid, 't', $2, 0, now(), now(), 'f')",
			fmt.Sprint(i), strings.ReplaceAll(FileName(path), `\x5C`, `\`))
	}
	step, err := migrations.ReadFile("migrations/009_file_names.sql")
	if err != nil {
		t.Fatal(err)
	}
	w.exec(string(step))
	for i, name := range w.list("select file_name from cartstream.files order by begun_order") {
		if want := FileName([]string{`in\x41.csv`, `in\xff.csv`, "in\xff.csv", `in\y.csv`}[i]); name != want {
			t.Errorf("got %q, want %q", name, want)
		}
	}
}
