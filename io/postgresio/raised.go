package postgresio

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// A trigger may raise any SQLSTATE about a row, also those by which PostgreSQL
// says that the server or another transaction is the reason (40001, 53100,
// 57014 …). What PostgreSQL itself reports by them passes, and is retried until
// it does. What a trigger raises by them may pass as well, so the batch is tried
// a few times. If the same SQLSTATE comes again and again, the rows are tried
// apart, and the one for which it is raised even then becomes a dead letter:
// at once where other rows of the batch are stored, and after some more tries
// where none is, because then it may be the server after all.

const (
	// triesBeforeApart is how many tries of a batch may end with one SQLSTATE that
	// a trigger raised, before its rows are tried apart.
	triesBeforeApart = 3
	// triesBeforeAllDead is how many it takes before all of its rows may become
	// dead letters for it: a minute and a half.
	triesBeforeAllDead = 8
)

// raisedErrors counts the latest tries of a batch that ended with the same SQLSTATE,
// raised by a trigger.
type raisedErrors struct {
	code  string
	times int
}

// note counts the error of a try.
func (r *raisedErrors) note(err error) {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg) || !isRaised(pg):
		*r = raisedErrors{}
	case pg.Code == r.code:
		r.times++
	default:
		*r = raisedErrors{pg.Code, 1}
	}
}

// raisingRoutines are the functions of PostgreSQL's procedural languages that
// report what a program raises (RAISE of PL/pgSQL, plpy.error, Tcl's error): the
// field R of the error, which is not translated.
var raisingRoutines = []string{"exec_stmt_raise", "PLy_elog_impl", "throw_tcl_error"}

// isRaised reports whether a program in the database raised the error, rather
// than PostgreSQL.
func isRaised(err *pgconn.PgError) bool { return slices.Contains(raisingRoutines, err.Routine) }

// rowFault is isRowFault for the rows of this attempt.
func (a *attempt) rowFault(err error) (*pgconn.PgError, bool) {
	reason, is := isRowFault(err)
	if is || reason == nil || !isRaised(reason) {
		return reason, is
	}
	return reason, !isTransientState(reason.Code) || a.batch.raised.times >= triesBeforeApart
}

// checkRaised returns an error that is retried where no row of the batch was
// stored and a trigger raised what may pass.
func (a *attempt) checkRaised() error {
	if a.batch.raised.times < triesBeforeApart || a.batch.raised.times >= triesBeforeAllDead {
		return nil
	}
	i := slices.IndexFunc(a.rejected, func(r rejection) bool { return isRaised(r.reason) && isTransientState(r.reason.Code) })
	if i < 0 || slices.ContainsFunc(a.keys.sorted, func(e entry) bool { return e.row.outcome == inserted || e.row.outcome == updated }) {
		return nil
	}
	return a.rejected[i].reason
}
