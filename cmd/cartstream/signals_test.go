//go:build e2e

package main

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
)

const (
	sigterm = syscall.SIGTERM
	sigint  = syscall.SIGINT
)

// A signal drains: what is in hand is committed, the next run does the rest,
// and no file is loaded twice.
func TestSignalDrains(t *testing.T) {
	continuous, now := []string{"--config", "quick.yaml"}, []string{"--available-now"}
	for _, c := range []struct {
		runner string
		sig    syscall.Signal
		mode   []string
	}{
		{"direct", sigterm, continuous},
		{"direct", sigint, now},
		{"prism", sigint, continuous},
		{"prism", sigterm, now},
	} {
		t.Run(fmt.Sprint(c.runner, ", ", c.sig, ", ", c.mode[0]), func(t *testing.T) {
			s := newScene(t)
			s.quick()
			s.generate(300_000, 5_000)
			s.run(exitDone, "migrate")
			p := s.start(append([]string{"run", "--input", "in/*", "--runner", c.runner}, c.mode...)...)
			s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
			p.signal(c.sig)
			p.endsWith(exitDone)
			p.mustSay("Stopping after "+c.sig.String(), "Draining")

			drained := s.count(countRanges)
			if drained == 60 {
				t.Fatal("everything was loaded before the signal: the load is too small")
			}
			p.mustSay(fmt.Sprintf("Done: %d files loaded, %d records", drained, drained*5_000))
			s.expect(`select count(*) from cartstream.load_history where status <> 'loaded'`, "0")
			s.loadAll(exitDone).mustSay(fmt.Sprintf("Done: %d files loaded, %d records", 60-drained, 300_000-drained*5_000))
			s.verifyManifest()
		})
	}
}

// In a file of many ranges draining stops between two ranges.
func TestSignalDrainsWithinAFile(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		s := newScene(t)
		s.generate(600_000, 600_000)
		s.run(exitDone, "migrate")
		p := s.start("run", "--available-now", "--input", "in/*", "--runner", runner)
		s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
		p.signal(sigterm)
		p.endsWith(exitDone)
		s.expect(`select status from cartstream.load_history`, "loading")
		left := 600_000 - s.count(`select sum(records)::bigint from cartstream.ranges`)
		s.loadAll(exitDone).mustSay(fmt.Sprintf("Done: 1 file loaded, %d records", left))
		s.verifyManifest()
	})
}

// An idle run ends at once.
func TestSignalEndsAnIdleRun(t *testing.T) {
	s := newScene(t)
	s.write("in/a.csv", header+events(1, 5))
	p := s.start("run", "--input", "in/*.csv") // looks every 10 s
	s.eventually("5 rows", func() bool { return s.count(countRows) == 5 })
	begun := time.Now()
	p.signal(sigint)
	p.endsWith(exitDone)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	p.mustSay("Done: 1 file loaded, 5 records")
}

// A second signal ends at once, and nothing is lost.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel() // it waits for the server
	server := pgtest.Server(t)
	s := sceneAt(t, server.URL())
	s.generate(300_000, 5_000)
	s.run(exitDone, "migrate")
	p := s.start("run", "--available-now", "--input", "in/*")
	s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
	if err := server.Kill(); err != nil { // so that draining can't end
		t.Fatal(err)
	}
	p.says("Retrying in")
	p.signal(sigterm)
	p.says("Draining")
	first := time.Now()
	for !p.hasEnded() && time.Since(first) < bound { // signals of the first half second count as the first
		_ = p.cmd.Process.Signal(sigterm)
		time.Sleep(20 * time.Millisecond)
	}
	p.endsWith(exitSecondSignal)
	if took := time.Since(first); took < 400*time.Millisecond {
		t.Errorf("ended %s after the first signal; those that follow at once are to count as the same one", took)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	s.loadAll(exitDone)
	s.verifyManifest()
}

// While the database is away, draining ends by its bound, says so, and fails.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel() // it waits for the server
	server := pgtest.Server(t)
	s := sceneAt(t, server.URL())
	s.generate(600_000, 5_000)
	s.run(exitDone, "migrate")
	for _, args := range [][]string{
		{"--available-now"},
		{"--config", s.quick()},
		{"--available-now", "--runner", "prism"},
		{"--config", s.quick(), "--runner", "prism"},
	} {
		p := s.start(append([]string{"run", "--input", "in/*", "--drain-timeout", "2s"}, args...)...)
		begunWith := s.count(countRanges)
		s.eventually("a commit", func() bool { return s.count(countRanges) > begunWith || p.hasEnded() })
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		p.says("Retrying in")
		begun := time.Now()
		p.signal(sigterm)
		p.endsWith(exitFailed)
		if took := time.Since(begun); took < time.Second || took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		p.mustSay("draining took longer than allowed (2s); what was not committed is loaded by the next run")
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	s.loadAll(exitDone)
	s.verifyManifest()
}

// Waiting for PostgreSQL at the start ends with a signal, or with PostgreSQL.
func TestSignalWhileWaitingForPostgreSQL(t *testing.T) {
	for _, args := range [][]string{{"run", "--input", "in/*"}, {"run", "--input", "in/*", "--available-now"}, {"migrate"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			s := sceneAt(t, "postgres://somebody:planted@"+closedPort(t)+"/shop?sslmode=disable")
			p := s.start(args...)
			p.says("(try 1 of 30)")
			begun := time.Now()
			p.signal(sigterm)
			if args[0] == "run" {
				p.endsWith(exitDone)
				p.mustSay("Stopped before anything was begun")
			} else {
				<-p.ended // a command without anything to drain just ends
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("took %s", took)
			}
			if !regexp.MustCompile(`127\.0\.0\.1:\d+, database shop, user somebody`).MatchString(p.stderr.String()) {
				t.Errorf("does not say what it waits for: %s", p)
			}
		})
	}
}

// A server that comes late is waited for.
func TestPostgreSQLStartsLater(t *testing.T) {
	t.Parallel() // it waits for the server
	server := pgtest.Server(t)
	s := sceneAt(t, server.URL())
	s.write("in/a.csv", header+events(1, 5))
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	p := s.start("run", "--available-now", "--input", "in/*")
	p.says("(try 2 of 30)")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	p.endsWith(exitDone)
	s.expect(countRows, "5")
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The generator, too, ends with a signal: the file in hand is finished, and the
// manifest tells what there is.
func TestSignalEndsTheGenerator(t *testing.T) {
	for _, sig := range []syscall.Signal{sigterm, sigint} {
		t.Run(sig.String(), func(t *testing.T) {
			s := newScene(t)
			p := s.start("generate", "--output", "in", "--interval", "10ms", "--manifest", "manifest.json")
			p.says("events_")
			p.signal(sig)
			p.endsWith(exitDone)
			s.loadAll(exitDone)
			s.verifyManifest()
		})
	}
}

// A signal ends a verification, and its connection, at once.
func TestSignalEndsAVerification(t *testing.T) {
	for _, sig := range []syscall.Signal{sigterm, sigint} {
		t.Run(sig.String(), func(t *testing.T) {
			s := newScene(t)
			s.write("in/a.csv", header+events(1, 5))
			s.loadAll(exitDone)
			unlock := s.lock("user_events")
			defer unlock()
			p := s.start("verify", "--files")
			s.eventually("a wait for the table", func() bool { return s.count(`select count(*) from pg_locks where not granted`) > 0 || p.hasEnded() })
			p.signal(sig)
			p.endsWith(exitFailed)
			p.mustSay("Error: ended by a signal; nothing is proven")
			s.eventually("the end of its connection", func() bool { return s.count(`select count(*) from pg_locks where not granted`) == 0 })
		})
	}
}

// lock keeps all others from a table until unlock is called.
func (s *scene) lock(table string) (unlock func()) {
	s.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "begin; lock table "+table+" in access exclusive mode"); err != nil {
		s.Fatal(err)
	}
	return func() { _ = conn.Close(ctx) }
}
