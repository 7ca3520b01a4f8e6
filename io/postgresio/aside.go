package postgresio

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cartstream/cartstream/transforms/record"
)

// Another process may have claimed a range and not have committed it, for as long
// as a worker that is dead and still connected holds its locks. Other files need not
// wait for that: a claim that waits for long is given up, the files that it waits for
// are set aside, and the others of the batch are loaded. One writer more loads those
// that were set aside, and waits for as long as it takes.

// claimBound is how long a claim waits before files are set aside. Tests shorten it.
var claimBound = 2 * time.Second

// eachClaimBound is the same for each part of the claims, while those that wait are
// looked for.
const eachClaimBound = 100 * time.Millisecond

func isLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// beginLoad is how a batch begins its transaction; bounded tells that its claims
// don't wait for long.
func (e *engine) beginLoad(b *batch) (query string, bounded bool) {
	if !e.maySetAside(b) {
		return beginLoading, false
	}
	return beginLoading + "; savepoint claims; set local lock_timeout = " + inMilliseconds(claimBound), true
}

// claimAll enters the batch's ranges. Where the claims are bounded, it sets those
// aside that can't be had now.
func (a *attempt) claimAll(ctx context.Context, tx pgx.Tx, bounded bool) (missing bool, err error) {
	if !bounded {
		return a.claim(ctx, tx, a.batch.units)
	}
	missing, err = a.claim(ctx, tx, a.batch.units)
	if isLockTimeout(err) {
		if err = a.exec(ctx, "rollback to savepoint claims; set local lock_timeout = "+inMilliseconds(eachClaimBound)); err == nil {
			missing, err = a.claimFree(ctx, tx, a.batch.units)
		}
	}
	if err != nil {
		return false, err
	}
	return missing, a.exec(ctx, "release savepoint claims; set local lock_timeout = 0")
}

// claimFree claims the ranges of those files that nobody else has claimed and not
// yet committed, and sets the others aside.
func (a *attempt) claimFree(ctx context.Context, tx pgx.Tx, units []*unit) (missing bool, err error) {
	err = a.inSavepoint(ctx, func() error {
		missing, err = a.claim(ctx, tx, units)
		return err
	})
	if !isLockTimeout(err) {
		return missing, err
	}
	first, second := halves(units)
	if len(second) == 0 {
		a.batch.setAside(first)
		return false, nil
	}
	one, err := a.claimFree(ctx, tx, first)
	if err != nil {
		return false, err
	}
	other, err := a.claimFree(ctx, tx, second)
	return one || other, err
}

// halves parts units so that those of one file stay together; second is empty
// where all are of one.
func halves(units []*unit) (first, second []*unit) {
	at := len(units) / 2
	for at > 0 && units[at].source.File == units[at-1].source.File {
		at--
	}
	if at == 0 {
		for at = max(1, len(units)/2); at < len(units) && units[at].source.File == units[at-1].source.File; {
			at++
		}
	}
	return units[:at], units[at:]
}

// setAside takes units out of the batch.
func (b *batch) setAside(units []*unit) {
	out := map[*unit]bool{}
	for _, u := range units {
		out[u] = true
	}
	rest := make([]*unit, 0, len(b.units))
	for _, u := range b.units {
		if out[u] {
			b.aside = append(b.aside, u)
		} else {
			rest = append(rest, u)
		}
	}
	b.units = rest
}

// maySetAside reports whether files of the batch may be loaded after those that
// come later, and whether there is room for what waits. Who tries again may meet the
// claims of the last try, whose COMMIT is under way.
func (e *engine) maySetAside(b *batch) bool {
	if e.table.rule.ordered() || b.late || b.tries > 1 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asideBytes < e.opts.FlushBytes
}

// takeAside has what a batch has set aside loaded by a writer of its own.
func (e *engine) takeAside(units []*unit) {
	if len(units) == 0 {
		return
	}
	files := map[record.File]bool{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range units {
		files[u.source.File] = true
		e.asideBytes += u.bytes()
	}
	slog.Warn("Another session has begun to load files and not ended; the others are loaded first",
		"file", units[0].source.File.Path, "files", len(files), "table", e.table.name)
	if e.aside = append(e.aside, units...); !e.asideWriter {
		e.asideWriter = true
		e.writers.Go(e.writeAside)
	}
}

// writeAside loads what was set aside, and ends when there is no more of it.
func (e *engine) writeAside() {
	var room workspace
	for b := e.nextAside(); b != nil; b = e.nextAside() {
		size := 0
		for _, u := range b.units {
			size += u.bytes()
		}
		// Its keys hold up nobody: it is to the others as another process is.
		e.loadAndFinish(b, newKeysInFlight(), &room)
		e.mu.Lock()
		e.asideBytes -= size
		e.mu.Unlock()
	}
}

func (e *engine) nextAside() *batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.aside) == 0 {
		e.asideWriter = false
		return nil
	}
	b := &batch{id: uuid.New(), late: true}
	for _, u := range e.aside {
		b.add(u)
	}
	e.aside = nil
	return b
}
