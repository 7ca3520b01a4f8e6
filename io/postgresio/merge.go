package postgresio

import (
	"bytes"
	"context"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// group is the rows of a batch that have one key.
type group struct {
	// rows are in the order of files and lines. Those that PostgreSQL refused
	// are taken out.
	rows []entry
	// exists tells that the table has a row with the key, and version is that
	// row's, as a field of a tuple; both as of the last look.
	exists  bool
	version []byte
	// winner is the row that is to be written; nil is none.
	winner *row
	// missed is a winner that was not stored when the table was as it is now.
	missed *row
}

// play judges the rows one after the other, as if each were written before the
// next is looked at, and returns the last of those that would be written: the
// one that has to be.
func (g *group) play(rule *mergeRule, set bool) (winner *row) {
	exists, version := g.exists, g.version
	for i := range g.rows {
		r := g.rows[i].row
		o := rule.judge(exists, version, r)
		if o == inserted || o == updated {
			winner, exists, version = r, true, rule.version(r)
		}
		if set {
			r.outcome = o
		}
	}
	return winner
}

// choose sets the winner. The outcome of a row that is alone with its key and is
// not to be written is set too: most are alone, and looking at each once more takes
// as long as all of this.
func (g *group) choose(rule *mergeRule) {
	if len(g.rows) > 1 {
		g.winner = g.play(rule, false)
		return
	}
	r := g.rows[0].row
	switch o := rule.judge(g.exists, g.version, r); o {
	case inserted, updated:
		g.winner = r
	default:
		g.winner, r.outcome = nil, o
	}
}

// drop takes a row out that PostgreSQL refused.
func (g *group) drop(refused *row) {
	rest := make([]entry, 0, len(g.rows)-1)
	for _, e := range g.rows {
		if e.row != refused {
			rest = append(rest, e)
		}
	}
	g.rows = rest
}

// loadRows writes the rows of the claimed ranges: first those that are presumed
// to be new, then those whose keys no earlier batch holds, then the others.
func (a *attempt) loadRows(ctx context.Context) error {
	rows := a.claimedRows()
	rest := rows
	if a.batch.tries == 1 && !a.e.table.key.loose() && a.e.presumption.holds() {
		var fresh []*row
		fresh, rest = a.e.presumption.part(rows, a.keys.held)
		done, err := a.copyFresh(ctx, fresh)
		if err != nil {
			return err
		}
		if !done {
			a.e.presumption.refuted()
			rest = rows
		}
	}
	now, later := a.group(rest)
	if err := a.merge(ctx, now); err != nil {
		return err
	}
	if len(later) == 0 {
		return nil
	}
	if err := a.keys.wait(ctx, longestHold); err != nil {
		return err
	}
	return a.merge(ctx, later)
}

// claimedRows are the rows of the claimed ranges, in the order of their keys.
func (a *attempt) claimedRows() []entry {
	claimed := 0
	for u := range a.claimed {
		claimed += len(u.rows)
	}
	if claimed == a.batch.rows {
		return a.keys.sorted
	}
	return slices.DeleteFunc(slices.Clone(a.keys.sorted), func(e entry) bool { return !a.claimed[e.row.unit] })
}

// group groups rows by key, in the order of the keys.
func (a *attempt) group(rows []entry) (now, later []*group) {
	a.room.groups = slices.Grow(a.room.groups[:0], len(rows)) // or a group that grew would leave the pointers to it behind
	now = make([]*group, 0, len(rows))
	for i := 0; i < len(rows); {
		j := i + 1
		for j < len(rows) && rows[j].key == rows[i].key {
			j++
		}
		a.room.groups = append(a.room.groups, group{rows: rows[i:j:j]})
		g := &a.room.groups[len(a.room.groups)-1]
		if len(a.keys.held) > 0 && a.keys.held[rows[i].key] {
			later = append(later, g)
		} else {
			now = append(now, g)
		}
		i = j
	}
	return now, later
}

// merge brings rows to their outcome. It asks what the table has of their
// keys, writes the row that each key calls for, and begins again with the keys
// for which that did not come out: another writer was quicker, or PostgreSQL
// refused the row, so that another one of its key has its turn.
func (a *attempt) merge(ctx context.Context, groups []*group) error {
	for len(groups) > 0 {
		if err := a.look(ctx, groups); err != nil {
			return err
		}
		absent, present := a.winners(groups)
		if err := a.insert(ctx, absent); err != nil {
			return err
		}
		if err := a.update(ctx, present); err != nil {
			return err
		}
		groups = a.settle(groups)
	}
	return nil
}

// winners chooses the row of each key that is to be written, and parts those
// whose key the table does not have from those whose row is to be changed.
func (a *attempt) winners(groups []*group) (absent, present []*row) {
	rule := &a.e.table.rule
	absent = make([]*row, 0, len(groups))
	for _, g := range groups {
		g.choose(rule)
		if g.winner != nil && g.winner == g.missed {
			a.reject(g.winner, &pgconn.PgError{Message: "the row was not stored, without an error: a trigger of the table left it out"}, nil)
		}
		switch {
		case g.winner == nil || g.winner.outcome == rejected:
		case g.exists:
			present = append(present, g.winner)
		default:
			absent = append(absent, g.winner)
		}
	}
	return absent, present
}

// settle sets the outcomes of the keys that are done, and returns the others.
func (a *attempt) settle(groups []*group) (again []*group) {
	for _, g := range groups {
		switch {
		case g.winner != nil && g.winner.outcome == pending:
			g.missed = g.winner
			again = append(again, g)
		case g.winner != nil && g.winner.outcome == rejected:
			g.missed = nil
			if g.drop(g.winner); len(g.rows) > 0 {
				again = append(again, g)
			}
		case len(g.rows) > 1:
			g.play(&a.e.table.rule, true)
		}
	}
	return again
}

// saw notes what the table has of the key.
func (g *group) saw(exists bool, version []byte) {
	if g.exists != exists || !bytes.Equal(g.version, version) {
		g.missed = nil
	}
	g.exists, g.version = exists, version
}
