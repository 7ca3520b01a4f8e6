package postgresio

import (
	"strings"
	"testing"
	"time"
)

func TestTableThatWasNotLoadedIsReported(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"unchanged", "select", ""},
		{"truncated", "truncate items", "missing_rows=10"},
		{"rows deleted", "delete from items where id in (select id from items limit 3)", "missing_rows=3"},
		{"created again", "drop table items; " + itemTable, "not the table that was loaded: it was dropped"},
		{"rewritten", "vacuum full items", ""},
		{"rows of others", "insert into items (id, name) select md5(n::text)::uuid, '' from generate_series(1, 20) n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, itemTable)
			load := func(run string) string {
				log := captureLog(t)
				fn := newSink[item](w, "items", WithRun(run))
				if err := fn.fn.Teardown(); err != nil {
					t.Fatal(err)
				}
				return log.String()
			}
			newSink[item](w, "items").load(wholeRange[item](testFile("a"), items(0, 10)...)...)
			if log := load("second"); strings.Contains(log, "not the table") {
				t.Errorf("before any change: %s", log)
			}
			for sql := range strings.SplitSeq(c.sql, "; ") {
				w.exec(sql)
			}
			if log := load("third"); strings.Contains(log, "not the table") != (c.want != "") || !strings.Contains(log, c.want) {
				t.Errorf("got %q, want %q", log, c.want)
			}
			if log := load("fourth"); strings.Contains(log, "not the table") {
				t.Errorf("reported again: %s", log)
			}
		})
	}
}

func TestTableTruncatedWhileARunGoesOnIsReported(t *testing.T) {
	before := targetPause
	targetPause = 20 * time.Millisecond
	t.Cleanup(func() { targetPause = before })
	w := newWorld(t, itemTable)
	log := captureLog(t)
	s := newSink[item](w, "items")
	s.load(wholeRange[item](testFile("a"), items(0, 10)...)...)
	waitUntil(t, "the first check", func() bool { return one[int](w, "select count(*) from cartstream.target_tables") == 1 })
	w.exec("truncate items")
	waitUntil(t, "the report", func() bool { return strings.Contains(log.String(), "missing_rows=10") })
	s.load(wholeRange[item](testFile("b"), items(20, 25)...)...)
	wantHistory(w, "a", "loaded 10 10 0 0")
	wantHistory(w, "b", "loaded 5 5 0 0")
}
