package pipeline

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// upsertedFiles writes files with many events for few keys, one of them so
// large that it has several ranges, and returns what each key's row must say in
// the end: the product's name by the last record in the order of files and lines,
// and the user by the newest event.
func (p *place) upsertedFiles() (last, newest map[string]string) {
	p.Helper()
	const keys, files, large = 200, 30, 12
	random := rand.New(rand.NewPCG(1, 2))
	last, newest = map[string]string{}, map[string]string{}
	times := map[string]int{}
	for f := range files {
		lines := 100
		if f == large {
			lines = 120_000 // a range has at most 50,000 records
		}
		var b strings.Builder
		b.WriteString("event_id,user_id,product_id,product_name,product_category,event_type,price,event_timestamp\n")
		for l := range lines {
			id := fmt.Sprintf("00000000-0000-4000-8000-%012d", random.IntN(keys))
			name, second := fmt.Sprintf("file %d line %d", f, l), random.IntN(40_000_000)
			at := time.Date(2024, 1, 1, 0, 0, second, 0, time.UTC)
			fmt.Fprintf(&b, "%s,at %d,p,%s,c,view,,%s\n", id, second, name, at.Format("2006-01-02 15:04:05"))
			last[id] = name
			if _, seen := newest[id]; !seen || second > times[id] {
				newest[id], times[id] = fmt.Sprint("at ", second), second
			}
		}
		path := filepath.Join(p.dir, fmt.Sprintf("%d.csv", f))
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			p.Fatal(err)
		}
		written := time.Now().Add(time.Duration(f-files) * time.Minute)
		if err := os.Chtimes(path, written, written); err != nil {
			p.Fatal(err)
		}
	}
	return last, newest
}

// wantRows compares a column of each row.
func (p *place) wantRows(column string, want map[string]string) {
	p.Helper()
	rows, err := p.connect().conn.Query(p.Context(), "select event_id::text, "+column+" from user_events")
	if err != nil {
		p.Fatal(err)
	}
	var id, value string
	n := 0
	if _, err := pgx.ForEachRow(rows, []any{&id, &value}, func() error {
		n++
		if value != want[id] {
			p.Errorf("%s: got %s, want %s", id, value, want[id])
		}
		return nil
	}); err != nil {
		p.Fatal(err)
	}
	if n != len(want) {
		p.Errorf("%d rows, want %d", n, len(want))
	}
}

// drained stops the run as soon as some ranges are in.
func (p *place) drained(ranges int) {
	p.Helper()
	drain, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := Events(p.options).Run(p.Context(), drain)
		done <- err
	}()
	p.eventually("the first ranges", func() bool { return p.count("select count(*) from cartstream.ranges") >= ranges })
	close(drain)
	if err := <-done; err != nil {
		p.Fatal(err)
	}
}

// wantEquation has everything add up.
func (p *place) wantEquation() {
	p.Helper()
	v, err := Events(p.options).Verify(p.Context(), &VerifyOptions{Files: true})
	if err != nil || len(v.Findings) > 0 || v.Records != v.Inserted+v.Updated+v.Duplicates+v.Stale || v.Loading > 0 {
		p.Errorf("%+v %v", v, err)
	}
}

// TestRunUpsertsTheNewest: by a version, the order of files does not matter.
func TestRunUpsertsTheNewest(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.Settings.Postgres.InsertMode, p.options.Settings.Postgres.VersionColumn = InsertModeUpsert, "event_timestamp"
		p.options.Settings.Streaming.LatestFirst = true
		_, newest := p.upsertedFiles()
		p.drained(3)
		p.run(nil)
		p.wantRows("user_id", newest)
		p.wantEquation()
	})
}

// TestRunUpsertsTheLast: without a version, the last record in the order of
// files and lines wins, also when the run is interrupted.
func TestRunUpsertsTheLast(t *testing.T) {
	p := newPlace(t, RunnerDirect)
	p.options.Settings.Postgres.InsertMode = InsertModeUpsert
	last, _ := p.upsertedFiles()
	p.drained(3)
	p.drained(14)
	p.run(nil)
	p.wantRows("product_name", last)
	p.wantEquation()
}
