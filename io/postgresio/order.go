package postgresio

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Loads that go by the order of the records are those of one process at a time:
// were two to load at once, a later file of one could be overwritten by an earlier
// one of the other. So the second waits until the first has ended, and finds what
// that one has loaded done.
//
// One session of the process, the first that loads, holds the table's lock for as
// long as it lives, and beside it one of its own. A batch of another session holds
// the lock of the batches while it is loaded, and looks whether that session still
// lives. A process that gets the table's lock waits once for the batches of the one
// before it, whose locking session may have died alone.
type orderLock struct {
	// taking is held while the table's lock is waited for.
	taking sync.Mutex
	holder atomic.Pointer[orderHolder] // nil: nobody that is known
}

// orderHolder is the session that has the table's lock. Its own lock has a name by
// which others see whether it lives.
type orderHolder struct {
	conn *pgx.Conn
	name string
}

// The locks, by name: of the table, of its batches, and a process's own.
const (
	tableLockKey = `hashtextextended('cartstream loads in order into ' || $1, 0)`
	batchLockKey = `hashtextextended('cartstream loads a batch in order into ' || $1, 0)`
	ownLockKey   = `hashtextextended('cartstream is at work: ' || $1, 0)`
)

// errOrderLost says that the session that held the table's lock has died. The
// batch is tried again, under a new lock.
var errOrderLost = errors.New("the session that keeps other processes from loading into the table has ended")

// keepOrder returns when this process has the table's lock, at once where order
// does not matter.
func (e *engine) keepOrder(ctx context.Context, conn *pgx.Conn) error {
	if !e.table.rule.ordered() {
		return nil
	}
	l := &e.order
	l.taking.Lock()
	defer l.taking.Unlock()
	if l.holder.Load() != nil {
		return nil
	}
	h := &orderHolder{conn, uuid.NewString()}
	if err := h.take(ctx, e.table.name); err != nil {
		// It may have the table's lock already, and nobody would let go of it.
		return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	l.holder.Store(h)
	return nil
}

// take takes the table's lock, and the session's own.
func (h *orderHolder) take(ctx context.Context, table string) error {
	conn := h.conn
	var held bool
	if err := conn.QueryRow(ctx, "select pg_try_advisory_lock("+tableLockKey+")", table).Scan(&held); err != nil {
		return err
	}
	if !held {
		slog.WarnContext(ctx, "Another process loads into the table in the order of its records; this one waits until that has ended", "table", table)
		if _, err := conn.Exec(ctx, "select pg_advisory_lock("+tableLockKey+")", table); err != nil {
			return err
		}
	}
	// A statement is a transaction: this lock is let go at once.
	if _, err := conn.Exec(ctx, "select pg_advisory_xact_lock("+batchLockKey+")", table); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "select pg_advisory_lock("+ownLockKey+")", h.name)
	return err
}

// inOrder makes sure, within the transaction of a batch, that no other process
// loads until it ends.
func (e *engine) inOrder(ctx context.Context, tx pgx.Tx) error {
	if !e.table.rule.ordered() {
		return nil
	}
	h := e.order.holder.Load()
	switch {
	case h == nil:
		return errOrderLost
	case h.conn == tx.Conn():
		return nil
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock_shared("+batchLockKey+")", e.table.name); err != nil {
		return err
	}
	var dead bool
	if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock_shared("+ownLockKey+")", h.name).Scan(&dead); err != nil || !dead {
		return err
	}
	e.order.holder.CompareAndSwap(h, nil)
	return errOrderLost
}
