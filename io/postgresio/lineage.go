package postgresio

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cartstream/cartstream/internal/runctl"
)

// lineage detects that the ledger is no longer the one that this process has
// learned from: after a failover to a standby that lagged, a point-in-time
// recovery, a restored backup or dump, or when somebody has deleted entries. What
// was cached before (ids of files, finished files, known keys) may then be wrong.
//
// It remembers loads that the ledger had, and how often entries were deleted. A
// history that lacks a transaction lacks those that were committed after it too, so
// the latest loads are enough. Connections tell nothing: a pooler hides that the
// server behind it is another one.
//
// The engines and the watcher of a run share one lineage. Each compares the era
// that it knows with the current one and drops its caches when they differ.
type lineage struct {
	mu sync.Mutex
	// era counts the changes of history that were found. It begins at 1.
	era int64
	// known is set once ledger and deletions have been read.
	known     bool
	ledger    uuid.UUID
	deletions int64
	// own are the latest loads of this process, listed the latest of all processes
	// when the ledger was last asked about files.
	own, listed []uuid.UUID
	// unannounced is set while other processes may not know of the change: they need not
	// remember a load that this one misses.
	unannounced bool
}

const (
	// ownLoads is more than there are writers, whose commits overlap.
	ownLoads = 64
	// listedLoads cover the transactions that overlap with the latest one.
	listedLoads = 100
)

// errHistoryChanged makes a batch start over without the caches of before.
var errHistoryChanged = errors.New("the ledger lacks entries that it had: the database was restored or failed over, or entries were deleted")

type lineageKey struct{ run, database string }

// lineages are those of the runs of this process.
var lineages = struct {
	sync.Mutex
	m map[lineageKey]*lineage
}{m: map[lineageKey]*lineage{}}

// lineageOf returns the lineage of a run's database, until the run is forgotten.
func lineageOf(run string, d Database) *lineage {
	key := lineageKey{run, d.Name}
	lineages.Lock()
	l, found := lineages.m[key]
	if !found {
		l = &lineage{era: 1}
		lineages.m[key] = l
	}
	lineages.Unlock()
	if !found {
		runctl.Of(run).AtForget(func() {
			lineages.Lock()
			defer lineages.Unlock()
			delete(lineages.m, key)
		})
	}
	return l
}

// current returns the era.
func (l *lineage) current() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.era
}

const lineageSQL = `
select i.id, i.deletions, (select count(*) from cartstream.loads where load_id = any($1::uuid[])) = cardinality($1::uuid[]),
	case when $2 > 0 then array(select load_id from cartstream.loads order by committed_at desc limit $2) end
from cartstream.ledger_id i`

// check compares the ledger with what is remembered of it and returns the era that
// holds now. It is part of the transaction that relies on the answer.
func (l *lineage) check(ctx context.Context, tx pgx.Tx) (era int64, err error) {
	q := l.question(0)
	if err := q.scan(tx.QueryRow(ctx, lineageSQL, q.remembered, q.limit)); err != nil {
		return 0, err
	}
	return l.learn(ctx, q), nil
}

// observe is check in the transaction of a question whose answer is cached. It
// remembers the latest loads of all processes, so that those that the answer rests
// on are among them.
func (l *lineage) observe(ctx context.Context, tx pgx.Tx) error {
	q := l.question(listedLoads)
	err := q.scan(tx.QueryRow(ctx, lineageSQL, q.remembered, q.limit))
	if err == nil {
		l.learn(ctx, q)
	}
	return err
}

// queueObservation is observe as part of a batch of questions.
func (l *lineage) queueObservation(ctx context.Context, b *pgx.Batch) {
	q := l.question(listedLoads)
	b.Queue(lineageSQL, q.remembered, q.limit).QueryRow(func(row pgx.Row) error {
		err := q.scan(row)
		if err == nil {
			l.learn(ctx, q)
		}
		return err
	})
}

// lineageQuestion is what the ledger is asked, and its answer.
type lineageQuestion struct {
	era        int64 // when it was asked
	remembered []uuid.UUID
	limit      int

	ledger    uuid.UUID
	deletions int64
	complete  bool
	listed    []uuid.UUID
}

func (l *lineage) question(limit int) *lineageQuestion {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &lineageQuestion{era: l.era, remembered: l.remembered(), limit: limit}
}

func (q *lineageQuestion) scan(row pgx.Row) error {
	return row.Scan(&q.ledger, &q.deletions, &q.complete, &q.listed)
}

// learn takes in an answer and returns the era that holds now.
func (l *lineage) learn(ctx context.Context, q *lineageQuestion) (era int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.era != q.era { // found meanwhile in another transaction
		return l.era
	}
	if !l.known {
		l.known, l.ledger, l.deletions = true, q.ledger, q.deletions
	}
	if !q.complete || q.ledger != l.ledger || q.deletions != l.deletions {
		l.unannounced = l.unannounced || q.deletions == l.deletions
		l.change(ctx, q.ledger, q.deletions)
	}
	if q.limit > 0 {
		l.listed = q.listed
	}
	return l.era
}

// remembered returns the loads that the ledger must have. The lock is held.
func (l *lineage) remembered() []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(l.own)+len(l.listed))
	loads := make([]uuid.UUID, 0, len(l.own)+len(l.listed))
	for _, list := range [][]uuid.UUID{l.own, l.listed} {
		for _, id := range list {
			if !seen[id] {
				seen[id] = true
				loads = append(loads, id)
			}
		}
	}
	return loads
}

// change begins another era. The lock is held.
func (l *lineage) change(ctx context.Context, ledger uuid.UUID, deletions int64) {
	l.era++
	l.ledger, l.deletions = ledger, deletions
	l.own, l.listed = nil, nil
	slog.WarnContext(ctx, "The ledger lacks entries that it had: the database was restored or failed over, or entries were deleted. "+
		"Checking all files again; those whose loads are missing are loaded again")
}

// entryMissing begins another era because an entry of a file is missing that was
// remembered.
func (l *lineage) entryMissing(ctx context.Context, era int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.era == era {
		l.unannounced = true
		l.change(ctx, l.ledger, l.deletions)
	}
}

// announce counts a change as a deletion, once, so that the other processes find it too.
func (l *lineage) announce(ctx context.Context, conn *pgx.Conn) error {
	l.mu.Lock()
	unannounced, era := l.unannounced, l.era
	l.mu.Unlock()
	if !unannounced {
		return nil
	}
	return inTransactionOn(ctx, conn, beginWriting, func(tx pgx.Tx) error {
		var deletions int64
		if err := tx.QueryRow(ctx, "update cartstream.ledger_id set deletions = deletions + 1 returning deletions").Scan(&deletions); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.unannounced = false
		if l.era == era && deletions == l.deletions+1 { // nobody else has counted meanwhile
			l.deletions = deletions
		}
		return nil
	})
}

// committed remembers a load of this process, which was committed in an era.
func (l *lineage) committed(load uuid.UUID, era int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.era != era {
		return
	}
	if l.own = append(l.own, load); len(l.own) > ownLoads {
		l.own = l.own[1:]
	}
}

// isMissingEntry reports whether an error says that the ledger lacks the entry that
// another one refers to.
func isMissingEntry(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503" && pg.SchemaName == "cartstream"
}
