package postgresio

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// soundWorld has a file of three ranges, one with dead letters and duplicates,
// and one without records.
func soundWorld(t *testing.T) *world {
	w := newWorld(t, itemTable)
	s := newSink[item](w, "items")
	for i := range int64(3) {
		s.load(part(record.File{Path: "in/parts.csv", Size: 300, Modified: 1}, i)...)
	}
	s.load(wholeRange[item](testFile("in/b.csv"), append(items(0, 3), items(100, 104)[0], record.Fault{Code: "bad", Message: "m"}, record.Fault{Code: "bad", Message: "m"})...)...)
	s.load(wholeRange[item](testFile("in/empty.csv"))...)
	s.load(markerOf(testFile("in/failed.csv"), record.KindFileFailed))
	return w
}

func verify(w *world, e *Expectation) string {
	w.t.Helper()
	v, err := Verify(context.Background(), w.pool, "items", &VerifyOptions{Expected: e})
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range v.Findings {
		b.WriteString(f.Table + " " + f.File + ": " + f.Problem + "\n")
	}
	return b.String()
}

func TestVerifyCounts(t *testing.T) {
	w := soundWorld(t)
	v, err := Verify(t.Context(), w.pool, "items", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (&Verification{Files: 4, Failed: 1, Records: 12, Inserted: 8, Duplicates: 2, Errors: 2}); !equalVerification(v, want) {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func equalVerification(a, b *Verification) bool {
	return a.Files == b.Files && a.Loading == b.Loading && a.Failed == b.Failed && a.Records == b.Records &&
		a.Inserted == b.Inserted && a.Updated == b.Updated && a.Duplicates == b.Duplicates && a.Errors == b.Errors && a.Off == b.Off
}

// withoutForeignKeys has a statement damage the ledger in ways that its foreign keys
// prevent.
func withoutForeignKeys(statement string) string {
	return "set session_replication_role = replica; " + statement + "; reset session_replication_role"
}

func TestVerifyFindsEveryDamage(t *testing.T) {
	const of = " where file_id = (select file_id from cartstream.files where file_name like '%parts.csv') and start_byte = 100"
	for _, c := range []struct{ name, damage, finds string }{
		{"a changed count", "update cartstream.range_counts set inserted = inserted + 1" + of, "parts.csv: range 1 has 2 records, but inserted 3"},
		{"a changed number of records", "update cartstream.ranges set records = records + 1" + of, "parts.csv: range 1 has 3 records"},
		{"counts that agree with each other", "update cartstream.range_counts set inserted = inserted - 1, duplicates = duplicates + 1" + of, "sum to"},
		{"a load's count", "update cartstream.loads set duplicates = duplicates + 1 where records = 6", "sum to"},
		{"a missing range", "delete from cartstream.ranges" + of, "parts.csv: there are counts of a range at byte 100"},
		{"a missing range of no records", "delete from cartstream.ranges where records = 0", "empty.csv: there are counts of a range"},
		{"missing counts", "delete from cartstream.range_counts" + of, "parts.csv: range 1 has no counts"},
		{"a missing range and its counts", "with d as (delete from cartstream.ranges" + of + ") delete from cartstream.range_counts" + of, "sum to"},
		{"a gap", "update cartstream.ranges set end_byte = end_byte - 10" + of, "parts.csv: range 2 begins at byte 200, the range before it ends at byte 190"},
		{"an overlap", "update cartstream.ranges set end_byte = end_byte + 10" + of, "parts.csv: range 2 begins at byte 200, the range before it ends at byte 210"},
		{"an overlap with ranges missing between", "update cartstream.ranges set end_byte = 250, range_index = 0 where start_byte = 0 and end_byte = 100", "parts.csv: range 1 begins at byte 100"},
		{"an end before the file's", "update cartstream.ranges set end_byte = 290 where is_last and end_byte = 300", "parts.csv: the last range ends at byte 290 of 300"},
		{"a missing dead letter", "delete from cartstream.dead_letters where id = (select min(id) from cartstream.dead_letters)", "b.csv: the ledger counts 2 dead letters, cartstream.dead_letters holds 1"},
		{"a dead letter too many", "insert into cartstream.dead_letters (file_id, table_name, file_name, file_modified, line_number, byte_offset, code, message, raw) select file_id, table_name, file_name, file_modified, 1, 1, 'c', 'm', '' from cartstream.files", "parts.csv: the ledger counts 0 dead letters"},
		{"a missing load", "delete from cartstream.loads where load_id = (select load_id from cartstream.ranges" + of + ")", "parts.csv: range 1 has no counts or no load"},
		{"a missing file", "delete from cartstream.files where file_name like '%parts.csv'", "range at byte 100 of file id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := soundWorld(t)
			if found := verify(w, nil); found != "" {
				t.Fatalf("before the damage: %s", found)
			}
			w.exec(withoutForeignKeys(c.damage))
			if found := verify(w, nil); !strings.Contains(found, c.finds) {
				t.Errorf("got\n%swant %q", found, c.finds)
			}
		})
	}
}

func TestVerifyAgainstWhatIsExpected(t *testing.T) {
	right := func() *Expectation {
		return &Expectation{
			Files: []ExpectedFile{
				{Name: "parts.csv", Size: 300, Records: 6},
				{Name: "b.csv", Size: 1000, Records: 6, Errors: 2},
				{Name: "empty.csv", Size: 1000},
			},
			Inserted: 8, Duplicates: 2, DeadLetters: map[string]int64{"bad": 2},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Expectation)
		damage string
		finds  string
	}{
		{"all is as expected", func(*Expectation) {}, "", ""},
		{"a file that is not there", func(e *Expectation) { e.Files = append(e.Files, ExpectedFile{Name: "c.csv"}) }, "", "c.csv: is not in the ledger"},
		{"a file of another size", func(e *Expectation) { e.Files[0].Size++ }, "", "parts.csv: is not in the ledger"},
		{"a file that failed", func(e *Expectation) { e.Files = append(e.Files, ExpectedFile{Name: "failed.csv", Size: 1000}) }, "", "failed.csv: is failed"},
		{"records", func(e *Expectation) { e.Files[0].Records++ }, "", "parts.csv: has 6 records and 0 dead letters, the manifest says 7 and 0"},
		{"errors", func(e *Expectation) { e.Files[1].Errors++ }, "", "b.csv: has 6 records and 2 dead letters, the manifest says 6 and 3"},
		{"inserted", func(e *Expectation) { e.Inserted++ }, "", "inserted: 8, the manifest says 9"},
		{"duplicates", func(e *Expectation) { e.Duplicates-- }, "", "duplicates: 2, the manifest says 1"},
		{"dead letters of a code", func(e *Expectation) { e.DeadLetters["bad"]++ }, "", "dead letters of bad: 2, the manifest says 3"},
		{"a code that is not expected", func(e *Expectation) { e.DeadLetters = nil }, "", "dead letters of bad: 2, the manifest says 0"},
		{"a code that did not come", func(e *Expectation) { e.DeadLetters["worse"] = 1 }, "", "dead letters of worse: 0, the manifest says 1"},
		{"a row that is gone", func(*Expectation) {}, "delete from items where ctid = (select min(ctid) from items)", "the table has 7 rows, the ledger inserted 8"},
		{"a row from elsewhere", func(*Expectation) {}, "insert into items values (gen_random_uuid(), 'x')", "the table has 9 rows, the ledger inserted 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := soundWorld(t)
			if c.damage != "" {
				w.exec(c.damage)
			}
			e := right()
			c.change(e)
			found := verify(w, e)
			if c.finds == "" && found != "" || !strings.Contains(found, c.finds) {
				t.Errorf("got\n%swant %q", found, c.finds)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	w := soundWorld(t)
	w.exec("update cartstream.files set begun_at = now() - interval '3 days'")
	w.exec("update cartstream.loads set committed_at = now() - interval '2 days' where records = 0")
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, c := range []struct {
		name   string
		filter HistoryFilter
		want   []string
	}{
		{"all, the newest first", HistoryFilter{}, []string{"failed", "empty", "b", "parts"}},
		{"the newest two", HistoryFilter{Limit: 2}, []string{"failed", "empty"}},
		{"a state", HistoryFilter{States: []string{"failed"}}, []string{"failed"}},
		{"loaded", HistoryFilter{States: []string{"loaded"}}, []string{"empty", "b", "parts"}},
		{"several states", HistoryFilter{States: []string{"loaded", "failed"}, Limit: 3}, []string{"failed", "empty", "b"}},
		{"a state that none is in", HistoryFilter{States: []string{"loading", "superseded"}}, nil},
		{"a part of the path", HistoryFilter{File: "n/p"}, []string{"parts"}},
		{"a pattern", HistoryFilter{File: "in/?.csv"}, []string{"b"}},
		{"a pattern of the end only", HistoryFilter{File: "?.csv"}, nil},
		{"what LIKE would take for a wildcard", HistoryFilter{File: "_"}, nil},
		{"since", HistoryFilter{Since: ago(24 * time.Hour)}, []string{"failed", "b", "parts"}},
		{"since, by the load alone", HistoryFilter{Since: ago(60 * time.Hour)}, []string{"failed", "empty", "b", "parts"}},
		{"since the future", HistoryFilter{Since: ago(-time.Hour)}, nil},
		{"all of them", HistoryFilter{Since: ago(24 * time.Hour), States: []string{"loaded"}, File: "*.csv", Limit: 1}, []string{"b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, err := History(t.Context(), w.pool, c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range files {
				got = append(got, strings.TrimSuffix(strings.TrimPrefix(f.File, "in/"), ".csv"))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestHistoryOfEachFile(t *testing.T) {
	w := soundWorld(t)
	all, err := History(t.Context(), w.pool, HistoryFilter{})
	if err != nil {
		t.Fatal(err)
	}
	failed, b := all[0], all[2]
	if failed.File != "in/failed.csv" || failed.Status != "failed" || failed.FirstError == nil || *failed.FirstError != "m" || failed.FirstLoad != nil {
		t.Errorf("got %+v", failed)
	}
	if b.Table != "public.items" || b.File != "in/b.csv" || b.Size != 1000 || !b.Modified.Equal(testFile("").ModTime()) || b.Status != "loaded" ||
		b.Records != 6 || b.Inserted != 2 || b.Duplicates != 2 || b.Errors != 2 || b.ErrorLine == nil || *b.ErrorLine != 6 || b.FirstLoad == nil || b.LastLoad == nil {
		t.Errorf("got %+v", b)
	}
}

func TestReport(t *testing.T) {
	w := soundWorld(t)
	report := func(path string) FileReport {
		t.Helper()
		r, err := Report(t.Context(), w.pool, path)
		if err != nil || len(r) != 1 {
			t.Fatalf("%s: got %+v, %v", path, r, err)
		}
		return r[0]
	}
	parts := report("in/parts.csv")
	if len(parts.Ranges) != 3 || parts.Records != 6 || len(parts.Outcomes)+len(parts.DeadLetters) != 0 {
		t.Errorf("got %+v", parts)
	}
	second := parts.Ranges[1]
	if second.Committed.IsZero() {
		t.Error("the range has no time")
	}
	second.Committed = time.Time{}
	if want := (RangeReport{Index: 1, Start: 100, End: 200, FirstLine: second.FirstLine, Records: 2, Inserted: 2}); second != want {
		t.Errorf("got %+v, want %+v", second, want)
	}
	b := report("in/b.csv")
	if want := []DeadLetterReport{{Code: "bad", Count: 2, FirstLine: 6, FirstMessage: "m"}}; !slices.Equal(b.DeadLetters, want) {
		t.Errorf("got %+v, want %+v", b.DeadLetters, want)
	}
	failed := report("in/failed.csv")
	if len(failed.Outcomes) != 1 || failed.Outcomes[0].Status != "failed" || failed.Outcomes[0].Message != "m" || len(failed.Ranges) != 0 {
		t.Errorf("got %+v", failed)
	}
	if r, err := Report(t.Context(), w.pool, "in/none.csv"); err != nil || len(r) != 0 {
		t.Errorf("a file that is not known: got %+v, %v", r, err)
	}
}
