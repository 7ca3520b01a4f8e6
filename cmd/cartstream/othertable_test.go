//go:build e2e

package main

import (
	"strings"
	"testing"
)

// otherTables are ways in which rows that the ledger knows are gone and the
// ledger is not.
var otherTables = []struct {
	name string
	// change is by the owner of the table.
	change []string
	// between says that a process that runs does not go on: it cannot tell, or ends with
	// an error (TestTableIsAlteredWhileItRuns).
	between bool
}{
	{"truncated", []string{`truncate user_events`}, false},
	{"made anew", []string{
		`begin`,
		`alter table user_events rename to former`,
		`create table user_events (like former including all)`,
		`drop table former`,
		`commit`,
	}, true},
	{"rows are deleted", []string{`delete from user_events`}, true},
}

// notTheTable is what a run says of a table that lacks rows, or is another one.
const notTheTable = "is not the table that was loaded"

// A table that was truncated, or made anew, is reported once, and loaded with what
// comes. What was loaded before is not loaded again: staging tables are truncated
// on purpose.
func TestAnotherTableIsReportedAndNotLoadedAgain(t *testing.T) {
	for _, c := range otherTables {
		t.Run(c.name+" between two runs", func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.write("in/a.csv", header+events(1, 10))
			s.loadAll(exitDone)
			s.asOwner(c.change)
			s.write("in/b.csv", header+events(11, 15))
			s.loadAll(exitDone).mustSay(notTheTable, "Done: 1 file loaded, 5 records")
			s.holds(2, 5, 0)
			s.saysOnce(s.loadAll(exitDone), 0)
		})
		if c.between {
			continue
		}
		t.Run(c.name+" while a process runs", func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.checksOften()
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
			s.saysOnce(p, 1)
		})
	}
}

// saysOnce checks how often a process that has ended reported the table.
func (s *scene) saysOnce(p *process, times int) {
	s.Helper()
	if n := strings.Count(p.stderr.String(), notTheTable); n != times {
		s.Errorf("reported the table %d times, want %d: %s", n, times, p)
	}
}

// asOwner carries out statements as the role that loads.
func (s *scene) asOwner(statements []string) {
	s.Helper()
	owner := *s
	owner.admin = s.url
	owner.all(statements)
}
