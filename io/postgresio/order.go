package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Loads that go by the order of the records are those of one process at a time:
// were two to load at once, a later file of one could be overwritten by an earlier
// one of the other. So the second waits until the first has ended, and finds what
// that one has loaded done.
//
// The process that loads has the table's lease, a row of cartstream.leases, and
// renews it while it lives. Each batch makes sure within its transaction that the
// lease is still its process's, and holds the row until it ends: who takes the lease
// over changes its token, for which it waits for the batches under way. A renewal
// changes no key and waits for nobody.
type orderLease struct {
	// taking is held while the lease is waited for.
	taking sync.Mutex
	token  uuid.UUID   // by which the process is known
	held   atomic.Bool // the lease is ours, as far as is known
	renew  sync.Once
	// ctx ends with the engine, by end; renewing is done when the lease is renewed no more.
	ctx      context.Context
	end      context.CancelFunc
	renewing sync.WaitGroup
}

// How long a lease holds without being renewed, how often it is renewed, and how
// often one who waits looks. Tests shorten them.
var (
	leaseTerm  = 15 * time.Second
	leaseRenew = 3 * time.Second
	leasePoll  = time.Second
)

// errOrderLost says that another process has taken the lease. The batch is tried
// again, under a new one.
var errOrderLost = errors.New("the lease that keeps other processes from loading into the table was lost")

const leaseHolderSQL = `select holder from cartstream.leases where table_name = $1 and token <> $2 and expires_at > clock_timestamp()`

// takeLeaseSQL looks again at what it waited for. That the lease is ours already is
// so where the reply to an earlier try was lost.
const takeLeaseSQL = `
insert into cartstream.leases as l (table_name, token, holder, expires_at)
values ($1, $2, $3, clock_timestamp() + $4::interval)
on conflict (table_name) do update set token = excluded.token, holder = excluded.holder, taken_at = clock_timestamp(), expires_at = excluded.expires_at
where l.token = excluded.token or l.expires_at <= clock_timestamp()`

const renewLeaseSQL = `update cartstream.leases set expires_at = clock_timestamp() + $3::interval where table_name = $1 and token = $2`

const endLeaseSQL = `update cartstream.leases set expires_at = '-infinity' where table_name = $1 and token = $2`

const holdLeaseSQL = `select from cartstream.leases where table_name = $1 and token = $2 for key share`

// keepOrder returns when this process has the table's lease, at once where order
// does not matter.
func (e *engine) keepOrder(ctx context.Context) error {
	if !e.table.rule.ordered() {
		return nil
	}
	l := &e.order
	l.taking.Lock()
	defer l.taking.Unlock()
	if l.held.Load() {
		return nil
	}
	for told := false; ; {
		taken, holder, err := e.takeLease(ctx)
		switch {
		case err != nil:
			return err
		case taken:
			l.held.Store(true)
			l.renew.Do(func() { l.renewing.Go(e.renewLease) })
			return nil
		case !told && holder != "":
			told = true
			slog.WarnContext(ctx, "Another process loads into the table in the order of its records; this one waits until that has ended",
				"table", e.table.name, "process", holder)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(leasePoll):
		}
	}
}

// takeLease takes the lease if it is free, and else says who has it.
func (e *engine) takeLease(ctx context.Context) (taken bool, holder string, err error) {
	err = inTransaction(ctx, e.pool.Pool, "asking who loads into "+e.table.name+" in order", beginWriting, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, leaseHolderSQL, e.table.name, e.order.token).Scan(&holder)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		tag, err := tx.Exec(ctx, takeLeaseSQL, e.table.name, e.order.token, processName(), leaseTerm)
		taken = tag.RowsAffected() == 1
		return err
	})
	return taken && err == nil, holder, err
}

func processName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%d on %s", os.Getpid(), host)
}

// renewLease renews the lease until the engine ends. Where that fails, it is tried
// again, and batches find out.
func (e *engine) renewLease() {
	for {
		select {
		case <-e.order.ctx.Done():
			return
		case <-time.After(leaseRenew):
		}
		if !e.order.held.Load() {
			continue
		}
		ctx, cancel := context.WithTimeout(e.order.ctx, leaseTerm)
		ours, err := e.changeLease(ctx, renewLeaseSQL, leaseTerm)
		cancel()
		if err == nil && !ours {
			e.order.held.Store(false)
		}
	}
}

func (e *engine) changeLease(ctx context.Context, sql string, more ...any) (ours bool, err error) {
	err = inTransaction(ctx, e.pool.Pool, "renewing the lease of "+e.table.name, beginWriting, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, append([]any{e.table.name, e.order.token}, more...)...)
		ours = tag.RowsAffected() == 1
		return err
	})
	return ours, err
}

// endLease gives the lease back, so that nobody waits for its term; if that fails
// they do.
func (e *engine) endLease() {
	e.order.end()
	e.order.renewing.Wait()
	if !e.order.held.Swap(false) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackBound)
	defer cancel()
	_, _ = e.changeLease(ctx, endLeaseSQL)
}

// inOrder makes sure, within the transaction of a batch, that no other process
// loads until it ends.
func (e *engine) inOrder(ctx context.Context, tx pgx.Tx) error {
	if !e.table.rule.ordered() {
		return nil
	}
	tag, err := tx.Exec(ctx, holdLeaseSQL, e.table.name, e.order.token)
	if err == nil && tag.RowsAffected() == 0 {
		e.order.held.Store(false)
		return errOrderLost
	}
	return err
}
