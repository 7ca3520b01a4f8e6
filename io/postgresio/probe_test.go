package postgresio

import (
	"fmt"
	"testing"
)

// TestRowsThatAreRefusedCloseTogether has so many of them that they are tried
// many at once: by new rows, and by updates of rows that are there.
func TestRowsThatAreRefusedCloseTogether(t *testing.T) {
	const rows = 1300 // some round trips of probeAtOnce
	for _, c := range []struct {
		name string
		bad  func(n int) bool
	}{
		{"all", func(int) bool { return true }},
		{"every second", func(n int) bool { return n%2 == 0 }},
		{"two together, now and then", func(n int) bool { return n%100 < 2 }},
		{"the first half", func(n int) bool { return n < rows/2 }},
		{"the last half", func(n int) bool { return n >= rows/2 }},
		{"a stretch", func(n int) bool { return n > 600 && n < 700 }},
	} {
		for _, mode := range []string{"inserts", "updates"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				w := newWorld(t, stockTable)
				s := newSink[stock](w, "stock", WithUpsert(Upsert{Version: "version"}))
				var first, values []any
				bad := 0
				for n := range rows {
					first = append(first, stock{"a", int32(n), ver(1), "old"})
					what := "good"
					if c.bad(n) {
						what = "bad"
						bad++
					}
					values = append(values, stock{"a", int32(n), ver(2), what})
				}
				inserted, updated := rows-bad, 0
				want := int64(rows - bad)
				if mode == "updates" {
					s.load(wholeRange[stock](testFile("0"), first...)...)
					inserted, updated, want = 0, rows-bad, rows
				}
				w.exec("alter table stock add constraint nothing_bad check (what <> 'bad')")
				s.load(wholeRange[stock](testFile("1"), values...)...)
				if got, want := w.list(`select row_parsed, row_count, updated_count, error_count from cartstream.load_history where file_name = '1'`)[0],
					fmt.Sprint(rows, inserted, updated, bad); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if got := one[int64](w, `select count(*) from cartstream.dead_letters where message like '%"nothing_bad" (SQLSTATE 23514)%'`); got != int64(bad) {
					t.Errorf("%d dead letters say why, want %d", got, bad)
				}
				dead := map[string]bool{}
				for _, raw := range w.list(`select convert_from(raw, 'UTF8') from cartstream.dead_letters`) {
					dead[raw] = true
				}
				for n := range rows {
					if got := dead[fmt.Sprint("raw ", n)]; got != c.bad(n) {
						t.Fatalf("row %d is a dead letter: %v", n, got)
					}
				}
				wantSound(w, "stock", want)
			})
		}
	}
}
