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

// place brings rows with distinct keys to their outcome: it asks which keys
// are there already and writes the rest.
func (a *attempt) place(ctx context.Context, rows []*row) error {
	if len(rows) == 0 {
		return nil
	}
	staged := false
	err := a.inSavepoint(ctx, func() (err error) {
		rows, err = a.dropExisting(ctx, rows)
		return err
	})
	if _, isRow := isRowFault(err); isRow {
		// A key that the server can't even compare: INSERT tells which.
		staged, err = true, nil
	}
	if err != nil {
		return err
	}
	return a.insert(ctx, rows, staged)
}

// errSwallowed says that fewer rows were stored than were sent, without an
// error: a trigger left some out.
var errSwallowed = errors.New("fewer rows were stored than were sent")

// errUnattributed says that keys came back that were not sent: a trigger
// changed them.
var errUnattributed = errors.New("other keys were stored than were sent")

// insert writes rows whose keys were not there a moment ago. What PostgreSQL
// refuses is narrowed down, by the line that COPY names or by halving, until
// it is one row, which becomes a dead letter. Where COPY can't tell what
// happened to each row (another writer was quicker, a trigger interferes),
// INSERT … ON CONFLICT does.
func (a *attempt) insert(ctx context.Context, rows []*row, alwaysStaged bool) error {
	const sizeAfterRejection, growth = 64, 8
	size, staged := len(rows), alwaysStaged
	for len(rows) > 0 {
		chunk := rows[:min(size, len(rows))]
		way := a.copyRows
		if staged {
			chunk, way = chunk[:min(len(chunk), a.insertAtOnce())], a.insertRows
		}
		err := a.inSavepoint(ctx, func() error { return way(ctx, chunk) })
		if err == nil {
			rows, size, staged = rows[len(chunk):], size*growth, alwaysStaged
			continue
		}
		for _, r := range chunk {
			r.outcome = pending
		}
		reason, isRow := isRowFault(err)
		switch {
		case !staged && (errors.Is(err, errSwallowed) || isRow && reason.Code == uniqueViolation):
			staged = true
		case errors.Is(err, errUnattributed):
			size = len(chunk) / 2
		case !isRow:
			return err
		case len(chunk) == 1:
			a.reject(chunk[0], reason)
			rows, size, staged = rows[1:], sizeAfterRejection, alwaysStaged
		default:
			size = a.goodRows(reason, len(chunk))
		}
	}
	return nil
}

func (a *attempt) reject(r *row, reason *pgconn.PgError) {
	r.outcome = rejected
	a.rejected = append(a.rejected, rejection{r, reason})
}

// goodRows is how many rows of a refused chunk of n to try next: those before
// the one that the error names, that one alone, or the first half.
func (a *attempt) goodRows(reason *pgconn.PgError, n int) int {
	line, _ := copyPosition(reason.Where, a.e.table.relation)
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

// dropExisting returns the rows whose keys are not in the table; the others
// are duplicates. The query returns places, not keys: under a case-insensitive
// collation the key that is there may be spelled otherwise. OFFSET 0 keeps
// PostgreSQL from making a join of it, which took a third longer, and the
// unnamed statement is planned for the table as it is now.
func (a *attempt) dropExisting(ctx context.Context, rows []*row) ([]*row, error) {
	k := &a.e.table.key
	asked := k.lookable(rows)
	if len(asked) == 0 {
		return rows, nil
	}
	params, source := arraysOf(asked, k.columns, k.places)
	sql := fmt.Sprintf("select k.place from %s where exists (select from %s t where %s offset 0)", source, a.e.table.quoted, k.matches())
	result := a.conn.PgConn().ExecParams(ctx, sql, params, nil, binaryFormats(params), []int16{1})
	for result.NextRow() {
		asked[binary.BigEndian.Uint64(result.Values()[0])-1].outcome = duplicate
	}
	if _, err := result.Close(); err != nil {
		for _, r := range rows {
			r.outcome = pending
		}
		return rows, err
	}
	rest := make([]*row, 0, len(rows))
	for _, r := range rows {
		if r.outcome == pending {
			rest = append(rest, r)
		}
	}
	return rest, nil
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}
