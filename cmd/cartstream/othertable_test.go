//go:build e2e

package main

import (
	"strings"
	"testing"
)

// otherTables are ways in which the rows that the ledger knows are gone and the
// ledger is not.
var otherTables = []struct {
	name string
	// change is by the owner of the table.
	change []string
}{
	{"truncated", []string{`truncate user_events`}},
	{"rows are deleted", []string{`delete from user_events`}},
	{"made anew", []string{
		`begin`,
		`alter table user_events rename to former`,
		`create table user_events (like former including all)`,
		`drop table former`,
		`commit`,
	}},
}

// notTheTable is what a run says of a table that lacks rows, or is another one.
const notTheTable = "this is not the table that was loaded"

// A table that was truncated, or made anew, is reported, and loaded with what
// comes. What was loaded before is not loaded again: staging tables are
// truncated on purpose.
func TestAnotherTableIsReportedAndNotLoadedAgain(t *testing.T) {
	for _, c := range otherTables {
		t.Run(c.name+" between two runs", func(t *testing.T) {
			t.Parallel() // it mostly waits
			s := newScene(t)
			s.write("in/a.csv", header+events(1, 10))
			s.loadAll(exitDone)
			s.asOwner(c.change)
			s.write("in/b.csv", header+events(11, 15))
			s.loadAll(exitDone).mustSay(notTheTable, "Done: 1 file loaded, 5 records")
			s.holds(2, 5, 0)
		})
		t.Run(c.name+" while a process runs", func(t *testing.T) {
			t.Parallel() // it mostly waits
			s := newScene(t)
			s.write("in/a.csv", header+events(1, 10))
			p := s.start("run", "--input", "in/*.csv", "--config", s.quick())
			s.holds(1, 10, 0)
			s.asOwner(c.change)
			s.write("in/b.csv", header+events(11, 15))
			p.says(notTheTable)
			s.holds(2, 5, 0)
			s.write("in/c.csv", header+events(16, 20))
			s.holds(3, 10, 0)
			p.signal(sigterm)
			p.endsWith(exitDone)
			if n := strings.Count(p.stderr.String(), notTheTable); n > 3 {
				t.Errorf("said %d times for two files: %s", n, p)
			}
		})
	}
}

// asOwner carries out statements as the role that loads.
func (s *scene) asOwner(statements []string) {
	s.Helper()
	owner := *s
	owner.admin = s.url
	owner.all(statements)
}
