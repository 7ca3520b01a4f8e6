//go:build e2e

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// PostgreSQL goes away in the middle of a load and comes back: the load waits,
// says so, and ends complete.
func TestCase6PostgreSQLStoppedFor10Seconds(t *testing.T) {
	t.Parallel() // it mostly waits
	server := pgtest.Server(t)
	s := sceneAt(t, server.URL())
	s.generate(400_000, 10_000)
	s.run(exitDone, "migrate")
	p := s.start("run", "--available-now", "--input", "in/*")
	s.eventually("a commit", func() bool { return s.count(countRanges) > 0 || p.hasEnded() })
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	p.says("Retrying in 1 second...")
	p.says("Retrying in 2 seconds...")
	time.Sleep(10*time.Second - time.Since(stopped)) // the case itself
	if p.hasEnded() {
		t.Fatalf("ended while PostgreSQL was away: %s", p)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	p.endsWith(exitDone)
	if strings.Contains(p.stderr.String(), "panic") {
		t.Errorf("%s", p)
	}
	s.verifyManifest()
}
