package postgresio

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	Register[stock]()
	Register[stocked]()
}

// stock is a row with a key of two columns and a version that may be missing.
type stock struct {
	Shop    string `db:"shop"`
	N       int32  `db:"n"`
	Version *int64 `db:"version"`
	What    string `db:"what"`
}

const stockTable = "create table stock (shop text, n int, version bigint, what text, primary key (shop, n))"

// stocked has an array, which goes row by row.
type stocked struct {
	N       int32    `db:"n"`
	Version int64    `db:"version"`
	Tags    []string `db:"tags"`
}

func ver(version int64) *int64 { return &version }

// wantCounts compares records, inserted, updated, duplicates, stale and dead
// letters of each file.
func wantCounts(w *world, want ...string) {
	w.t.Helper()
	got := w.list(`select file_name, row_parsed, row_count, updated_count, duplicate_count, stale_count, error_count from cartstream.load_history order by length(file_name), file_name`)
	if !slices.Equal(got, want) {
		w.t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantStock(w *world, table string, want ...string) {
	w.t.Helper()
	got := w.list("select trim(shop::text) || n, coalesce(version, -1), what from " + table + ` order by (shop || n::text) collate "C"`)
	if !slices.Equal(got, want) {
		w.t.Errorf("got %q, want %q", got, want)
	}
}

func TestUpsertByVersion(t *testing.T) {
	const again = "create extension citext; create table stock (shop citext, n int, version bigint, what text, primary key (shop, n))"
	for _, c := range []struct {
		name, ddl string
		files     [][]any
		counts    []string
		rows      []string
	}{
		{
			"newer, older, the same", stockTable,
			[][]any{
				{stock{"a", 1, ver(5), "five"}, stock{"a", 2, ver(5), "five"}, stock{"a", 3, ver(5), "five"}},
				{stock{"a", 1, ver(6), "six"}, stock{"a", 2, ver(4), "four"}, stock{"a", 3, ver(5), "again"}},
			},
			[]string{"0 3 3 0 0 0 0", "1 3 0 1 1 1 0"},
			[]string{"a1 6 six", "a2 5 five", "a3 5 five"},
		},
		{
			"keys that are repeated in a batch", stockTable,
			[][]any{
				{stock{"a", 1, ver(2), "two"}, stock{"a", 1, ver(1), "one"}, stock{"a", 1, ver(3), "three"}, stock{"a", 1, ver(3), "again"}, stock{"a", 1, ver(2), "two"}},
				{stock{"a", 1, ver(2), "two"}, stock{"a", 1, ver(4), "four"}, stock{"a", 1, ver(3), "three"}, stock{"b", 1, ver(1), "one"}},
			},
			[]string{"0 5 1 1 1 2 0", "1 4 1 1 0 2 0"},
			[]string{"a1 4 four", "b1 1 one"},
		},
		{
			"a missing version is older than any", stockTable,
			[][]any{
				{stock{"a", 1, nil, "none"}, stock{"b", 1, ver(-9), "some"}},
				{stock{"a", 1, nil, "again"}, stock{"b", 1, nil, "none"}},
				{stock{"a", 1, ver(math.MinInt64), "some"}},
			},
			[]string{"0 2 2 0 0 0 0", "1 2 0 0 1 1 0", "2 1 0 1 0 0 0"},
			[]string{fmt.Sprint("a1 ", math.MinInt64, " some"), "b1 -9 some"},
		},
		{
			"what PostgreSQL refuses leaves the turn to the next", stockTable + "; alter table stock add check (what <> 'bad')",
			[][]any{
				{stock{"a", 1, ver(1), "one"}, stock{"a", 1, ver(9), "bad"}, stock{"a", 1, ver(3), "three"}, stock{"b", 1, ver(1), "bad"}},
				{stock{"a", 1, ver(8), "bad"}, stock{"a", 1, ver(7), "seven"}, stock{"b", 1, ver(1), "bad"}, stock{"c", 1, ver(1), "one"}},
			},
			[]string{"0 4 1 1 0 0 2", "1 4 1 1 0 0 2"},
			[]string{"a1 7 seven", "c1 1 one"},
		},
		{
			"a key that cannot be compared", "create domain small as int check (value < 5); create table stock (shop text, n small, version bigint, what text, primary key (shop, n)); insert into stock values ('a', 1, 1, 'old')",
			[][]any{{stock{"a", 1, ver(2), "two"}, stock{"a", 7, ver(2), "two"}, stock{"a\x00", 1, ver(2), "two"}, stock{"b", 1, ver(2), "two"}}},
			[]string{"0 4 1 1 0 0 2"},
			[]string{"a1 2 two", "b1 2 two"},
		},
		{
			"keys that PostgreSQL finds equal", again,
			[][]any{
				{stock{"a", 1, ver(2), "two"}, stock{"A", 1, ver(3), "three"}, stock{"A", 1, ver(1), "one"}},
				{stock{"A", 1, ver(4), "four"}, stock{"a", 1, ver(5), "five"}},
			},
			nil,
			[]string{"A1 5 five"},
		},
		{
			"partitions", "create table stock (shop text, n int, version bigint, what text, primary key (shop, n)) partition by list (n); create table ones partition of stock for values in (1); create table others partition of stock default",
			[][]any{
				{stock{"a", 1, ver(1), "one"}, stock{"a", 2, ver(1), "one"}},
				{stock{"a", 1, ver(2), "two"}, stock{"a", 2, ver(0), "null"}, stock{"a", 3, ver(0), "null"}},
			},
			[]string{"0 2 2 0 0 0 0", "1 3 1 1 0 1 0"},
			[]string{"a1 2 two", "a2 1 one", "a3 0 null"},
		},
		{
			"a trigger that leaves an update out", stockTable + `; create function f() returns trigger language plpgsql as $$ begin if new.what = 'no' then return null; end if; return new; end $$;
				create trigger t before update on stock for each row execute function f()`,
			[][]any{
				{stock{"a", 1, ver(1), "one"}, stock{"b", 1, ver(1), "one"}},
				{stock{"a", 1, ver(2), "no"}, stock{"b", 1, ver(2), "two"}},
			},
			[]string{"0 2 2 0 0 0 0", "1 2 0 1 0 0 1"},
			[]string{"a1 1 one", "b1 2 two"},
		},
		{
			"columns that PostgreSQL fills", stockTable + "; alter table stock add whole text generated always as (shop || what) stored not null, add num int generated always as identity, add at timestamptz not null default now()",
			[][]any{{stock{"a", 1, ver(1), "one"}}, {stock{"a", 1, ver(2), "two"}}},
			[]string{"0 1 1 0 0 0 0", "1 1 0 1 0 0 0"},
			[]string{"a1 2 two"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.ddl)
			s := newSink[stock](w, "stock", WithUpsert(Upsert{Version: "version"}))
			for i, values := range c.files {
				s.load(wholeRange[stock](testFile(fmt.Sprint(i)), values...)...)
			}
			if c.counts != nil {
				wantCounts(w, c.counts...)
			}
			wantStock(w, "stock", c.rows...)
			if v, err := Verify(t.Context(), w.pool, "stock", nil); err != nil || len(v.Findings) > 0 {
				t.Errorf("verify: %+v %v", v, err)
			}
		})
	}
}

func TestUpsertColumns(t *testing.T) {
	w := newWorld(t, stockTable)
	s := newSink[stock](w, "stock", WithUpsert(Upsert{Columns: []string{"version"}, Version: "version"}))
	s.load(wholeRange[stock](testFile("0"), stock{"a", 1, ver(1), "one"})...)
	s.load(wholeRange[stock](testFile("1"), stock{"a", 1, ver(2), "two"})...)
	wantStock(w, "stock", "a1 2 one")
	o := newSink[stock](w, "stock", WithUpsert(Upsert{Columns: []string{"what"}}))
	o.load(wholeRange[stock](testFile("2"), stock{"a", 1, ver(1), "three"})...)
	wantStock(w, "stock", "a1 2 three")
}

func TestUpsertOfArrays(t *testing.T) {
	w := newWorld(t, "create table stocked (n int primary key, version bigint, tags text[])")
	s := newSink[stocked](w, "stocked", WithUpsert(Upsert{Version: "version"}))
	s.load(wholeRange[stocked](testFile("0"), stocked{1, 1, []string{"a"}}, stocked{2, 1, []string{"b"}})...)
	s.load(wholeRange[stocked](testFile("1"), stocked{1, 2, []string{"a", "b"}}, stocked{2, 0, nil}, stocked{3, 0, nil})...)
	wantCounts(w, "0 2 2 0 0 0 0", "1 3 1 1 0 1 0")
	if got, want := w.list("select n, tags from stocked order by n"), []string{"1 [a b]", "2 [b]", "3 <nil>"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUpsertWithoutVersion has the last record in the order of files and lines
// win, however it falls into batches, and counts as if each were written.
func TestUpsertWithoutVersion(t *testing.T) {
	for _, c := range []struct{ rows, connections int }{{1, 1}, {1, 4}, {7, 1}, {7, 4}, {40, 4}, {1000, 2}} {
		t.Run(fmt.Sprintf("batches of %d, connections %d", c.rows, c.connections), func(t *testing.T) {
			rows := c.rows
			w := newWorld(t, stockTable)
			s := newSink[stock](w, "stock", WithUpsert(Upsert{}), WithFlush(rows, time.Hour), WithConnections(c.connections))
			random := rand.New(rand.NewPCG(1, uint64(rows)))
			last := map[int32]string{}
			var all []*record.Record[stock]
			var counts []string
			for f := range 20 {
				var values []any
				inserted := 0
				for l := range 30 {
					n, what := int32(random.IntN(100)), fmt.Sprint(f, " ", l)
					if _, there := last[n]; !there {
						inserted++
					}
					last[n] = what
					values = append(values, stock{"a", n, nil, what})
				}
				all = append(all, wholeRange[stock](testFile(fmt.Sprint(f)), values...)...)
				counts = append(counts, fmt.Sprint(f, " ", 30, " ", inserted, " ", 30-inserted, " 0 0 0"))
			}
			s.load(all...)
			wantCounts(w, counts...)
			for n, what := range last {
				if got := one[string](w, "select what from stock where n = $1", n); got != what {
					t.Errorf("%d: got %s, want %s", n, got, what)
				}
			}
		})
	}
}

// TestUpsertsInAnyOrder loads versions of few keys in random order with two
// runs of several connections each, half of the files by both. The newest
// version of each key is left, whatever came first.
func TestUpsertsInAnyOrder(t *testing.T) {
	const keys, versions, files = 30, 60, 40
	w := newWorld(t, stockTable)
	random := rand.New(rand.NewPCG(3, 4))
	batches := make([][]any, files)
	newest := map[int32]int64{}
	for range keys * versions {
		n, v := int32(random.IntN(keys)), int64(random.IntN(versions))
		newest[n] = max(newest[n], v)
		f := random.IntN(files)
		batches[f] = append(batches[f], stock{"a", n, ver(v), fmt.Sprint("version ", v)})
	}
	var runs sync.WaitGroup
	for run := range 2 {
		other := &world{t: t, db: w.db, pool: w.pool, run: uuid.NewString()}
		t.Cleanup(func() { runctl.Forget(other.run) })
		s := newSink[stock](other, "stock", WithUpsert(Upsert{Version: "version"}), WithConnections(3), WithFlush(40, time.Millisecond))
		runs.Go(func() {
			for f, values := range batches {
				if run == 0 && f%4 == 0 || run == 1 && f%4 == 1 {
					continue
				}
				if err := s.bundle(wholeRange[stock](testFile(fmt.Sprint(f)), values...)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	wantSound(w, "stock", int64(len(newest)))
	if got := one[int64](w, "select sum(row_parsed) from cartstream.load_history"); got != keys*versions {
		t.Errorf("%d records, want %d", got, keys*versions)
	}
	if got := one[int64](w, "select sum(row_count) from cartstream.load_history"); got != int64(len(newest)) {
		t.Errorf("%d inserted, want %d", got, len(newest))
	}
	for n, v := range newest {
		if got, want := w.list("select version, what from stock where n = $1", n), fmt.Sprint(v, " version ", v); !slices.Equal(got, []string{want}) {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// TestUpsertAgainstAnotherWriter has a row that somebody else changes between
// the look and the update.
func TestUpsertAgainstAnotherWriter(t *testing.T) {
	for _, c := range []struct {
		name, does, counts, row string
	}{
		{"to a newer one", "update stock set version = 9, what = 'nine'", "1 1 0 0 0 1 0", "a1 9 nine"},
		{"to an older one", "update stock set version = 2, what = 'two'", "1 1 0 1 0 0 0", "a1 5 five"},
		{"to the same", "update stock set version = 5, what = 'other'", "1 1 0 0 1 0 0", "a1 5 other"},
		{"and deletes it", "delete from stock", "1 1 1 0 0 0 0", "a1 5 five"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, stockTable)
			s := newSink[stock](w, "stock", WithUpsert(Upsert{Version: "version"}))
			s.load(wholeRange[stock](testFile("0"), stock{"a", 1, ver(1), "one"})...)
			other := begin(w)
			execIn(w, other, c.does)
			done := inBackground(func() error { return s.bundle(wholeRange[stock](testFile("1"), stock{"a", 1, ver(5), "five"})...) })
			waitForLock(w)
			if err := other.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := result(t, done); err != nil {
				t.Fatal(err)
			}
			wantCounts(w, "0 1 1 0 0 0 0", c.counts)
			wantStock(w, "stock", c.row)
		})
	}
}

// TestLoadsInOrderWaitForEachOther: of two runs that go by the order of the
// records, the second writes when the first has ended.
func TestLoadsInOrderWaitForEachOther(t *testing.T) {
	leaseFast(t)
	log := captureLog(t)
	w := newWorld(t, stockTable)
	first := &loadFn[stock]{Options: newLoadOptions("stock", []Option{WithRun(w.run), WithDatabase(w.db), WithUpsert(Upsert{})})}
	if err := first.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := (&sink[stock]{w: w, fn: first}).bundle(wholeRange[stock](testFile("0"), stock{"a", 1, nil, "one"})...); err != nil {
		t.Fatal(err)
	}
	second := newSink[stock](otherRun(w), "stock", WithUpsert(Upsert{}))
	done := inBackground(func() error {
		return second.bundle(slices.Concat(
			wholeRange[stock](testFile("1"), stock{"a", 1, nil, "from the second, left out"}),
			wholeRange[stock](testFile("2"), stock{"a", 1, nil, "three"}))...)
	})
	waitUntil(t, "word of the other process", func() bool { return strings.Contains(log.String(), "Another process loads into the table") })
	if err := (&sink[stock]{w: w, fn: first}).bundle(wholeRange[stock](testFile("1"), stock{"a", 1, nil, "two"})...); err != nil {
		t.Fatal(err)
	}
	wantStock(w, "stock", "a1 -1 two")
	if err := first.Teardown(); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantCounts(w, "0 1 1 0 0 0 0", "1 1 0 1 0 0 0", "2 1 0 1 0 0 0")
	wantStock(w, "stock", "a1 -1 three")
}

// TestVersionsAreComparedAsPostgreSQLDoes holds the order of binary forms
// against that of the server.
func TestVersionsAreComparedAsPostgreSQLDoes(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(5, 6))
	numbers := "NaN Infinity -Infinity 0 -0 0.0 1 -1 1.0 10000 9999 10000.0001 0.0001 0.00010 -0.0001 -10000 100000000 1e-10 1e20 -1e20 99999999.9999"
	for range 200 {
		numbers += fmt.Sprintf(" %d.%d -%d 1e%d", random.IntN(30000), random.IntN(30000), random.IntN(100_000_000), random.IntN(40)-20)
	}
	for _, c := range []struct{ sqlType, values string }{
		{"numeric", numbers},
		{"smallint", "-32768 -1 0 1 32767"},
		{"integer", "-2147483648 -1 0 1 256 2147483647"},
		{"bigint", "-9223372036854775808 -1 0 1 65536 9223372036854775807"},
		{"real", "NaN Infinity -Infinity 0 -0 1 -1 1e-30 -1e30"},
		{"double precision", "NaN Infinity -Infinity 0 -0 1 -1 1e-300 -1e300"},
		{"date", "-infinity infinity 1999-12-31 2000-01-01 2026-02-28 0001-01-01"},
		{"timestamp", "-infinity infinity 1999-12-31T23:59:59.999999 2000-01-01 2026-02-28"},
		{"timestamptz", "-infinity infinity 1999-12-31T23:59:59.999999Z 2000-01-01Z 2026-02-28T00:00:00+05"},
		{"uuid", "00000000-0000-4000-8000-000000000001 f0000000-0000-4000-8000-000000000001 7f000000-0000-4000-8000-000000000001"},
		{`text collate "C"`, "a A ab b Z é ÿ ☃"},
	} {
		t.Run(c.sqlType, func(t *testing.T) {
			plain, _, _ := strings.Cut(c.sqlType, " collate")
			rows, err := w.pool.Query(context.Background(), fmt.Sprintf(`
				with v as (select x::%[1]s as v from unnest(string_to_array($1, ' ')) x)
				select a.v, b.v, case when a.v < b.v %[2]s then -1 when a.v > b.v %[2]s then 1 else 0 end, a.v::text, b.v::text, $2::regtype::oid
				from v a, v b`, plain, strings.TrimPrefix(c.sqlType, plain)), c.values, plain)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				v := rows.RawValues()
				want := int(int32(binary.BigEndian.Uint32(v[2])))
				compare := versionOrders[binary.BigEndian.Uint32(v[5])]
				if got := compare(v[0], v[1]); sign(got) != want {
					t.Errorf("%s and %s: got %d, PostgreSQL says %d", v[3], v[4], got, want)
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Versions that a column rounds or cuts are those that are stored.
func TestVersionsAreComparedAsStored(t *testing.T) {
	w := newWorld(t, "create domain cents as numeric(20,2); create domain moment as timestamp(3); create domain instant as moment")
	random := rand.New(rand.NewPCG(7, 8))
	var numbers, times []string
	for range 40 {
		digit := random.IntN(3)
		numbers = append(numbers, fmt.Sprintf("%d.%02d%d", digit, random.IntN(3), random.IntN(10)), fmt.Sprintf("-%d.005", digit), fmt.Sprintf("%d5%d", random.IntN(3), random.IntN(100)), fmt.Sprintf("0.%d", random.IntN(10)))
		at := fmt.Sprintf("%d-12-31 23:59:5%d.%d", 1999+random.IntN(2), 8+random.IntN(2), []int{4, 5, 9}[random.IntN(3)])
		times = append(times, at, at+"995", at+"99951", at+"00049", at+"0005")
	}
	for _, c := range []struct {
		sqlType, plain string
		values         []string
	}{
		{"numeric(20,2)", "numeric", append(numbers, "NaN")},
		{"numeric(20)", "numeric", numbers},
		{"numeric(5,-2)", "numeric", numbers},
		{"numeric(4,4)", "numeric", []string{"0.00004", "0.00005", "-0.00005", "0.0001", "0.00015", "0", "0.12345", "0.12344999"}},
		{"cents", "numeric", numbers},
		{"timestamptz(0)", "timestamptz", append(times, "infinity", "-infinity")},
		{"timestamp(3)", "timestamp", times},
		{"timestamp(5)", "timestamp", times},
		{"instant", "timestamp", times},
	} {
		t.Run(c.sqlType, func(t *testing.T) {
			w := w.in(t)
			w.exec("drop table if exists t")
			w.exec("create table t (id bigint primary key, v " + c.sqlType + ")")
			target, err := readTable(context.Background(), w.pool, "t")
			if err != nil {
				t.Fatal(err)
			}
			column, _ := target.column("v")
			compare := versionOrder(column)
			rows, err := w.pool.Query(context.Background(), fmt.Sprintf(`with v as (select x::%[1]s as v from unnest($1::text[]) x)
				select a.v, b.v, case when a.v::%[2]s < b.v::%[2]s then -1 when a.v::%[2]s > b.v::%[2]s then 1 else 0 end, a.v::text, b.v::text from v a, v b`, c.plain, c.sqlType), c.values)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			equal := 0
			for rows.Next() {
				v := rows.RawValues()
				want := int(int32(binary.BigEndian.Uint32(v[2])))
				if got := sign(compare(v[0], v[1])); got != want {
					t.Errorf("%q and %q: got %d, PostgreSQL says %d", v[3], v[4], got, want)
				}
				if want == 0 && !slices.Equal(v[0], v[1]) {
					equal++
				}
			}
			if rows.Err() != nil || equal == 0 {
				t.Fatalf("%d pairs are equal once they are stored; %v", equal, rows.Err())
			}
		})
	}
}

func TestVersionsThatAreStoredEqualAreOneVersion(t *testing.T) {
	type priced struct {
		N     int32     `db:"n"`
		At    time.Time `db:"at"`
		Whole float64   `db:"what"`
	}
	day := time.Date(2026, 1, 29, 10, 0, 0, 0, time.UTC)
	for sqlType, step := range map[string]time.Duration{"timestamptz": time.Microsecond, "timestamptz(3)": time.Millisecond, "timestamp(0)": time.Second} {
		t.Run(sqlType, func(t *testing.T) {
			w := newWorld(t, "create table t (n int primary key, at "+sqlType+", what float8)")
			s := newSink[priced](w, "t", WithUpsert(Upsert{Version: "at"}))
			s.load(wholeRange[priced](testFile("a"), priced{1, day.Add(step / 10), 1}, priced{1, day, 2}, priced{1, day.Add(step * 2 / 5), 3}, priced{2, day, 4})...)
			s.load(wholeRange[priced](testFile("b"), priced{1, day.Add(step / 5), 5}, priced{2, day.Add(step * 3 / 5), 6}, priced{2, day.Add(step * 7 / 5), 7})...)
			wantCounts(w, "a 4 2 0 2 0 0", "b 3 0 1 2 0 0")
			if got := w.list("select n, what from t order by n"); !slices.Equal(got, []string{"1 1", "2 6"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestUpsertsThatCannotWork(t *testing.T) {
	for _, c := range []struct {
		name, ddl string
		upsert    Upsert
		says      string
	}{
		{"no such column to update", stockTable, Upsert{Columns: []string{"wat"}, Version: "version"}, `the column "wat" is to be updated, and no field writes it; those that are written are "shop", "n", "version", "what"`},
		{"a column of the key to update", stockTable, Upsert{Columns: []string{"n"}}, `the column "n" is to be updated, and is of the key of public.stock`},
		{"no such version", stockTable, Upsert{Version: "at"}, `the version column is "at", and no field writes it`},
		{"a version that is not updated", stockTable, Upsert{Columns: []string{"what"}, Version: "version"}, `"version" is not among the columns to update`},
		{"a version in the key", stockTable, Upsert{Version: "n"}, `the version column "n" is not among the columns to update`},
		{"a version without an order", "create table stock (shop text, n int, version bigint, what jsonb, primary key (shop, n))", Upsert{Version: "what"}, `the version column "what" is of the type jsonb; allowed are timestamptz,`},
		{"order, with keys that are spelled in several ways", "create extension citext; create table stock (shop citext, n int, version bigint, what text, primary key (shop, n))", Upsert{}, `the column "shop" of the key of public.stock finds values equal that are spelled otherwise (citext)`},
		{"nothing but a key", "create table stock (shop text, n int, version bigint, what text, primary key (shop, n, version, what))", Upsert{}, "nothing to update"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.ddl)
			err := Check[stock](t.Context(), w.db, "stock", WithUpsert(c.upsert))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}
