//go:build e2e

package main

import (
	"crypto/md5"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/generator"
)

const header = "event_id,user_id,product_id,product_name,product_category,event_type,price,event_timestamp\n"

// id returns an event id that is easy to tell apart.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// event is a good line.
func event(n int) string {
	return id(n) + ",USER_000001,PROD_000001,Smart Watch,Electronics,purchase,129.90,2024-01-29 10:00:00.123456\n"
}

func events(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		b.WriteString(event(n))
	}
	return b.String()
}

// The generator writes whole files of events that look as they should.
func TestCase1GeneratorOutput(t *testing.T) {
	s := &scene{T: t, dir: t.TempDir()}
	before := time.Now().UTC()
	p := s.run(exitDone, "generate", "--output", "in", "--files", "20", "--batch-size", "100", "--interval", "0", "--manifest", "manifest.json")
	p.mustSay("2000", "20")

	entries, err := os.ReadDir(s.path("in"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 20 {
		t.Fatalf("%d files, want 20, and no hidden ones left", len(entries))
	}
	name := regexp.MustCompile(`^events_\d{8}_\d{6}_0000\d\d\.csv$`)
	products := map[string]generator.Product{}
	for _, p := range generator.Products() {
		products[p.ID] = p
	}
	ids, purchases := map[string]bool{}, 0
	for _, e := range entries {
		if !name.MatchString(e.Name()) {
			t.Errorf("file %q, want a name as %s", e.Name(), name)
		}
		lines := s.readCSV(filepath.Join("in", e.Name()))
		if got := strings.Join(lines[0], ",") + "\n"; got != header {
			t.Errorf("%s: header %s", e.Name(), got)
		}
		if len(lines) != 101 {
			t.Errorf("%s has %d lines, want 101", e.Name(), len(lines))
		}
		for _, line := range lines[1:] {
			if problem := checkEvent(line, products, before); problem != "" {
				t.Errorf("%s: %v: %s", e.Name(), line, problem)
			}
			ids[line[0]] = true
			if line[5] == "purchase" {
				purchases++
			}
		}
	}
	if len(ids) != 2000 {
		t.Errorf("%d different ids, want 2000", len(ids))
	}
	if purchases < 500 || purchases > 700 { // 600 wanted; five standard deviations are 102
		t.Errorf("%d of 2000 are purchases, want 30%%", purchases)
	}
}

func (s *scene) readCSV(name string) [][]string {
	f, err := os.Open(s.path(name))
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		s.Fatal(err)
	}
	return lines
}

// checkEvent says what is wrong with a generated line, by a reading of its own.
func checkEvent(line []string, products map[string]generator.Product, before time.Time) string {
	sum := md5.Sum([]byte(line[1] + "_" + line[2] + "_" + line[7]))
	if line[0] != uuid.UUID(sum).String() {
		return "the id is not that of user, product and time"
	}
	if !regexp.MustCompile(`^USER_00(0\d{3}|1000)$`).MatchString(line[1]) {
		return "no such user"
	}
	product, ok := products[line[2]]
	if !ok || line[3] != product.Name || line[4] != product.Category {
		return "no such product"
	}
	at, err := time.Parse("2006-01-02 15:04:05.000000", line[7])
	if err != nil || at.After(time.Now().UTC()) || at.Before(before.Add(-61*time.Second)) {
		return "not of the last 60 seconds"
	}
	if line[5] == "view" {
		if line[6] != "" {
			return "a view with a price"
		}
		return ""
	}
	price, err := strconv.ParseFloat(line[6], 64)
	base := float64(product.BaseCents) / 100
	if line[5] != "purchase" || err != nil || price < base*0.9-0.01 || price > base*1.1+0.01 {
		return "no view and no purchase at 0.9 to 1.1 of the base price"
	}
	return ""
}

// What lies in the folder is loaded, and what comes later is, and nothing twice.
func TestCase2FileReading(t *testing.T) {
	s := newScene(t)
	s.write("in/a.csv", header+events(1, 100))
	s.write("in/b.csv", header+events(101, 150))
	s.write("in/_hidden.csv", header+event(998))
	s.write("in/.hidden.csv", header+event(999))
	p := s.start("run", "--config", s.quick(), "--input", "in/*.csv")
	s.eventually("150 rows", func() bool { return s.count(countRows) == 150 })
	s.write("in/c.csv", header+events(151, 170))
	s.eventually("the rows of a file that came later", func() bool { return s.count(countRows) == 170 })
	p.signal(sigterm)
	p.endsWith(exitDone)
	p.mustSay("Batch 1: Processed ", "Done: 3 files loaded, 170 records")

	s.expect(`select regexp_replace(file_name, '.*/', ''), status, row_parsed, row_count, duplicate_count, error_count
		from cartstream.load_history order by 1`,
		"a.csv | loaded | 100 | 100 | 0 | 0", "b.csv | loaded | 50 | 50 | 0 | 0", "c.csv | loaded | 20 | 20 | 0 | 0")
	s.expect(`select user_id, product_id, product_name, product_category, event_type, price::text, event_timestamp at time zone 'utc', count(*)::text
		from user_events group by 1, 2, 3, 4, 5, 6, 7`,
		"USER_000001 | PROD_000001 | Smart Watch | Electronics | purchase | 129.90 | 2024-01-29 10:00:00.123456 +0000 UTC | 170")
	s.loadAll(exitDone).mustSay("Done: 0 files loaded, 0 records")
}

// quick writes settings that look every 50 ms and returns their file's name.
func (s *scene) quick() string {
	s.write("quick.yaml", "streaming: {trigger_interval: 50ms, max_files_per_trigger: 100}\n")
	return "quick.yaml"
}

// badLine is a line that can't be loaded, and the dead letter it must become.
type badLine struct{ name, code, column, line string }

var badLines = []badLine{
	{"unknown event type", "invalid_event_type", "event_type", id(1) + ",u,p,n,c,click,,2024-01-29 10:00:00"},
	{"negative price", "negative_price", "price", id(2) + ",u,p,n,c,purchase,-50.00,2024-01-29 10:00:00"},
	{"negative price of a view", "negative_price", "price", id(2) + ",u,p,n,c,view,-0.01,2024-01-29 10:00:00"},
	{"the year 2099", "future_timestamp", "event_timestamp", id(3) + ",u,p,n,c,view,,2099-01-29 10:00:00"},
	{"no event id", "missing_value", "event_id", ",u,p,n,c,view,,2024-01-29 10:00:00"},
	{"no user", "missing_value", "user_id", id(4) + ",,p,n,c,view,,2024-01-29 10:00:00"},
	{"a user of spaces", "missing_value", "user_id", id(4) + ",   ,p,n,c,view,,2024-01-29 10:00:00"},
	{"no product", "missing_value", "product_id", id(5) + ",u,,n,c,view,,2024-01-29 10:00:00"},
	{"no event type", "missing_value", "event_type", id(6) + ",u,p,n,c,,,2024-01-29 10:00:00"},
	{"no time", "missing_value", "event_timestamp", id(7) + ",u,p,n,c,view,,"},
	{"an id that is none", "invalid_uuid", "event_id", "not-a-uuid,u,p,n,c,view,,2024-01-29 10:00:00"},
	{"a price that is no number", "invalid_number", "price", id(8) + ",u,p,n,c,purchase,cheap,2024-01-29 10:00:00"},
	{"a time that is none", "invalid_timestamp", "event_timestamp", id(9) + ",u,p,n,c,view,,yesterday"},
	{"the 30th of February", "invalid_timestamp", "event_timestamp", id(9) + ",u,p,n,c,view,,2024-02-30 10:00:00"},
	{"too few fields", "wrong_field_count", "", id(10) + ",u,p"},
	{"too many fields", "wrong_field_count", "", id(11) + ",u,p,n,c,view,,2024-01-29 10:00:00,more"},
	{"a quote within a field", "malformed_csv", "", id(12) + `,"u"x,p,n,c,view,,2024-01-29 10:00:00`},
	{"bytes that are no UTF-8", "invalid_encoding", "", id(13) + ",u,p,Caf\xe9,c,view,,2024-01-29 10:00:00"},
	{"a price that the table can't hold", "rejected_by_database", "price", id(14) + ",u,p,n,c,purchase,99999999999.00,2024-01-29 10:00:00"},
	{"a record beyond 1 MiB", "record_too_large", "", id(15) + ",u,p," + strings.Repeat("x", 1<<20) + ",c,view,,2024-01-29 10:00:00"},
}

// Bad rows become dead letters, each with its reason and place; good ones among
// them become rows, made uniform.
func TestCase3BadDataOutGoodDataIn(t *testing.T) {
	s := newScene(t)
	file := header + // each bad line stands between good ones
		id(100) + ", USER_1 ,\tPROD_1, Lamp ,Home ,  PURCHASE ,1.50,2024-01-29 10:00:00\n"
	var want []string
	for i, bad := range badLines { // of a line beyond 1 MiB, so much is kept
		want = append(want, fmt.Sprint(i*2+3, " | ", len(file), " | ", bad.code, " | ", bad.column, " | ", fmt.Sprintf("%x", md5.Sum([]byte(bad.line[:min(len(bad.line), 1<<20)])))))
		file += bad.line + "\n" + id(200+i) + ",u,p,,,View,9.99,2024-01-29T10:00:00+01:00\n"
	}
	s.write("in/mixed.csv", file)
	s.loadAll(exitDone)

	got := s.query(`select line_number, byte_offset, code, coalesce(column_name, ''), md5(raw)
		from cartstream.dead_letters order by line_number`)
	if len(got) != len(badLines) {
		t.Fatalf("%d dead letters, want %d:\n%s", len(got), len(badLines), strings.Join(got, "\n"))
	}
	for i, bad := range badLines {
		t.Run(bad.name, func(t *testing.T) {
			if got[i] != want[i] {
				t.Errorf("got  %s\nwant %s", got[i], want[i])
			}
		})
	}
	s.expect(`select distinct regexp_replace(file_name, '.*/', ''), message <> '', resolved_at is null from cartstream.dead_letters`,
		"mixed.csv | true | true")
	s.expect(`select user_id, product_id, product_name, product_category, event_type, price::text from user_events where event_id = '`+id(100)+`'`,
		"USER_1 | PROD_1 | Lamp | Home | purchase | 1.50")
	s.expect(`select count(*)::text, event_type, price is null, event_timestamp at time zone 'utc' from user_events where event_id <> '`+id(100)+`' group by 2, 3, 4`,
		fmt.Sprint(len(badLines))+" | view | true | 2024-01-29 09:00:00 +0000 UTC")
	s.expect(`select status, row_parsed, row_count, error_count, first_error_line_number, first_error_column_name from cartstream.load_history`,
		fmt.Sprintf("loaded | %d | %d | %d | 3 | event_type", 2*len(badLines)+1, len(badLines)+1, len(badLines)))
	s.run(exitDone, "verify", "--files")
}

// A row that is there already is counted and stays as it is.
func TestCase4RowThatIsThereAlready(t *testing.T) {
	s := newScene(t)
	s.run(exitDone, "migrate")
	s.query(`insert into user_events (event_id, user_id, product_id, event_type, event_timestamp)
		values ('` + id(2) + `', 'there before', 'P', 'view', '2020-01-01')`)
	s.write("in/a.csv", header+events(1, 3)+event(3)+event(3))
	s.write("in/b.csv", header+events(1, 3)+event(4))
	s.loadAll(exitDone)
	s.expect(`select right(event_id::text, 1), user_id from user_events order by 1`,
		"1 | USER_000001", "2 | there before", "3 | USER_000001", "4 | USER_000001")
	s.expect(`select regexp_replace(file_name, '.*/', ''), row_parsed, row_count, duplicate_count, error_count from cartstream.load_history order by 1`,
		"a.csv | 5 | 2 | 3 | 0", "b.csv | 4 | 1 | 3 | 0")
	s.run(exitDone, "verify", "--files")
}

// A killed process loses nothing, and nothing comes twice; what was committed
// is not loaded again.
func TestCase5Kill9InTheMiddleOfALoadAndRestart(t *testing.T) {
	for _, files := range []struct {
		name          string
		events, batch int
		kills         int
	}{
		{"one file of many ranges", 500_000, 500_000, 3},
		{"many files", 400_000, 10_000, 3},
	} {
		t.Run(files.name, func(t *testing.T) {
			s := newScene(t)
			s.generate(files.events, files.batch)
			s.run(exitDone, "migrate")
			var committed []string
			for range files.kills {
				p := s.start("run", "--available-now", "--input", "in/*")
				s.eventually("a commit", func() bool { return s.count(countRanges) > len(committed) || p.hasEnded() })
				p.kill9()
				s.hasGone()
				after := s.query(`select file_id, start_byte, load_id from cartstream.ranges order by 1, 2`)
				mustContain(t, after, committed)
				committed = after
			}
			if s.count(countLoaded) == files.events/files.batch {
				t.Fatal("everything was loaded before the last kill: the load is too small to be killed")
			}
			left := files.events - s.count(`select sum(records)::bigint from cartstream.ranges`)
			loaded := s.query(`select regexp_replace(file_name, '.*/', '') from cartstream.load_history where status = 'loaded'`)
			read := s.filesRead("in", func() {
				s.loadAll(exitDone).mustSay(fmt.Sprintf("loaded, %d records in", left))
			})
			if canSeeReads && len(read) != files.events/files.batch-len(loaded) || slices.ContainsFunc(loaded, func(name string) bool { return slices.Contains(read, name) }) {
				t.Errorf("files loaded: %v, files read after that: %v", loaded, read)
			}
			mustContain(t, s.query(`select file_id, start_byte, load_id from cartstream.ranges`), committed)
			s.verifyManifest()
			read = s.filesRead("in", func() {
				s.loadAll(exitDone).mustSay("Done: 0 files loaded, 0 records")
			})
			if len(read) > 0 {
				t.Errorf("read again: %v", read)
			}
		})
	}
}

// hasGone waits until the server has seen that the process is no more: until
// then a COMMIT that it sent may still be carried out.
func (s *scene) hasGone() {
	s.Helper()
	s.eventually("no session of the killed process", func() bool {
		rows, err := s.tryQuery(`select count(*) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`)
		return err == nil && rows[0] == "0"
	})
}

func mustContain(t *testing.T, all, part []string) {
	t.Helper()
	for _, want := range part {
		if !slices.Contains(all, want) {
			t.Errorf("the range %s, which was committed, is there no more or was committed by another load", want)
		}
	}
}
