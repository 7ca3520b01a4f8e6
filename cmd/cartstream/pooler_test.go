//go:build e2e

package main

import (
	"strings"
	"testing"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// Every command works through PgBouncer in transaction mode with its default settings,
// and nothing is tried again.
func TestEveryCommandBehindAPooler(t *testing.T) {
	s := newScene(t)
	s.url = pgtest.Pooler(t, s.url, "transaction")
	s.run(exitDone, "migrate")
	s.generate(20_000, 2_000)
	s.write("in/fails.csv", strings.ReplaceAll(header+event(1), ",", ";"))
	p := s.loadAll(exitFailed)
	s.run(exitDone, "status", "--input", "in/*")
	s.run(exitDone, "history")
	s.run(exitDone, "history", "in/fails.csv")
	s.run(exitDone, "dead-letters")
	s.run(exitDone, "retry", "in/fails.csv")
	s.run(exitDone, "verify", "--files")
	s.write("upsert.yaml", "postgres: {insert_mode: upsert}\n")
	s.write("in/u.csv", header+event(3))
	// The second has the lease that the first has given back.
	upsert := []string{"run", "--available-now", "--input", "in/u.csv", "--config", "upsert.yaml"}
	s.run(exitDone, upsert...)
	s.write("in/u.csv", header+event(3)+event(4))
	again := s.run(exitDone, upsert...)
	for _, p := range []*process{p, again} {
		if strings.Contains(p.stderr.String(), "Retrying") || strings.Contains(p.stderr.String(), "waits until") {
			t.Errorf("%s", p)
		}
	}
	s.expect("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())", "0")
}
