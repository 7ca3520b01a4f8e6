package postgresio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errSwallowed says that fewer rows were stored than were sent, without an
// error: a trigger left some out.
var errSwallowed = errors.New("fewer rows were stored than were sent")

// errUnattributed says that keys came back that were not sent: a trigger
// changed them.
var errUnattributed = errors.New("other keys were stored than were sent")

// statement writes rows. For any one row it is the same, with other parameters, which
// are of the columns.
type statement struct {
	of      func(rows []*row) (sql string, params [][]byte)
	columns []column
}

// way writes rows, and sets the outcome of those that were stored. When it
// returns an error, none was.
type way func(ctx context.Context, rows []*row) error

// insert writes rows whose keys were not there a moment ago, by COPY. Where
// that can't tell what happened to each row (another writer was quicker, a
// trigger interferes), INSERT … ON CONFLICT does.
func (a *attempt) insert(ctx context.Context, rows []*row) error {
	return a.narrow(ctx, rows, a.copyRows, a.insertRows, statement{a.e.table.insertSQL, a.e.table.written})
}

// copyFresh writes rows that are presumed to be new, all or none: done is false
// where one was not, or where anything else is the matter with one, so that each
// row has the outcome of one that is asked for.
func (a *attempt) copyFresh(ctx context.Context, rows []*row) (done bool, err error) {
	if len(rows) == 0 {
		return true, nil
	}
	err = a.inSavepoint(ctx, func() error { return a.copyRows(ctx, rows) })
	if _, isRow := a.rowFault(err); isRow || errors.Is(err, errSwallowed) {
		return false, nil
	}
	return err == nil, err
}

// update writes rows over those that the table has.
func (a *attempt) update(ctx context.Context, rows []*row) error {
	return a.narrow(ctx, rows, nil, a.updateRows, statement{a.e.table.updateSQL, a.e.table.updateColumns()})
}

// narrow writes rows by the fast way, or by the exact one where there is none
// or it can't tell. What PostgreSQL refuses is narrowed down, by the line that
// COPY names or by halving, until it is one row, which becomes a dead letter.
// Where the next one is near, many are tried at once, each by itself.
func (a *attempt) narrow(ctx context.Context, rows []*row, fast, exact way, sql statement) error {
	const sizeAfterRejection, growth, near = 64, 8, 8
	size, staged, stored := len(rows), fast == nil, near+1 // stored since the last one was refused
	for len(rows) > 0 {
		chunk, write := rows[:min(size, len(rows))], fast
		if staged {
			chunk, write = chunk[:min(len(chunk), a.stagedAtOnce())], exact
		}
		err := a.inSavepoint(ctx, func() error { return write(ctx, chunk) })
		if err == nil {
			rows, size, staged, stored = rows[len(chunk):], min(size, len(rows))*growth, fast == nil, stored+len(chunk)
			continue
		}
		for _, r := range chunk {
			r.outcome = pending
		}
		reason, isRow := a.rowFault(err)
		switch {
		case !staged && (errors.Is(err, errSwallowed) || isRow && reason.Code == uniqueViolation):
			staged = true
		case errors.Is(err, errUnattributed):
			size = len(chunk) / 2
		case !isRow:
			return err
		case len(chunk) == 1:
			a.reject(chunk[0], reason, sql.columns)
			rows, size, staged = rows[1:], sizeAfterRejection, fast == nil
			if stored <= near {
				if rows, err = a.probe(ctx, rows, sql); err != nil {
					return err
				}
			}
			stored = 0
		default:
			size = a.goodRows(reason, len(chunk))
		}
	}
	return nil
}

// goodRows is how many rows of a refused chunk of n to try next: those before
// the one that the error names, that one alone, or the first half.
func (a *attempt) goodRows(reason *pgconn.PgError, n int) int {
	line := copyLine(reason.Where, a.e.table.relation)
	switch {
	case line <= 0 || line > n:
		return n / 2
	case line == 1:
		return 1
	default:
		return line - 1
	}
}

func (a *attempt) inSavepoint(ctx context.Context, do func() error) error {
	if err := a.exec(ctx, "savepoint s"); err != nil {
		return err
	}
	if err := do(); err != nil {
		if !a.conn.IsClosed() {
			if back := a.exec(ctx, "rollback to savepoint s; release savepoint s"); back != nil {
				return errors.Join(back, err)
			}
		}
		return err
	}
	return a.exec(ctx, "release savepoint s")
}

func (a *attempt) exec(ctx context.Context, sql string) error {
	_, err := a.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// copyRows writes rows by COPY, all or none.
func (a *attempt) copyRows(ctx context.Context, rows []*row) error {
	sql := fmt.Sprintf("copy %s (%s) from stdin with (format binary)", a.e.table.quoted, quoteList(a.e.columns))
	tag, err := a.conn.PgConn().CopyFrom(ctx, newCopyReader(rows), sql)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != int64(len(rows)) {
		return errSwallowed
	}
	for _, r := range rows {
		r.outcome = inserted
	}
	return nil
}

// look asks what the table has of the groups' keys. A key that the server
// can't even compare is narrowed down; INSERT will tell what is wrong with it.
func (a *attempt) look(ctx context.Context, groups []*group) error {
	err := a.inSavepoint(ctx, func() error { return a.lookup(ctx, groups) })
	if _, isRow := a.rowFault(err); !isRow {
		return err
	}
	if len(groups) == 1 {
		groups[0].saw(false, nil)
		return nil
	}
	half := len(groups) / 2
	if err := a.look(ctx, groups[:half]); err != nil {
		return err
	}
	return a.look(ctx, groups[half:])
}

// lookup is one query. It returns places, not keys: under a case-insensitive
// collation the key that is there may be spelled otherwise. OFFSET 0 keeps
// PostgreSQL from making a join of it, which took a third longer, and the
// unnamed statement is planned for the table as it is now.
func (a *attempt) lookup(ctx context.Context, groups []*group) error {
	t := a.e.table
	asked := groups
	if len(t.key.texts) > 0 {
		has, err := t.key.repertoire(ctx, a.conn, groups)
		if err != nil {
			return err
		}
		asked = make([]*group, 0, len(groups))
		for _, g := range groups {
			if t.key.lookable(g.rows[0].row, has) {
				asked = append(asked, g)
			} else {
				g.saw(false, nil)
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	params, source := t.key.ask(asked)
	sql := fmt.Sprintf("select k.place from %s where exists (select from %s t where %s offset 0)", source, t.quoted, t.key.matches())
	formats := []int16{1}
	if t.rule.versionAt >= 0 {
		sql = fmt.Sprintf("select k.place, v.v from %s cross join lateral (select t.%s as v from %s t where %s offset 0) v",
			source, pgx.Identifier{t.rule.versionColumn.name}.Sanitize(), t.quoted, t.key.matches())
		formats = []int16{1, 1}
	}
	found := make([]bool, len(asked))
	var versions []byte // all of them
	result := a.conn.PgConn().ExecParams(ctx, sql, params, nil, binaryFormats(params), formats)
	for result.NextRow() {
		values := result.Values()
		place := binary.BigEndian.Uint64(values[0]) - 1
		found[place] = true
		var version []byte
		if len(values) > 1 {
			start := len(versions)
			versions = appendFields(versions, values[1:])
			version = versions[start:len(versions):len(versions)]
		}
		asked[place].saw(true, version)
		a.surprised = a.surprised || !a.e.presumption.remembers(asked[place].rows[0].key)
	}
	_, err := result.Close()
	for i, g := range asked {
		if !found[i] {
			g.saw(false, nil)
		}
	}
	return err
}

func quoteColumns(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return quoteList(names)
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}
