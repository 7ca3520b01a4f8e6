package pipeline

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The queries of docs/performance_metrics.md, as they stand there, give what
// status gives.
func TestQueriesOfTheDocumentation(t *testing.T) {
	p := newPlace(t, RunnerDirect)
	at := p.connect()
	at.exec(`create schema shop; create table shop.events (like user_events including all)`)

	// Loads of other sizes, ages and tables; one file is left half loaded.
	modified := func(name string, ago time.Duration) {
		when := time.Now().Add(-ago)
		if err := os.Chtimes(filepath.Join(p.dir, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	p.add("a.csv")
	modified("a.csv", time.Hour)
	p.run(nil)
	p.addMany("b.csv", 60_000) // two ranges
	modified("b.csv", 2*time.Minute)
	p.run(nil)
	other := *p
	other.options.Settings.Postgres.Table = "shop.events"
	other.run(nil)
	at.exec(`with last as (delete from cartstream.ranges where range_index = 1 returning file_id, start_byte)
		delete from cartstream.range_counts c using last where c.file_id = last.file_id and c.start_byte = last.start_byte`)

	status := asJSON(t, must(ReadStatus(t.Context(), p.options.Settings, p.options.Database, 5*time.Minute)))
	queries := documentedQueries(t, "../docs/performance_metrics.md")
	want := []map[string]any{
		merged(status, status["batch_seconds"]), asMap(status["pipeline_latency_seconds"]), asMap(status["event_latency_seconds"]),
		asMap(status["dead_letters_by_code"].([]any)[0]), asMap(status["backlog"]),
	}
	if len(queries) != len(want) {
		t.Fatalf("%d queries, want %d", len(queries), len(want))
	}
	for i, sql := range queries {
		rows, err := at.conn.Query(t.Context(), sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowToMap)
		if err != nil || len(got) == 0 {
			t.Fatalf("%s: %v, %v", sql, got, err)
		}
		for name, value := range asJSON(t, got[0]) {
			if !alike(name, value, want[i][name]) {
				t.Errorf("%s\ngives %s = %v, status says %v", sql, name, value, want[i][name])
			}
		}
		if i == 3 && len(got) != len(status["dead_letters_by_code"].([]any)) {
			t.Errorf("%d codes: %v", len(got), got)
		}
	}
	if status["records"] != 50_009. || asMap(status["backlog"])["files"] != 1. || asMap(status["pipeline_latency_seconds"])["p50"].(float64) > 1000 {
		t.Errorf("the comparison is of too little: %v", status)
	}
}

// documentedQueries are the indented blocks of a page that begin with a comment
// of SQL.
func documentedQueries(t *testing.T, path string) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "\n\n") {
		if strings.HasPrefix(block, "    -- ") {
			queries = append(queries, block)
		}
	}
	return queries
}

// alike compares values; ages go on while a test runs.
func alike(name string, a, b any) bool {
	x, isNumber := a.(float64)
	y, both := b.(float64)
	switch {
	case !isNumber || !both:
		return a == b
	case name == "oldest_seconds":
		return math.Abs(x-y) <= bound.Seconds()
	}
	return math.Abs(x-y) <= 1e-6*max(1, math.Abs(x))
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func asJSON(t *testing.T, v any) (m map[string]any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func asMap(v any) map[string]any { return v.(map[string]any) }

// merged has what two objects have.
func merged(a map[string]any, b any) map[string]any {
	m := map[string]any{}
	for k, v := range asMap(b) {
		m[k] = v
	}
	for k, v := range a {
		m[k] = v
	}
	return m
}

// parcel is of another program, with another table.
type parcel struct {
	Number string `csv:"number" db:"number"`
	Weight int64  `csv:"weight" db:"weight"`
}

type parcelRules struct{}

func (parcelRules) Apply(_ time.Time, p parcel) (parcel, error) { return p, nil }

func init() { Register[parcel, parcelRules]() }

// status, retry and verify answer for a table of another program, by the ledger.
func TestQuestionsAboutATableOfOnesOwn(t *testing.T) {
	p := newPlace(t, RunnerDirect)
	p.options.Settings.Postgres.Table = "parcels"
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.csv", "number,weight\n1,10\n2,heavy\n")
	write("fails.csv", "number\n1\n")
	flow := Flow[parcel, parcelRules]{Tables: []string{`create table parcels (number text primary key, weight bigint)`}, Options: p.options}
	if err := flow.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	write("later.csv", "number,weight\n3,10\n")

	status := must(ReadStatus(t.Context(), p.options.Settings, p.options.Database, time.Minute))
	if status.Inserted != 1 || status.DeadLetters != 1 || status.Backlog.Files != 1 || status.EventLatency != nil {
		t.Errorf("got %+v", status)
	}
	if _, has := asJSON(t, status)["event_latency_seconds"]; has {
		t.Error("there is an event latency without events")
	}
	v, err := Events(p.options).Verify(t.Context(), &VerifyOptions{Files: true})
	if err != nil || v.Off != 0 || v.Reread.NotCheckedFiles != 1 || !strings.Contains(v.Reread.NotChecked[0].Reason, "of another program") {
		t.Errorf("got %+v, %v", v, err)
	}
	if n, err := RetryFile(t.Context(), p.options.Settings, p.options.Database, filepath.Join(p.dir, "fails.csv")); n != 1 || err != nil {
		t.Errorf("retry: %d, %v", n, err)
	}
	p.options.Settings.Postgres.Table = "parcel"
	if _, err := ReadStatus(t.Context(), p.options.Settings, p.options.Database, time.Minute); err == nil || !strings.Contains(err.Error(), `there is no table "parcel"`) {
		t.Errorf("got %v", err)
	}
}
