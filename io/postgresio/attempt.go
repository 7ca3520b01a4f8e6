package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/transforms/record"
)

// attempt is one try to load a batch, in one transaction:
//
//  1. the files' entries, by a statement of its own before;
//  2. the ranges' entries; those that are there already are somebody else's
//     or were done before, and are dropped;
//  3. rows, dead letters, what became of whole files, and the counts;
//  4. the load's own entry, and COMMIT.
type attempt struct {
	e       *engine
	conn    *pgx.Conn
	batch   *batch
	keys    *batchKeys
	room    *workspace
	era     int64               // the history of the database that caches are of
	ids     map[*unit]uuid.UUID // the ledger's id of each unit's file
	claimed map[*unit]bool      // the ranges this attempt loads
	// rejected are the rows that PostgreSQL refused, with its reason.
	rejected []rejection
	// surprised tells that the table had keys that the run does not remember.
	surprised bool
	// changed are the rows of earlier versions of files that the batch contradicts.
	changed []*changedRow
}

// load loads a batch, again and again until it is in or can't be.
func (e *engine) load(b *batch, inFlight *keysInFlight, room *workspace) error {
	start := time.Now()
	keys := inFlight.enter(b, room)
	committed := false
	defer func() { inFlight.leave(keys, committed) }()
	if ctx := e.control.Context(); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var result *loadResult
	once := func(ctx context.Context) error {
		b.tries++
		if b.tries > 1 {
			if err := keys.wait(ctx, 0); err != nil {
				return err
			}
		}
		era := e.currentEra()
		err := e.inShape(ctx, func() error { return e.try(ctx, b, keys, room, era, start, &result) })
		switch {
		case err == nil: // also where an earlier attempt's commit was found
			e.lineage.committed(b.id, era)
		case isMissingEntry(err):
			e.lineage.entryMissing(ctx, era)
			err = errHistoryChanged
		}
		if errors.Is(err, errHistoryChanged) {
			return errors.Join(err, e.announceHistory(ctx))
		}
		b.raised.note(err)
		return err
	}
	err := retry(e.control.Context(), e.pool, e.opts.RetryFor, e.loading(b), func(ctx context.Context) error {
		err := once(ctx)
		for leaveOutOver(err) {
			err = once(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	committed = true
	if result == nil {
		return nil
	}
	e.presumption.loads(keys.sorted, result.surprised)
	e.totals.add(e, result, time.Since(start))
	e.countRejected(b, result)
	return nil
}

// try makes one attempt. result is set before COMMIT is sent: when its reply
// is lost, the next attempt finds the load in the ledger and result holds.
func (e *engine) try(ctx context.Context, b *batch, keys *batchKeys, room *workspace, era int64, start time.Time, result **loadResult) error {
	if err := keys.awaitBegun(ctx); err != nil {
		return err
	}
	if err := e.keepOrder(ctx); err != nil {
		return err
	}
	pooled, err := acquire(ctx, e.pool.Pool, e.loading(b))
	if err != nil {
		return err
	}
	defer pooled.Release()
	a := &attempt{e: e, conn: pooled.Conn(), batch: b, keys: keys, room: room, era: era, ids: map[*unit]uuid.UUID{}, claimed: map[*unit]bool{}}
	if err := a.enterFiles(ctx); err != nil {
		return err
	}
	query, bounded := e.beginLoad(b)
	tx, err := beginTx(ctx, a.conn, query)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	keys.began()
	if now, err := e.lineage.check(ctx, tx); err != nil {
		return err
	} else if now != era {
		return errHistoryChanged
	}
	if err := e.inOrder(ctx, tx); err != nil {
		return err
	}
	if err := a.confirmShape(ctx); err != nil {
		return err
	}
	missing, err := a.claimAll(ctx, tx, bounded)
	if err != nil {
		return err
	}
	if missing && b.tries > 1 {
		if done, err := a.committedBefore(ctx, tx); done || err != nil {
			return err
		}
	}
	if err := a.write(ctx, tx); err != nil {
		return err
	}
	if len(a.batch.units) == 0 {
		return nil // all of it was set aside
	}
	r := a.result()
	if entered, err := a.enterLoad(ctx, tx, r, time.Since(start)); !entered || err != nil {
		return err
	}
	*result = r
	return commit(ctx, tx)
}

// currentEra returns the era of the database's history, and drops what was cached
// in an earlier one.
func (e *engine) currentEra() int64 {
	era := e.lineage.current()
	e.mu.Lock()
	changed := e.era != era
	e.era = era
	e.mu.Unlock()
	if changed {
		e.files.forget()
		e.presumption.forget()
	}
	return era
}

// announceHistory tells other processes of a history that has lost loads.
func (e *engine) announceHistory(ctx context.Context) error {
	return e.pool.question(ctx, "announcing a change of history", func(conn *pgx.Conn) error { return e.lineage.announce(ctx, conn) })
}

// loading says what loads the batch, for messages.
func (e *engine) loading(b *batch) string {
	return fmt.Sprintf("loading %d rows into %s", b.rows, e.table.name)
}

func (a *attempt) write(ctx context.Context, tx pgx.Tx) error {
	if a.batch.tries > 1 {
		a.resetOutcomes()
	}
	if err := a.loadRows(ctx); err != nil {
		return err
	}
	if err := a.checkRaised(); err != nil {
		return err
	}
	if err := a.boundDeadLetters(ctx, tx); err != nil {
		return err
	}
	if err := a.findColumns(ctx, tx); err != nil {
		return err
	}
	if err := a.writeDeadLetters(ctx, tx); err != nil {
		return err
	}
	if err := a.enterCounts(ctx, tx); err != nil {
		return err
	}
	if err := a.enterOutcomes(ctx, tx); err != nil {
		return err
	}
	if err := a.compareLastRows(ctx, tx); err != nil {
		return err
	}
	return a.enterLastRows(ctx, tx)
}

func (a *attempt) resetOutcomes() {
	for _, u := range a.batch.units {
		for i := range u.rows {
			u.rows[i].outcome = pending
		}
	}
}

// result counts what became of the batch.
func (a *attempt) result() *loadResult {
	r := &loadResult{surprised: a.surprised, changed: a.changed}
	touched, failed := map[uuid.UUID]bool{}, map[record.File]bool{}
	for _, u := range a.batch.units {
		u.counts, u.leads = counts{}, false
		switch {
		case a.claimed[u]:
			u.counts = a.countsOf(u)
			u.leads = r.ranges == 0
			r.counts.add(u.counts)
			r.ranges++
			r.bytes += u.source.Bytes()
			touched[a.ids[u]] = true
			if u.source.Last {
				r.files++
			}
			if h := a.hopelessFile(u, u.counts); h != nil {
				r.hopeless = append(r.hopeless, h)
			}
		case u.marker == record.KindFileFailed:
			r.lost += u.source.Bytes()
			if first := !failed[u.source.File]; first && (u.leftOut == 0 || !u.failedBefore) {
				r.failed = append(r.failed, u)
			}
			failed[u.source.File] = true
		case u.marker == record.KindUnreadable:
			r.unreadable = append(r.unreadable, u)
		}
	}
	r.touched = int64(len(touched))
	if n := len(a.rejected); n > 0 {
		r.rejection = a.fault(&a.rejected[n-1]).Message
	}
	return r
}

func (a *attempt) countsOf(u *unit) counts {
	c := counts{records: u.records(), dead: int64(len(u.dead))}
	for i := range u.rows {
		switch u.rows[i].outcome {
		case inserted:
			c.inserted++
		case updated:
			c.updated++
		case duplicate:
			c.duplicates++
		case stale:
			c.stale++
		case rejected:
			c.dead++
		case pending:
			panic("postgresio: a row was neither written nor counted")
		}
	}
	return c
}

// committedBefore reports whether an earlier attempt's COMMIT came through.
func (a *attempt) committedBefore(ctx context.Context, tx pgx.Tx) (bool, error) {
	var there bool
	err := tx.QueryRow(ctx, "select exists (select from cartstream.loads where load_id = $1)", a.batch.id).Scan(&there)
	if there {
		a.logCommittedBefore(ctx)
	}
	return there, err
}

func (a *attempt) logCommittedBefore(ctx context.Context) {
	slog.InfoContext(ctx, "The reply to a commit was lost; the ledger says that it took place", "load", a.batch.id)
}
