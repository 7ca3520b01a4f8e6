//go:build e2e

package main

import (
	"fmt"
	"strings"
	"testing"
)

// good is a file of good records, numbered from n.
func good(n, records int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range records {
		fmt.Fprintf(&b, "%s,u,p,n,c,view,,2024-01-29 10:00:00\n", id(n+i))
	}
	return b.String()
}

// mustEndInOneLine checks that the program says once why it ended, in its last
// line, and that it says this.
func (p *process) mustEndInOneLine(texts ...string) {
	p.Helper()
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	last := lines[len(lines)-1]
	for _, text := range texts {
		if !strings.Contains(last, text) || strings.Count(p.stderr.String(), text) != 1 {
			p.Errorf("the last line, and no other, should say %q: %s", text, p)
		}
	}
}

// A table is altered between two files, and between two runs altered back.
func TestTableIsAlteredWhileItRuns(t *testing.T) {
	for _, c := range []struct {
		name, alter, back, says string
	}{
		{
			"timestamp to bigint", "alter column event_timestamp type bigint using 0", "alter column event_timestamp type timestamptz using now()",
			`the column "event_timestamp" was timestamp with time zone NOT NULL without a default and is bigint NOT NULL without a default`,
		},
		{
			"a new column that must be written", "add column shop text not null default ''; alter table user_events alter column shop drop default", "drop column shop",
			`the column "shop" (text NOT NULL without a default) is new`,
		},
		{"a renamed column", "rename column price to cost", "rename column cost to price", `the column "price" (numeric(12,2)) is gone`},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEachRunner(t, func(t *testing.T, runner string) {
				s := newScene(t)
				s.write("in/1.csv", good(1, 12))
				p := s.start("run", "--input", "in/*", "--runner", runner)
				s.eventually("the first file", func() bool { return s.count(countLoaded) == 1 })
				s.query("do $$ begin alter table user_events " + c.alter + "; end $$")
				s.write("in/2.csv", good(100, 12))
				p.endsWith(exitFailed)
				p.mustEndInOneLine(c.says, "start the run again")
				s.expect("select count(*) from user_events", "12")
				s.expect("select count(*) from cartstream.dead_letters", "0")
				s.query("alter table user_events " + c.back)
				s.loadAll(exitDone)
				s.expect("select count(*) from user_events", "24")
			})
		})
	}
}

func TestTableGetsAColumnWhileItRuns(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		s := newScene(t)
		s.write("in/1.csv", good(1, 12))
		p := s.start("run", "--input", "in/*", "--runner", runner)
		s.eventually("the first file", func() bool { return s.count(countLoaded) == 1 })
		s.query("alter table user_events add column shop text not null default 'here'")
		s.write("in/2.csv", good(100, 12))
		s.eventually("the second file", func() bool { return s.count(countLoaded) == 2 })
		p.mustSay("The table was changed")
		s.expect("select shop, count(*)::text from user_events group by 1", "here | 24")
	})
}

func TestTablesThatAreRefusedAtTheStart(t *testing.T) {
	s := newScene(t)
	s.run(exitDone, "migrate")
	s.write("in/1.csv", good(1, 12))
	s.query("alter table user_events set unlogged")
	s.loadAll(exitFailed).mustEndInOneLine("user_events is unlogged", "postgres.allow_unlogged: true")
	s.expect("select count(*) from cartstream.files", "0")
	s.environment = []string{"CARTSTREAM_POSTGRES_ALLOW_UNLOGGED=true"}
	s.loadAll(exitDone)
	s.expect("select count(*) from user_events", "12")
}

func TestThreeFilesThatPostgreSQLRejectsEndTheRun(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		s := newScene(t)
		s.run(exitDone, "migrate")
		s.query("alter table user_events add constraint nothing check (user_id <> 'u')")
		for i := range 9 {
			s.write(fmt.Sprintf("in/%d.csv", i), good(100*(i+1), 12))
		}
		s.environment = []string{"CARTSTREAM_STREAMING_MAX_FILES_PER_TRIGGER=1", "CARTSTREAM_STREAMING_TRIGGER_INTERVAL=100ms"}
		p := s.start("run", "--input", "in/*", "--runner", runner)
		p.endsWith(exitFailed)
		p.mustEndInOneLine("rejected every record of 3 files in a row", "postgres.max_rejected_files")
		if n := s.count(countLoaded); n < 3 { // others may have been on their way
			t.Errorf("%d files are loaded", n)
		}
		s.expect("select count(*) = 12 * (select count(*) from cartstream.load_history where status = 'loaded') from cartstream.dead_letters", "true")
	})
}
