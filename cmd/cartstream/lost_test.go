//go:build e2e

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// lostCase is a way in which committed loads vanish: the database goes back to
// what it was at mark, as it does when a standby that lags is promoted, or when a
// backup is restored. All that the case counts must be there in the end.
type lostCase struct {
	name string
	// settings are added to those of quick.yaml.
	settings string
	// lose loads files and loses loads. The process that it returns still runs.
	lose func(r *replicated) *process
	// files, rows and letters are those that must be there.
	files, rows, letters int
}

var lostCases = []lostCase{
	{"all is loaded, and a file comes", "", func(r *replicated) *process {
		p := r.idle()
		r.lose()
		r.write("in/d.csv", header+events(31, 40))
		return p
	}, 4, 39, 1},
	{"all is loaded, and nothing comes", "", func(r *replicated) *process {
		p := r.idle()
		r.lose()
		return p
	}, 3, 29, 1},
	{"all is loaded, and no connection ends", "", func(r *replicated) *process {
		// A pooler exchanges the server behind a connection, and nobody sees it.
		p := r.idle()
		r.forget("c.csv", 21, 30)
		r.write("in/d.csv", header+events(31, 40))
		return p
	}, 4, 39, 1},
	{"between two runs", "", func(r *replicated) *process {
		p := r.idle()
		p.signal(sigterm)
		p.endsWith(exitDone)
		r.lose()
		return r.watch()
	}, 3, 29, 1},
	{"a file of several ranges is in flight", "", func(r *replicated) *process {
		p := r.watch()
		r.mark()
		r.gate(1)
		r.write("in/a.csv", manyEvents(0, 120_000))
		r.held(1)
		r.lose()
		return p
	}, 1, 119_880, 120},
	{"a batch in flight has the number that another file gets", "", func(r *replicated) *process {
		p := r.idle()
		for n := range 40 { // more than the numbers that a sequence keeps ready
			r.write(fmt.Sprintf("in/lost-%02d.csv", n), header+event(100+n))
		}
		r.holds(43, 69, 1)
		r.gate(0)
		r.write("in/flight.csv", header+events(201, 210))
		r.held(1)
		r.lose()
		r.eventually("the batch in flight", func() bool {
			return r.count(`select count(*) from user_events where event_id = '`+id(210)+`'`) == 1
		})
		for n := range 40 {
			r.write(fmt.Sprintf("in/next-%02d.csv", n), header+event(300+n))
		}
		return p
	}, 84, 119, 1},
}

// Loads that the database has lost are loaded again, by the process that runs,
// and everything is there once.
func TestLostLoadsAreLoadedAgain(t *testing.T) {
	for _, c := range lostCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newReplicated(t)
			r.checksOften()
			p := c.lose(r)
			r.isReached(p)
			r.recovers(c.files, c.rows, c.letters)
			p.signal(sigterm)
			p.endsWith(exitDone)
			r.isExact()
			r.loadAll(exitDone)
			r.recovers(c.files, c.rows, c.letters)
		})
	}
}

// watch starts a process that loads what comes.
func (r *replicated) watch() *process {
	r.Helper()
	return r.start("run", "--input", "in/*.csv", "--config", "quick.yaml")
}

// idle starts a process that has loaded three files, c.csv of them after mark and
// with a dead letter.
func (r *replicated) idle() *process {
	r.Helper()
	r.write("in/a.csv", header+events(1, 10))
	r.write("in/b.csv", header+events(11, 20))
	p := r.watch()
	r.holds(2, 20, 0)
	r.mark()
	r.write("in/c.csv", header+events(21, 29)+badEvent(30))
	r.holds(3, 29, 1)
	return p
}

// badEvent is a line that becomes a dead letter.
func badEvent(n int) string { return strings.Replace(event(n), "129.90", "-1", 1) }

// manyEvents is a file of several ranges, in which each thousandth line is bad.
func manyEvents(from, to int) string {
	var b strings.Builder
	b.WriteString(header)
	for n := from; n < to; n++ {
		if n%1000 == 0 {
			b.WriteString(badEvent(n))
		} else {
			b.WriteString(event(n))
		}
	}
	return b.String()
}

// state is what is loaded: files, rows and dead letters.
const state = `select (` + countLoaded + `), (` + countRows + `), (select count(*) from cartstream.dead_letters)`

// holds waits until so much is loaded.
func (s *scene) holds(files, rows, letters int) {
	s.Helper()
	s.becomes(fmt.Sprintf("%d | %d | %d", files, rows, letters), bound)
}

// recovers waits until so much is loaded, for as long as a process may take.
func (s *scene) recovers(files, rows, letters int) {
	s.Helper()
	s.becomes(fmt.Sprintf("%d | %d | %d", files, rows, letters), recoverBound)
}

func (s *scene) becomes(want string, within time.Duration) {
	s.Helper()
	for end := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		got, err := s.tryQuery(state)
		if err == nil && got[0] == want {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("files, rows and dead letters are %q (%v) after %v, want %s; without their file: %q\n%s", got, err, within, want,
				s.query(orphans), strings.Join(s.query(`select file_name, status, row_parsed, row_count, duplicate_count, error_count from cartstream.load_history`), "\n"))
		}
	}
}

// forget removes a file's rows and all that the ledger has of it, by one
// transaction.
func (s *scene) forget(file string, from, to int) {
	s.Helper()
	const of = ` where file_id in (select file_id from cartstream.files where file_name like '%/' || 'FILE')`
	var statements []string
	for _, sql := range []string{
		`begin`,
		fmt.Sprintf(`delete from user_events where event_id between '%s' and '%s'`, id(from), id(to)),
		`delete from cartstream.loads where load_id in (select load_id from cartstream.ranges` + of + `)`,
		`delete from cartstream.dead_letters` + of, `delete from cartstream.range_counts` + of, `delete from cartstream.ranges` + of,
		`delete from cartstream.file_outcomes` + of, `delete from cartstream.files` + of,
		`commit`,
	} {
		statements = append(statements, strings.ReplaceAll(sql, "FILE", file))
	}
	s.all(statements)
}

// Upserts without a version go by the order of the files. What is lost is loaded
// again before what comes after it, or once more with all that comes after it.
func TestLostUpsertsAreLoadedAgainInTheOrderOfTheFiles(t *testing.T) {
	t.Parallel()
	r := newReplicated(t)
	r.write("quick.yaml", "streaming: {trigger_interval: 50ms, max_files_per_trigger: 100}\npostgres: {insert_mode: upsert}\n")
	p := r.watch()
	const keys, files = 100, 7
	last := map[int]int{} // by key, the file that has the last word
	comes := func(file int) {
		var b strings.Builder
		b.WriteString(header)
		for key := range keys {
			if key%files != file { // each key is left out by one file
				b.WriteString(strings.Replace(event(key), "USER_000001", fmt.Sprintf("FILE_%d", file), 1))
				last[key] = file
			}
		}
		r.write(fmt.Sprintf("in/%d.csv", file), b.String())
	}
	comes(0)
	comes(1)
	r.holds(2, keys, 0)
	r.mark()
	comes(2)
	comes(3)
	r.holds(4, keys, 0)
	r.gate(0)
	comes(4)
	r.held(1)
	r.lose()
	comes(5)
	r.isReached(p)
	comes(6)
	r.recovers(files, keys, 0)
	want := map[string]int{}
	for _, file := range last {
		want[fmt.Sprintf("FILE_%d", file)]++
	}
	var rows []string
	for _, name := range []string{"FILE_5", "FILE_6"} {
		rows = append(rows, fmt.Sprintf("%s | %d", name, want[name]))
	}
	r.expect(`select user_id, count(*) from user_events group by 1 order by 1`, rows...)
	p.signal(sigterm)
	p.endsWith(exitDone)
	r.isExact()
}

// When the time from which on files are loaded is lost with the rest, a process
// that knows it keeps it again: a later run would take its own start for it, and
// leave files out.
func TestLostTimeOfTheFirstRunIsKeptAgain(t *testing.T) {
	t.Parallel()
	r := newReplicated(t)
	r.write("quick.yaml", "streaming: {trigger_interval: 50ms, include_existing_files: false}\n")
	r.write("in/old.csv", header+events(1, 10))
	r.mark()
	p := r.watch()
	r.eventually("the time of the first run", func() bool { return r.count(`select count(*) from cartstream.watches`) == 1 })
	since := r.query(`select since from cartstream.watches`)
	r.write("in/a.csv", header+events(11, 20))
	r.holds(1, 10, 0)
	r.lose()
	r.write("in/b.csv", header+events(21, 30))
	r.isReached(p)
	r.recovers(2, 20, 0)
	p.signal(sigterm)
	p.endsWith(exitDone)
	r.expect(`select since from cartstream.watches`, since...)
	r.write("in/c.csv", header+events(31, 40))
	r.watch()
	r.recovers(3, 30, 0)
}

// Entries that a person deletes from the ledger have their files loaded again, by
// the process that runs or by the next one. Rows that are there count as
// duplicates, and dead letters are there once.
func TestEntriesDeletedByHandAreLoadedAgain(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("while a process runs: %t", running), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.checksOften()
			for n, name := range []string{"a", "b", "c", "d"} {
				s.write("in/"+name+".csv", header+events(10*n+1, 10*n+9)+badEvent(10*n+10))
			}
			p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
			s.holds(4, 36, 4)
			if !running {
				p.signal(sigterm)
				p.endsWith(exitDone)
			}
			s.query(`delete from cartstream.files where file_name like '%/b.csv'`)
			s.query(`delete from cartstream.ranges where file_id = (select file_id from cartstream.files where file_name like '%/c.csv')`)
			if !running {
				p = s.start("run", "--input", "in/*.csv", "--config", s.quick())
			}
			s.holds(4, 36, 4)
			p.signal(sigterm)
			p.endsWith(exitDone)
			s.expect(`select regexp_replace(file_name, '.*/', ''), status, row_parsed, row_count, duplicate_count, error_count from cartstream.load_history order by 1`,
				"a.csv | loaded | 10 | 9 | 0 | 1", "b.csv | loaded | 10 | 0 | 9 | 1", "c.csv | loaded | 10 | 0 | 9 | 1", "d.csv | loaded | 10 | 9 | 0 | 1")
			s.isExact()
		})
	}
}
