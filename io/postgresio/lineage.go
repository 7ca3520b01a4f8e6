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
	return l.ask(ctx, tx, 0)
}

// observe is check in the transaction of a question whose answer is cached. It
// remembers the latest loads of all processes, so that those that the answer rests
// on are among them.
func (l *lineage) observe(ctx context.Context, tx pgx.Tx) (era int64, err error) {
	return l.ask(ctx, tx, listedLoads)
}

func (l *lineage) ask(ctx context.Context, tx pgx.Tx, limit int) (era int64, err error) {
	l.mu.Lock()
	before, remembered := l.era, l.remembered()
	l.mu.Unlock()
	var ledger uuid.UUID
	var deletions int64
	var complete bool
	var listed []uuid.UUID
	if err := tx.QueryRow(ctx, lineageSQL, remembered, limit).Scan(&ledger, &deletions, &complete, &listed); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.era != before { // found meanwhile in another transaction
		return l.era, nil
	}
	if !l.known {
		l.known, l.ledger, l.deletions = true, ledger, deletions
	}
	if !complete || ledger != l.ledger || deletions != l.deletions {
		l.change(ctx, ledger, deletions)
	}
	if limit > 0 {
		l.listed = listed
	}
	return l.era, nil
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
		l.change(ctx, l.ledger, l.deletions)
	}
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
