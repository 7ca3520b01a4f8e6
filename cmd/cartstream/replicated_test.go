//go:build e2e

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/embeddedpg"
	"github.com/cartstream/cartstream/internal/pgtest"
)

// recoverBound is how long after the process reaches another history of the
// database every good row must be stored.
const recoverBound = 30 * time.Second

// replicated is a scene whose database has a standby. Processes reach the
// primary by way of a gateway.
type replicated struct {
	*scene
	pair    *pgtest.Pair
	gateway *pgtest.Gateway
}

// newReplicated has the ledger on both servers, the folder in/ and quick.yaml.
func newReplicated(t *testing.T) *replicated {
	t.Helper()
	pair := pgtest.NewPair(t)
	gateway := pgtest.NewGateway(t, pair.Primary.URL())
	r := &replicated{scene: sceneAt(t, gateway.URL(pair.Primary.URL())), pair: pair, gateway: gateway}
	r.admin = pair.Primary.URL()
	r.quick()
	if err := os.Mkdir(r.path("in"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.run(exitDone, "migrate")
	pair.CatchUp()
	return r
}

// mark makes the moment to which lose brings the database back.
func (r *replicated) mark() {
	r.Helper()
	r.pair.CatchUp()
	r.pair.Lag()
}

// lose makes a server the primary that lacks what was committed since mark, and
// ends all connections to the one before.
func (r *replicated) lose() {
	r.Helper()
	former := r.promote()
	r.gateway.Reset()
	r.pair.Discard(former)
}

// promote makes the standby the primary that new connections go to. Open ones
// stay with the former primary.
func (r *replicated) promote() (former *embeddedpg.Server) {
	r.Helper()
	former = r.pair.Promote()
	r.gateway.Turn(r.pair.Primary.URL())
	r.admin = r.pair.Primary.URL()
	return former
}

// isReached waits until a process is connected to the new primary.
func (r *replicated) isReached(p *process) {
	r.Helper()
	select {
	case <-r.gateway.Reached():
	case <-p.ended:
		r.Fatalf("the process ended before it reached the new primary")
	case <-time.After(bound):
		r.Fatalf("the process has not reached the new primary after %v", bound)
	}
}

// orphans are what the ledger has without the file that it belongs to.
const orphans = `
	select 'ranges', count(*) from cartstream.ranges r where not exists (select from cartstream.files f where f.file_id = r.file_id) union all
	select 'range_counts', count(*) from cartstream.range_counts r where not exists (select from cartstream.files f where f.file_id = r.file_id) union all
	select 'file_outcomes', count(*) from cartstream.file_outcomes r where not exists (select from cartstream.files f where f.file_id = r.file_id) union all
	select 'dead_letters', count(*) from cartstream.dead_letters r where not exists (select from cartstream.files f where f.file_id = r.file_id)`

// isExact checks every record of the files against the database, and that each
// dead letter is there once.
func (s *scene) isExact() {
	s.Helper()
	p := s.run(exitDone, "verify", "--files")
	if text := p.stdout.String(); !strings.Contains(text, "Everything adds up.") || strings.Contains(text, "not checked  /") {
		s.Fatalf("verify: %s", p)
	}
	s.expect(orphans, "ranges | 0", "range_counts | 0", "file_outcomes | 0", "dead_letters | 0")
	s.expect(`select file_name, line_number, count(*) from cartstream.dead_letters group by 1, 2 having count(*) > 1`)
	if s.Failed() {
		s.FailNow()
	}
}
