package postgresio

import (
	"testing"
	"time"
)

func TestTheFirstWatchIsKept(t *testing.T) {
	w := newWorld(t, itemTable, "create table other (like items including all)")
	first := time.Date(2026, 1, 29, 10, 0, 0, 123_456_000, time.UTC)
	for i, c := range []struct {
		table    string
		patterns []string
		same     bool
	}{
		{"items", []string{"/in/*.csv"}, false},
		{"items", []string{"/in/*.csv"}, true},
		{"public.items", []string{"/in/*.csv"}, true},
		{"items", []string{"/in/*.csv", "/in/*.csv"}, true},
		{"other", []string{"/in/*.csv"}, false},
		{"items", []string{"/in/*.csv", "/more/\xff*"}, false},
		{"items", []string{"/more/\xff*", "/in/*.csv"}, true},
	} {
		l := Ledger{Run: w.run, Database: w.db, Table: c.table}
		now := first.Add(time.Duration(i) * time.Hour)
		asked, err := l.WatchedSince(t.Context(), c.patterns, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.BeginWatch(t.Context(), c.patterns, now)
		if err != nil {
			t.Fatal(err)
		}
		if got.Before(now) != c.same || !c.same && !got.Equal(now) || !asked.Equal(got) {
			t.Errorf("%d: %s, %q: since %v, by asking %v; it is %v", i, c.table, c.patterns, got, asked, now)
		}
	}
	if _, err := (Ledger{Run: w.run, Database: w.db, Table: "not_there"}).BeginWatch(t.Context(), nil, first); err == nil {
		t.Error("a table that is not there: no error")
	}
}
