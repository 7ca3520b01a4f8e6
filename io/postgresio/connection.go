package postgresio

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connected looks at a new connection. Where the process that serves it is not
// the one that it was told at the start, there is a pooler in between, and the
// session is not ours.
func connected(ctx context.Context, conn *pgx.Conn) error {
	pg := conn.PgConn()
	result := pg.ExecParams(ctx, "select pg_backend_pid()", nil, nil, nil, nil).Read()
	if result.Err != nil {
		return result.Err
	}
	own := string(result.Rows[0][0]) == strconv.FormatUint(uint64(pg.PID()), 10)
	if w := watchedOf(conn); w != nil {
		w.setServer(pg.PID(), !own)
	}
	if !own {
		return nil
	}
	_, err := conn.Exec(ctx, sessionSettings)
	return err
}

// watchedOf is what watches the connection; nil for one that Open did not make.
func watchedOf(conn *pgx.Conn) *watchedConn {
	c := conn.PgConn().Conn()
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	w, _ := c.(*watchedConn)
	return w
}

// anyServer, in a context, has a connection be taken that is read-only.
type anyServer struct{}

// preferWritable refuses a server on which nothing can be written, so that the
// next one of several is tried: the first may be a standby.
func preferWritable(ctx context.Context, conn *pgconn.PgConn) error {
	if ctx.Value(anyServer{}) != nil {
		return nil
	}
	standby, readOnly := conn.ParameterStatus("in_hot_standby"), conn.ParameterStatus("default_transaction_read_only")
	switch { // PostgreSQL 14 and later say so by themselves
	case standby == "on" || readOnly == "on":
		return pgconn.ErrReadOnlyConnection
	case standby == "off" && readOnly == "off":
		return nil
	}
	result := conn.ExecParams(ctx, "show transaction_read_only", nil, nil, nil, nil).Read()
	if result.Err == nil && string(result.Rows[0][0]) == "on" {
		return pgconn.ErrReadOnlyConnection
	}
	return result.Err
}

// acquire takes a connection for what is to be done. One on which nothing can be
// written is taken only when there is no other.
func acquire(ctx context.Context, pool *pgxpool.Pool, what string) (*pgxpool.Conn, error) {
	limited, cancel := untilGivenUp(ctx)
	defer cancel()
	conn, err := pool.Acquire(limited)
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		conn, err = pool.Acquire(context.WithValue(limited, anyServer{}, true))
	}
	if err != nil {
		return nil, err
	}
	if w := watchedOf(conn.Conn()); w != nil {
		w.use(what, givenUpAt(ctx))
	}
	return conn, nil
}

// beginTx begins a transaction with our settings, in one round trip.
func beginTx(ctx context.Context, conn *pgx.Conn, query string) (pgx.Tx, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: query})
	if err != nil {
		return nil, explainSession(err)
	}
	if w := watchedOf(conn); w != nil && w.isPooled() {
		var pid uint32
		var began string
		if err := tx.QueryRow(ctx, "select pg_backend_pid(), extract(epoch from now())::text").Scan(&pid, &began); err != nil {
			return nil, explainSession(err) // the pool closes what is in a transaction
		}
		w.setTransaction(pid, began)
	}
	return tx, nil
}

// rollbackBound is how long a rollback may take before the connection is given
// up, after which the server rolls back by itself.
const rollbackBound = 5 * time.Second

// rollback ends a transaction that was not committed; after a commit it does
// nothing.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBound)
	defer cancel()
	_ = tx.Rollback(ctx) // on a broken connection the server rolls back
}

// commit has no time limit, because a standby may have to confirm first, and the
// request that ends a statement would end that wait and keep the commit. So where
// ctx ends, the connection is closed, and the server goes on.
func commit(ctx context.Context, tx pgx.Tx) error {
	w := watchedOf(tx.Conn())
	if w == nil {
		return tx.Commit(ctx)
	}
	w.setCommitting(true)
	defer w.setCommitting(false)
	stop := context.AfterFunc(ctx, func() { _ = w.Conn.Close() })
	defer stop()
	return tx.Commit(context.WithoutCancel(ctx))
}

// inTransaction does something in a transaction of its own.
func inTransaction(ctx context.Context, pool *pgxpool.Pool, what, query string, do func(pgx.Tx) error) error {
	conn, err := acquire(ctx, pool, what)
	if err != nil {
		return err
	}
	defer conn.Release()
	return inTransactionOn(ctx, conn.Conn(), query, do)
}

func inTransactionOn(ctx context.Context, conn *pgx.Conn, query string, do func(pgx.Tx) error) error {
	tx, err := beginTx(ctx, conn, query)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	if err := do(tx); err != nil {
		return err
	}
	return commit(ctx, tx)
}

// inOneTrip does in a transaction what queue puts into a batch, all in one round
// trip; so nothing of it can depend on what came before. Where it fails, the
// connection is of no more use.
func inOneTrip(ctx context.Context, conn *pgx.Conn, queue func(b *pgx.Batch)) error {
	var b pgx.Batch
	b.Queue(beginCommitted)
	b.Queue(setPins)
	queue(&b)
	b.Queue("commit")
	return explainSession(conn.SendBatch(ctx, &b).Close())
}

// errStatementMode is the error of a pooler that knows no transactions.
var errStatementMode = errors.New("the connection pooler in front of PostgreSQL is in statement mode, in which no transaction is possible: " +
	"set pool_mode to transaction or session for this database, or connect to PostgreSQL itself")

// dialer connects, and has what it connects watched.
func dialer(w *watcher) pgconn.DialFunc {
	d := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return w.watch(conn, address), nil
	}
}
