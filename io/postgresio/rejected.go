package postgresio

import (
	"fmt"
	"sync"

	"github.com/cartstream/cartstream/transforms/record"
)

// rejectedFiles counts files in a row of which PostgreSQL has rejected every
// record: the table or its triggers are hardly what they were meant to be, and
// each further file would end as dead letters too. A record that PostgreSQL
// accepts begins the count anew. Records that never reach PostgreSQL, because
// they can't be parsed or break a rule, say nothing about the table.
type rejectedFiles struct {
	mu sync.Mutex
	// records are the rejected ones of each file since the last accepted record.
	records map[record.File]int64
	// names are the paths of the files that have ten or more, in order.
	names []string
}

// note counts the records of a committed range, and returns the names of the
// files in a row that are rejected so far.
func (f *rejectedFiles) note(u *unit) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u.counts.dead < u.counts.records {
		f.records, f.names = nil, nil
		return nil
	}
	r, rejected := u.source, u.rejectedByDatabase()
	if rejected == 0 {
		return f.names
	}
	if f.records == nil {
		f.records = map[record.File]int64{}
	}
	before := f.records[r.File]
	f.records[r.File] = before + rejected
	switch {
	case before < hopelessRecords && before+rejected >= hopelessRecords:
		f.names = append(f.names, r.File.Path)
	case r.Last && before+rejected < hopelessRecords:
		delete(f.records, r.File)
	}
	return f.names
}

// countRejected ends the run when the committed batch is the last of too many
// files in a row that were rejected.
func (e *engine) countRejected(b *batch, r *loadResult) {
	if e.opts.MaxRejectedFiles == 0 {
		return
	}
	for _, u := range b.units {
		if u.counts.records == 0 { // of another load, or a marker
			continue
		}
		names := e.rejected.note(u)
		if len(names) >= e.opts.MaxRejectedFiles {
			e.control.Fail(e.tooManyRejected(names, r))
			return
		}
	}
}

// rejectedByDatabase counts the dead letters that are PostgreSQL's verdict, or
// values that their columns can't hold.
func (u *unit) rejectedByDatabase() (n int64) {
	for i := range u.rows {
		if u.rows[i].outcome == rejected {
			n++
		}
	}
	for i := range u.dead {
		if u.dead[i].Fault.Code == record.CodeRejectedByDatabase {
			n++
		}
	}
	return n
}

func (e *engine) tooManyRejected(names []string, r *loadResult) error {
	reason := ""
	if r.rejection != "" {
		reason = ", the last with: " + r.rejection
	}
	which := names[0]
	if len(names) > 1 {
		which = fmt.Sprintf("from %s to %s", names[0], names[len(names)-1])
	}
	return fmt.Errorf("PostgreSQL rejected every record of %d files in a row for the table %s (%s)%s. Their records are dead letters; further files stay pending. "+
		"Check the table, its triggers and constraints, and start the run again; to load these files again, copy them under other names. "+
		"postgres.max_rejected_files sets how many such files end a run, 0 turns it off",
		len(names), e.table.name, which, reason)
}
