//go:build e2e

package main

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// The rights that docs/operations.md gives the loading role are enough for all
// that a load can meet, and `migrate` is the owner's.
func TestRoleThatSuffices(t *testing.T) {
	s := newScene(t)
	s.run(exitDone, "migrate")
	owner := s.url
	s.beLoader("user_events")

	s.write("in/a.csv", header+events(1, 10)+event(3)+"rubbish\n")
	s.write("in/fails.csv", strings.ReplaceAll(header+event(20), ",", ";"))
	s.write("in/begins.csv", "event_id,user_id\n")
	s.loadAll(exitFailed)
	s.expect(`select status, row_count, duplicate_count, error_count from cartstream.load_history order by file_name`,
		"loaded | 10 | 1 | 1", "failed | 0 | 0 | 0", "failed | 0 | 0 | 0")
	s.write("semicolons.yaml", "csv: {delimiter: ';'}\n")
	s.run(exitDone, "run", "--available-now", "--input", "in/fails.csv", "--config", "semicolons.yaml")
	s.expect(countRows, "11")
	s.run(exitDone, "status", "--input", "in/*")
	s.run(exitDone, "history")
	s.run(exitDone, "verify", "--files")
	s.run(exitFailed, "retry", "in/begins.csv").mustSay("permission denied")

	// An upsert takes one right more; without it, it is no row's fault.
	s.write("upsert.yaml", "postgres: {insert_mode: upsert}\n")
	s.write("in/u.csv", header+event(3))
	s.run(exitFailed, "run", "--available-now", "--input", "in/u.csv", "--config", "upsert.yaml").mustSay("permission denied")
	s.query("grant update on user_events to " + loaderOf(s.url))
	s.run(exitDone, "run", "--available-now", "--input", "in/u.csv", "--config", "upsert.yaml").mustSay("updated=1")

	s.url = owner
	s.run(exitDone, "retry", "in/begins.csv")
}

// Into a table of one's own, the same rights are enough, and nothing else is
// made.
func TestRoleThatSufficesForAnotherTable(t *testing.T) {
	s := newScene(t)
	s.environment = []string{"CARTSTREAM_POSTGRES_TABLE=shop.events"}
	s.run(exitFailed, "migrate").mustSay(`there is no table "shop"."events"`)
	s.query("create schema shop")
	s.query(`create table shop.events (event_id uuid primary key, user_id text, product_id text, product_name text,
		product_category text, event_type text, price numeric, event_timestamp timestamptz)`)
	s.beLoader("shop.events")
	s.query("grant usage on schema shop to " + loaderOf(s.url))
	s.write("in/a.csv", header+events(1, 10))
	s.loadAll(exitDone)
	s.expect("select count(*) from shop.events", "10")
	s.expect("select to_regclass('user_events') is null", "true")
	s.run(exitDone, "status", "--input", "in/*")
	s.run(exitDone, "verify", "--files")
}

// beLoader has the processes be a role with the documented rights and no other,
// on a table.
func (s *scene) beLoader(table string) {
	s.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.Fatal(err)
	}
	role := strings.Replace(u.User.Username(), "owner_", "loader_", 1)
	s.query("create role " + role + " login password 'of-a-loader'")
	s.Cleanup(func() { s.query("drop owned by " + role); s.query("drop role " + role) })
	for _, grant := range documentedGrants(s.T) {
		s.query(strings.NewReplacer(" to loader", " to "+role, "user_events", table).Replace(grant))
	}
	u.User = url.UserPassword(role, "of-a-loader")
	s.url = u.String()
}

// loaderOf is the role of a URL.
func loaderOf(database string) string {
	u, _ := url.Parse(database)
	return u.User.Username()
}

func documentedGrants(t *testing.T) (grants []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "grant ") {
			grants = append(grants, line)
		}
	}
	if len(grants) == 0 {
		t.Fatal("no grant in docs/operations.md")
	}
	return grants
}
