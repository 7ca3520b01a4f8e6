//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// gate has PostgreSQL hold every batch that comes after so many were committed,
// until release is called.
func (s *scene) gate(batches int) (release func()) {
	s.Helper()
	s.run(exitDone, "migrate")
	s.query(fmt.Sprintf(`create function hold() returns trigger language plpgsql as $$ begin
			if (select count(*) from cartstream.loads) >= %d then perform pg_advisory_xact_lock_shared(1); end if;
			return null;
		end $$`, batches))
	s.query(`create trigger hold before insert or update on user_events for each statement execute function hold()`)
	conn, err := pgx.Connect(s.Context(), s.url)
	if err == nil {
		_, err = conn.Exec(s.Context(), `select pg_advisory_lock(1)`)
	}
	if err != nil {
		s.Fatal(err)
	}
	release = func() { _ = conn.Close(context.Background()) }
	s.Cleanup(release)
	return release
}

// held waits until so many batches wait at the gate.
func (s *scene) held(batches int) {
	s.Helper()
	s.eventually("batches at the gate", func() bool {
		return s.count(`select count(*) from pg_locks where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`) >= batches
	})
}

// largeFile writes a file of some 200 MB and 25 ranges.
func (s *scene) largeFile(name string) (size int) {
	s.Helper()
	var b strings.Builder
	b.WriteString(header)
	product := strings.Repeat("x", 4000)
	for n := range 50_000 {
		b.WriteString(id(n) + ",U,P," + product + ",C,view,,2024-01-29 10:00:00\n")
	}
	s.write(name, b.String())
	return b.Len()
}

// backlog is what status tells of what waits.
func (s *scene) backlog() (files, bytes int) {
	s.Helper()
	var status struct {
		Backlog struct{ Files, Bytes int }
	}
	out := s.run(exitDone, "status", "--input", "in/*", "--output", "json").stdout.String()
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return status.Backlog.Files, status.Backlog.Bytes
}

// What is loaded of a large file when the process is killed is not read again,
// neither to load it nor to find where the rest begins.
func TestLargeFileGoesOnWhereItWasKilled(t *testing.T) {
	for _, runner := range []string{"direct", "prism"} {
		t.Run(runner, func(t *testing.T) {
			s := newScene(t)
			size := s.largeFile("in/a.csv")
			release := s.gate(4)
			p := s.start("run", "--input", "in/*", "--config", s.quick(), "--runner", runner)
			s.held(1)
			p.kill9()
			release()
			s.hasGone()
			done := s.count(`select sum(end_byte - start_byte)::bigint from cartstream.ranges`)
			if files, bytes := s.backlog(); files != 1 || bytes != size-done {
				t.Errorf("the backlog is %d files, %d bytes; want 1, %d", files, bytes, size-done)
			}

			p = s.start("run", "--input", "in/*", "--config", s.quick(), "--runner", runner)
			s.eventually("the whole file", func() bool { return s.count(countLoaded) == 1 || p.hasEnded() })
			read := p.bytesRead()
			p.signal(sigterm)
			p.endsWith(exitDone)
			s.expect(countRows, "50000")
			s.run(exitDone, "verify", "--files")
			if files, bytes := s.backlog(); files != 0 || bytes != 0 {
				t.Errorf("the backlog is %d files, %d bytes", files, bytes)
			}

			// The rest is read twice, to cut it and to load it; 1 MB is for all
			// else that a process reads, PostgreSQL's answers included.
			most := 2*(size-done) + 1_000_000
			t.Logf("%d bytes, %d of them done; then %d read", size, done, read)
			if size+(size-done) <= most {
				t.Fatalf("only %d bytes were done: a second reading could not be told", done)
			}
			if canSeeReads && read > most {
				t.Errorf("%d bytes were read, want %d at most", read, most)
			}
		})
	}
}

// A file that came while no process ran is loaded by the next one, though what
// was there before the first is not. The loading role's rights are enough.
func TestFileThatCameWhileNoProcessRan(t *testing.T) {
	s := newScene(t)
	s.run(exitDone, "migrate")
	s.beLoader("user_events")
	s.environment = []string{"CARTSTREAM_STREAMING_INCLUDE_EXISTING_FILES=false"}
	s.write("in/before.csv", header+events(1, 10))
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(s.path("in/before.csv"), hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	p := s.start("run", "--input", "in/*", "--config", s.quick())
	p.says("Left alone")
	s.write("in/while.csv", header+events(11, 20))
	s.eventually("the file that came", func() bool { return s.count(countRows) == 10 || p.hasEnded() })
	p.kill9()
	s.write("in/after.csv", header+events(21, 30))
	if files, _ := s.backlog(); files != 1 {
		t.Errorf("the backlog is %d files, want 1", files)
	}
	s.loadAll(exitDone).mustSay("Done: 1 file loaded, 10 records")
	s.expect(`select count(*), min(event_id::text) from user_events`, "20 | "+id(11))
}

// Two processes whose settings differ in all that matters, on one folder: each
// version is loaded by the split and the dialect of the one that began it, also
// the part that the other one loads. By the two dialects the ranges are not the
// same, nor are the rows.
func TestTwoProcessesWithDifferentSettings(t *testing.T) {
	s := newScene(t)
	for file := range 4 {
		s.notedFile(file)
	}
	s.write("oldest.yaml", "streaming: {trigger_interval: 50ms, max_files_per_trigger: 3}\n")
	s.write("newest.yaml", "streaming: {trigger_interval: 20ms, max_files_per_trigger: 100, max_bytes_per_trigger: 4 MiB, latest_first: true}\n"+
		"csv: {null_value: ['\\N'], comment: '#'}\n")
	release := s.gate(0)
	oldest := s.start("run", "--input", "in/*", "--config", "oldest.yaml")
	newest := s.start("run", "--input", "in/*.csv", "--config", "newest.yaml", "--runner", "prism")
	s.eventually("files that each of them has begun", func() bool {
		return s.count(`select count(distinct fingerprint) from cartstream.files`) == 2 || oldest.hasEnded() || newest.hasEnded()
	})
	release()
	s.eventually("all files", func() bool { return s.count(countLoaded) == 4 || oldest.hasEnded() || newest.hasEnded() })
	for _, p := range []*process{oldest, newest} {
		p.signal(sigterm)
		p.endsWith(exitDone)
	}
	s.expect(countRows, "432000")
	s.run(exitDone, "verify", "--files")
	begunBy := map[string]string{
		"false": `loaded | 120000 | 108000 | 12000 | \N`,
		"true":  `loaded | 108000 | 108000 | 0 | `,
	}
	for _, row := range s.query(`select f.fingerprint like '%comment=%', h.status, h.row_parsed, h.row_count, h.error_count,
			(select string_agg(distinct product_name, ', ') from user_events where user_id = regexp_replace(f.file_name, '.*/', ''))
			from cartstream.load_history h join cartstream.files f using (file_id)`) {
		by, got, _ := strings.Cut(row, " | ")
		if want := begunBy[by]; got != want {
			t.Errorf("begun with comments %s: got %s, want %s", by, got, want)
		}
	}
	s.loadAll(exitDone).mustSay("Done: 0 files loaded, 0 records")
}

// notedFile writes a file of 120,000 lines, of which every tenth is a note.
func (s *scene) notedFile(number int) {
	s.Helper()
	name := fmt.Sprintf("%d.csv", number)
	var b strings.Builder
	b.WriteString(header)
	for n := range 120_000 {
		if n%10 == 9 {
			b.WriteString("# a note\n")
		} else {
			b.WriteString(id(number*1_000_000+n) + "," + name + ",P,\\N,C,view,,2024-01-29 10:00:00\n")
		}
	}
	s.write("in/"+name, b.String())
}
