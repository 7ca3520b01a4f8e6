package postgresio

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/transforms/record"
)

// worker is a session that says it is Cartstream's.
func worker(w *world, role string) *pgx.Conn {
	w.t.Helper()
	config, err := pgx.ParseConfig(urlOf(w.db))
	if err != nil {
		w.t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = applicationName
	if role != "" {
		u, _ := url.Parse(asRole(w.t, urlOf(w.db), role, "p"))
		config.User = u.User.Username()
		config.Password = "p"
	}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// feed is what a worker copies: it gives a piece each time that it is asked to, and
// otherwise nothing comes.
type feed chan string

func (f feed) Read(p []byte) (int, error) {
	text, ok := <-f
	if !ok {
		return 0, io.EOF
	}
	return copy(p, text), nil
}

// claimsAndCopies has a worker claim a file's range and then copy rows that never
// come: PostgreSQL waits for its client, in a statement, and holds all locks.
func claimsAndCopies(w *world, conn *pgx.Conn, file record.File) (feed, <-chan error) {
	w.t.Helper()
	for _, sql := range []string{
		"begin",
		"insert into cartstream.ranges (file_id, start_byte, end_byte, range_index, first_line, records, is_last, unsplit, load_id) select file_id, 10, 1000, 0, 2, 5, true, false, gen_random_uuid() from cartstream.files where file_name = '" + file.Path + "'",
	} {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			w.t.Fatal(err)
		}
	}
	rows := make(feed)
	done := inBackground(func() error {
		_, err := conn.PgConn().CopyFrom(context.Background(), rows, "copy items (id, name) from stdin")
		return err
	})
	waitUntil(w.t, "a session that waits for its client", func() bool {
		return one[bool](w, "select exists (select from pg_stat_activity where datname = current_database() and state = 'active' and wait_event = 'ClientRead')")
	})
	return rows, done
}

// enterFile has the ledger know a file that nobody has loaded.
func enterFile(w *world, file record.File) {
	w.exec(`insert into cartstream.files (file_id, table_name, file_name, file_size, file_modified, seen_modified, fingerprint) values (md5($1)::uuid, 'public.items', $1, $2, $3, $3, 'f1')`,
		FileName(file.Path), file.Size, file.ModTime())
}

// A worker that is dead and still connected has claimed a file. Others are loaded
// meanwhile, and when it has made no progress for long its session is ended and its
// file loaded.
func TestDeadWorkerHoldsUpItsOwnFilesOnly(t *testing.T) {
	for _, c := range []struct {
		name  string
		stuck func(w *world, file record.File)
	}{
		{"in COPY", func(w *world, file record.File) {
			conn := worker(w, "")
			rows, done := claimsAndCopies(w, conn, file)
			w.t.Cleanup(func() {
				close(rows)
				w.t.Log(<-done) // its session was ended
			})
		}},
		{"between two statements", func(w *world, file record.File) {
			conn := worker(w, "")
			for _, sql := range []string{"begin", "insert into cartstream.ranges (file_id, start_byte, end_byte, range_index, first_line, records, is_last, unsplit, load_id) select file_id, 10, 1000, 0, 2, 5, true, false, gen_random_uuid() from cartstream.files where file_name = '" + file.Path + "'"} {
				if _, err := conn.Exec(context.Background(), sql); err != nil {
					w.t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			askFast(t)
			silence.Load().stale = 3 * time.Second // of askFast
			w := newWorld(t, itemTable)
			log := captureLog(t)
			stuck := testFile("stuck.csv")
			enterFile(w, stuck)
			c.stuck(w, stuck)
			var all []*record.Record[item]
			for i, file := range []string{"a.csv", "stuck.csv", "b.csv", "c.csv"} {
				all = append(all, wholeRange[item](testFile(file), items(5*i, 5*i+5)...)...)
			}
			s := newSink[item](w, "items")
			done := inBackground(func() error { return s.bundle(all...) })
			waitUntil(t, "the other files", func() bool { return one[int64](w, "select count(*) from items") == 15 })
			if one[int64](w, "select count(*) from cartstream.loads") != 1 {
				t.Error("the others were not loaded at once")
			}
			if strings.Contains(log.String(), "Ended a session") {
				t.Error("the others waited for the end of the session")
			}
			if err := result(t, done); err != nil {
				t.Fatal(err)
			}
			wantSound(w, "items", 20)
			for _, says := range []string{"Another session has begun to load files", "stuck.csv", "Waiting for another session", "blocked_by=", "Ended a session"} {
				if !strings.Contains(log.String(), says) {
					t.Errorf("the log does not say %q:\n%s", says, log)
				}
			}
			if retryLine.MatchString(log.String()) {
				t.Errorf("something was tried again:\n%s", log)
			}
		})
	}
}

// A session is not ended while it moves, however long it takes, nor one of another
// role or application.
func TestSessionsThatAreNotOursToEndAreWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves bool
		alter func(w *world) *pgx.Conn
	}{
		{"one that copies slowly", true, func(w *world) *pgx.Conn { return worker(w, "") }},
		{"another application", false, func(w *world) *pgx.Conn {
			conn := worker(w, "")
			_, _ = conn.Exec(context.Background(), "set application_name = 'psql'")
			return conn
		}},
		{"another role", false, func(w *world) *pgx.Conn {
			role := roleOf(w, "other")
			w.exec(`grant usage on schema cartstream to "` + role + `"; grant all on all tables in schema cartstream, public to "` + role + `"`)
			return worker(w, role)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			askFast(t)
			w := newWorld(t, itemTable)
			log := captureLog(t)
			file := testFile("a.csv")
			enterFile(w, file)
			rows, copied := claimsAndCopies(w, c.alter(w), file)
			s := newSink[item](w, "items")
			done := inBackground(func() error { return s.bundle(wholeRange[item](file, items(0, 5)...)...) })
			waitUntil(t, "word of the blocker", func() bool { return strings.Contains(log.String(), "blocked_by=") })
			for end := time.Now().Add(3 * silence.Load().stale); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if c.moves {
					rows <- id(int(time.Now().UnixNano()%1e9)+1000).String() + "\tn\n"
				}
			}
			close(rows)
			if err := <-copied; err != nil {
				t.Fatalf("the session was ended: %v\n%s", err, log)
			}
			if len(done) > 0 {
				t.Error("it did not wait")
			}
			w.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'")
			if err := result(t, done); err != nil {
				t.Fatal(err)
			}
			wantHistory(w, "a.csv", "loaded 5 5 0 0")
			if strings.Contains(log.String(), "Ended a session") {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}

// Whoever holds a lock on the table is named, with what it does.
func TestBlockingSessionIsNamed(t *testing.T) {
	askFast(t)
	w := newWorld(t, itemTable)
	log := captureLog(t)
	s := newSink[item](w, "items")
	other := begin(w)
	execIn(w, other, "set local application_name = 'psql'; lock table items in share mode") // Cartstream's own would be ended
	pid := other.Conn().PgConn().PID()
	done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 5)...)...) })
	waitUntil(t, "the name of the blocker", func() bool {
		return strings.Contains(log.String(), fmt.Sprint("blocked_by=", pid)) && strings.Contains(log.String(), "lock table items in share mode")
	})
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantSound(w, "items", 5)
}

func TestHalvesKeepFilesTogether(t *testing.T) {
	for _, files := range []string{"a", "aa", "ab", "aab", "abb", "aaab", "abbb", "aabbcc", "abc"} {
		var units []*unit
		for _, f := range files {
			units = append(units, &unit{source: &record.Range{File: testFile(string(f))}})
		}
		first, second := halves(units)
		if len(first) == 0 || !slices.Equal(append(slices.Clone(first), second...), units) {
			t.Errorf("%s: %d and %d", files, len(first), len(second))
		}
		if len(second) > 0 && second[0].source.File == first[len(first)-1].source.File {
			t.Errorf("%s: a file is parted", files)
		}
		if len(second) == 0 && strings.Trim(files, files[:1]) != "" {
			t.Errorf("%s: not parted", files)
		}
	}
}
