package postgresio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/runctl"
)

// engine loads the units of all sinks of one run into one table: one set of
// connections, one bound on memory and one set of keys in flight, however many
// instances of the DoFn the runner makes.
//
// Sinks put whole ranges into the batch that is open. Writers, each with a
// connection, take it when it is full or old enough. When all are busy and the
// open batch is full, sinks wait: that is the bound on memory.
type engine struct {
	opts        loadOptions
	control     *runctl.Control
	pool        *runPool
	table       *table
	totals      *totals
	keys        *keysInFlight
	presumption presumption
	spare       spareRoom
	files       fileIDs
	columns     []string // of the tuples, in order; set once
	order       orderLease
	lineage     *lineage
	fields      []field
	// shaping is read-locked while a batch is loaded, and locked while the table's
	// shape is replaced.
	shaping  sync.RWMutex
	rejected rejectedFiles

	mu          sync.Mutex
	changed     *sync.Cond
	aside       []*unit // set aside, to be loaded by a writer of their own
	asideBytes  int     // with those that it has
	asideWriter bool    // it is at work
	open        *batch
	since       time.Time // when the open batch got its first unit
	urgent      bool      // the open batch is wanted now
	closed      bool
	closing     chan struct{} // closed with it
	era         int64         // of the caches
	writers     sync.WaitGroup
	refcount    int
	end         sync.Once
}

// engines are those of this process, by run, database and table.
var engines = struct {
	sync.Mutex
	m map[engineKey]*engine
}{m: map[engineKey]*engine{}}

// engineKey tells engines apart. Sinks whose rows have other columns, or that
// go by another key or rule, have another engine.
type engineKey struct {
	run, database, table, key, columns, upsert string
}

func keyOfEngine(opts loadOptions, columns []string) engineKey {
	upsert := ""
	if opts.Upsert != nil {
		upsert = fmt.Sprintf("%q", *opts.Upsert)
	}
	return engineKey{opts.Run, opts.Database.Name, opts.Table, quoteList(opts.KeyColumns), quoteList(columns), upsert}
}

// acquireEngine returns the engine, started by the first who asks; each must
// release it.
func acquireEngine(opts loadOptions, fields []field) (*engine, error) {
	e, started, err := findEngine(opts, fields)
	if started {
		// Workers of a cluster keep their DoFns for as long as they live, also when
		// that is the process that has submitted the job.
		e.control.AtForget(func() {
			engines.Lock()
			defer engines.Unlock()
			e.close()
		})
	}
	return e, err
}

func findEngine(opts loadOptions, fields []field) (e *engine, started bool, err error) {
	engines.Lock()
	defer engines.Unlock()
	k := keyOfEngine(opts, columnsOf(fields))
	if e = engines.m[k]; e == nil {
		if e, err = startEngine(opts, fields); err != nil {
			return nil, false, err
		}
		engines.m[k], started = e, true
	}
	e.refcount++
	return e, started, nil
}

// release gives the engine back; the last one closes it.
func (e *engine) release() {
	engines.Lock()
	defer engines.Unlock()
	if e.refcount--; e.refcount == 0 {
		e.close()
	}
}

// close waits for the writers to end, and ends the connections. What is added
// later is never loaded. The lock of engines is held.
func (e *engine) close() {
	e.end.Do(func() {
		delete(engines.m, keyOfEngine(e.opts, e.columns))
		e.mu.Lock()
		e.closed = true
		close(e.closing)
		e.changed.Broadcast()
		e.mu.Unlock()
		e.writers.Wait()
		e.endLease()
		e.pool.release()
		e.presumption.loaded = keyFilter{} // the run keeps the engine for its lulls
	})
}

func startEngine(opts loadOptions, fields []field) (*engine, error) {
	control := runctl.Of(opts.Run)
	pool, err := poolOf(opts.Run, opts.Database, untilReleased)
	if err != nil {
		return nil, err
	}
	e := &engine{
		opts: opts, control: control, pool: pool, totals: totalsOf(opts.Run), columns: columnsOf(fields), fields: fields, keys: newKeysInFlight(),
		lineage: lineageOf(opts.Run, opts.Database),
	}
	e.order.token = uuid.New()
	e.order.ctx, e.order.end = context.WithCancel(e.control.Context())
	e.changed, e.closing = sync.NewCond(&e.mu), make(chan struct{})
	e.open = &batch{id: uuid.New()}
	err = retry(control.Context(), pool, opts.RetryFor, "reading the catalog of PostgreSQL", func(ctx context.Context) (err error) {
		return inTransaction(ctx, pool.Pool, "reading the catalog of PostgreSQL", beginWriting, func(tx pgx.Tx) error {
			e.table, err = inspect(ctx, tx, opts, fields)
			return err
		})
	})
	if err != nil {
		pool.release()
		return nil, err
	}
	for range opts.Connections {
		e.writers.Go(e.write)
	}
	e.writers.Go(e.watchTarget)
	control.AtLull(e.flush)
	// A run that ends hard wakes those who wait.
	context.AfterFunc(control.Context(), e.wake)
	return e, nil
}

// wake has all who wait look again. Without the lock, one who has looked and
// does not wait yet would miss it.
func (e *engine) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changed.Broadcast()
}

// await returns when the open batch has room, or the run ends. A unit that is
// begun before that is one more in memory, and loaded no sooner.
func (e *engine) await() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaitRoom()
}

func (e *engine) awaitRoom() {
	for e.full() && e.control.Context().Err() == nil {
		e.changed.Wait()
	}
}

// add puts a unit into the open batch, waiting while it is full.
func (e *engine) add(u *unit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaitRoom()
	if len(e.open.units) == 0 {
		e.since = time.Now()
		time.AfterFunc(e.opts.FlushAge, e.wake)
	}
	e.control.Take()
	e.open.add(u)
	e.changed.Broadcast()
}

// flush has the open batch loaded now, without waiting for it.
func (e *engine) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.urgent = len(e.open.units) > 0
	e.changed.Broadcast()
}

func (e *engine) full() bool {
	return e.open.records >= e.opts.FlushRecords || e.open.bytes >= e.opts.FlushBytes || len(e.open.units) >= maxBatchUnits
}

// due reports whether the open batch is to be taken.
func (e *engine) due() bool {
	return len(e.open.units) > 0 && (e.urgent || e.full() || time.Since(e.since) >= e.opts.FlushAge)
}

// take waits for a batch that is due; nil says that the engine has ended.
func (e *engine) take() *batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.due() {
		if e.closed || e.control.Context().Err() != nil {
			return nil
		}
		e.changed.Wait()
	}
	b := e.open
	e.open, e.urgent = &batch{id: uuid.New(), number: b.number + 1}, false
	e.changed.Broadcast()
	return b
}

// write is a writer: it loads batches until the engine ends. What fails for
// good ends the run.
func (e *engine) write() {
	var room workspace
	for b := e.take(); b != nil; b = e.take() {
		e.loadAndFinish(b, e.keys, &room)
	}
}

// loadAndFinish loads a batch, tells what became of its units, and has those loaded
// that were set aside.
func (e *engine) loadAndFinish(b *batch, inFlight *keysInFlight, room *workspace) {
	ended := e.control.Context().Err() != nil
	err := e.load(b, inFlight, room)
	room.release()
	committed := err == nil
	if !committed && !ended && !errors.Is(err, errNotBefore) { // the earlier batch's own error is the reason
		e.control.Fail(err)
	}
	if committed {
		e.takeAside(b.aside)
	} else {
		b.units = append(b.units, b.aside...)
	}
	for _, u := range b.units {
		if committed && b.tries == 1 { // a COPY whose connection broke may still read the rows
			e.spare.give(u)
		}
		u.done(committed)
		e.control.Give()
	}
}
