package postgresio

import (
	"context"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
)

// orderLock is the table's lock of loads that go by the order of the records.
// Were two processes to load at once, a later file of one could be overwritten
// by an earlier one of the other; so the second waits until the first has ended,
// and finds what that one has loaded done.
type orderLock struct {
	mu sync.Mutex
	// session is the backend that holds the lock; it ends with it.
	session uint32
}

const orderLockSQL = `(hashtextextended('cartstream loads in order into ' || $1, 0))`

// keepOrder returns when the connection holds the lock, at once where order
// does not matter.
func (e *engine) keepOrder(ctx context.Context, conn *pgx.Conn) error {
	if !e.table.rule.ordered() {
		return nil
	}
	l := &e.order
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == conn.PgConn().PID() {
		return nil
	}
	var held bool
	if err := conn.QueryRow(ctx, "select pg_try_advisory_lock"+orderLockSQL, e.table.name).Scan(&held); err != nil {
		return err
	}
	if !held {
		slog.WarnContext(ctx, "Another process loads into the table in the order of its records; this one waits until that has ended", "table", e.table.name)
		if _, err := conn.Exec(ctx, "select pg_advisory_lock"+orderLockSQL, e.table.name); err != nil {
			return err
		}
	}
	l.session = conn.PgConn().PID()
	return nil
}
