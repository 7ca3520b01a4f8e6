package postgresio

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cartstream/cartstream/internal/dofn"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	register.Emitter1[record.Range]()
}

// Defaults of Load. Batches of 50,000 records on two connections gave the highest
// rate; larger ones only hold more memory. Both bounds are what the largest range
// has, so such a range is a batch.
const (
	DefaultConnections  = 2
	DefaultFlushRecords = 50_000
	DefaultFlushBytes   = 16 << 20
	DefaultFlushAge     = 50 * time.Millisecond

	DefaultMaxRejectedFiles = 3
	DefaultMaxDeadLetters   = 100_000
)

// maxBatchUnits bounds the ledger's part of a transaction: a batch of tiny
// files.
const maxBatchUnits = 5_000

// loadOptions are serialised with the DoFn.
type loadOptions struct {
	Run          string
	Database     Database
	Table        string
	KeyColumns   []string
	Upsert       *Upsert // nil: a row that is there stays as it is
	Connections  int
	FlushRecords int
	FlushBytes   int
	FlushAge     time.Duration
	RetryFor     time.Duration
	// AllowUnlogged lets tables be loaded that a crash of the server empties.
	AllowUnlogged bool
	// MaxRejectedFiles is how many files in a row may be rejected by PostgreSQL,
	// record by record, before the run ends; 0 is no bound.
	MaxRejectedFiles int
	// MaxDeadLetters is how many dead letters a file may have; 0 is no bound.
	MaxDeadLetters int
}

// Option configures Load.
type Option func(*loadOptions)

// WithRun names the run whose control the sink obeys and whose totals it
// counts.
func WithRun(id string) Option { return func(o *loadOptions) { o.Run = id } }

// WithDatabase names the database; the default is the environment's.
func WithDatabase(d Database) Option { return func(o *loadOptions) { o.Database = d } }

// WithKey names the columns by which a row is recognised when it comes again:
// those of a unique constraint, in any order. The default is the table's primary
// key, or the first unique constraint whose columns T has.
func WithKey(columns ...string) Option { return func(o *loadOptions) { o.KeyColumns = columns } }

// WithUpsert has rows that are there already overwritten. The default is to
// count a row whose key is there and leave it out.
func WithUpsert(u Upsert) Option { return func(o *loadOptions) { o.Upsert = &u } }

// WithConnections sets how many batches are loaded at once, 2 by default.
func WithConnections(n int) Option { return func(o *loadOptions) { o.Connections = n } }

// WithFlush bounds a batch: it is loaded when it has this many records, rows or
// dead letters, or when its first range has waited for age.
func WithFlush(records int, age time.Duration) Option {
	return func(o *loadOptions) { o.FlushRecords, o.FlushAge = records, age }
}

// WithRetryFor bounds how long one batch is retried while the database is in
// trouble; 0, the default, is until the run is stopped.
func WithRetryFor(d time.Duration) Option { return func(o *loadOptions) { o.RetryFor = d } }

// WithUnlogged allows a table that PostgreSQL empties after a crash, although
// the ledger would still call its files loaded.
func WithUnlogged() Option { return func(o *loadOptions) { o.AllowUnlogged = true } }

// WithMaxRejectedFiles sets how many files in a row, of ten or more records that
// PostgreSQL has all rejected, end the run; 0 is no bound.
func WithMaxRejectedFiles(n int) Option { return func(o *loadOptions) { o.MaxRejectedFiles = n } }

// WithMaxDeadLetters sets how many dead letters a file may have. A file beyond it is failed
// (too_many_dead_letters): ranges that were committed before stay, the others are left out
// and counted. Batches that are loaded at the same time may add theirs. 0 is no bound.
func WithMaxDeadLetters(n int) Option { return func(o *loadOptions) { o.MaxDeadLetters = n } }

// Load writes records into a table, exactly once: a PCollection of
// *record.Record[T] whose ranges come whole and in order, as csvio.Read emits
// them. Rows, dead letters and the ledger's entries of a range are committed in
// one transaction; a row whose key is there already is counted and left out, or
// overwrites what is there (WithUpsert).
//
// It returns the ranges (record.Range) that are committed, each after its
// commit, and those that were found to be so before; not the files that failed
// or could not be read. What follows may rely on their rows.
//
// T is a struct whose fields have `db:"column"` tags and that Register[T] has
// seen. Bad tags, and options that make no sense, panic when the graph is built.
func Load[T any](s beam.Scope, records beam.PCollection, table string, opts ...Option) beam.PCollection {
	s = s.Scope("postgresio.Load")
	return beam.ParDo(s, &loadFn[T]{Options: newLoadOptions(table, opts)}, records)
}

func newLoadOptions(table string, opts []Option) loadOptions {
	o := loadOptions{
		Table: table, Connections: DefaultConnections,
		FlushRecords: DefaultFlushRecords, FlushBytes: DefaultFlushBytes, FlushAge: DefaultFlushAge,
		MaxRejectedFiles: DefaultMaxRejectedFiles, MaxDeadLetters: DefaultMaxDeadLetters,
	}
	for _, opt := range opts {
		opt(&o)
	}
	if _, err := ParseTable(table); err != nil {
		panic("postgresio.Load: " + err.Error())
	}
	if o.Connections < 1 || o.FlushRecords < 1 {
		panic("postgresio.Load: connections and flush records must be 1 or more")
	}
	if o.MaxRejectedFiles < 0 || o.MaxDeadLetters < 0 {
		panic("postgresio.Load: the rejected files that end the run, and the dead letters of a file, must be 0 or more")
	}
	return o
}

// Register makes T known to Beam as a row type. It is to be called from the
// init of the file that defines T, and panics when T's db tags are wrong.
func Register[T any]() {
	if _, err := fieldsOf(reflect.TypeFor[T]()); err != nil {
		panic(err.Error())
	}
	dofn.Register3x1[context.Context, *record.Record[T], func(record.Range), error](&loadFn[T]{})
}

// loadFn collects ranges and hands whole ones to the engine.
type loadFn[T any] struct {
	Options loadOptions

	engine  *engine
	encoder *rowEncoder
	current *unit
	handed  sync.WaitGroup // units that the engine has and is not done with
	lost    atomic.Bool    // a unit was not committed

	mu        sync.Mutex
	committed []*record.Range // not emitted yet
	counted   counts          // not added to Beam's counters yet
	batches   int64           // the same
}

// Setup connects and matches T with the table. What goes wrong ends the run
// through its control too: a runner wraps a DoFn's error into its own words.
func (fn *loadFn[T]) Setup(context.Context) error {
	err := fn.open()
	if err != nil {
		runctl.Of(fn.Options.Run).Fail(err)
	}
	return err
}

func (fn *loadFn[T]) open() error {
	fields, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	if fn.engine, err = acquireEngine(fn.Options, fields); err != nil {
		return err
	}
	fn.encoder, err = newRowEncoder(fields, fn.engine.target(), pgtype.NewMap())
	return err
}

// StartBundle begins with no range in hand.
func (fn *loadFn[T]) StartBundle(context.Context, func(record.Range)) error {
	fn.current = nil
	return nil
}

// ProcessElement collects a record or, at a range's end, hands the range on and
// emits those that are committed by now: a bundle may last as long as the run.
func (fn *loadFn[T]) ProcessElement(ctx context.Context, r *record.Record[T], emit func(record.Range)) error {
	if r.Data() {
		return fn.collect(r)
	}
	if fn.engine.control.Context().Err() != nil {
		return fn.notCommitted()
	}
	fn.emitCommitted(ctx, emit)
	return fn.finish(r)
}

func (fn *loadFn[T]) collect(r *record.Record[T]) error {
	u, err := fn.unitOf(r)
	if err != nil {
		return err
	}
	if r.Kind == record.KindFault {
		u.dead = append(u.dead, r.DeadLetter())
		return nil
	}
	u.addValue(fn.encoder, unsafe.Pointer(&r.Value), r.Source, r.Raw)
	return nil
}

// unitOf returns the unit of the record's range, begun by its first record.
func (fn *loadFn[T]) unitOf(r *record.Record[T]) (*unit, error) {
	u := fn.current
	if u != nil && (u.source == r.Source.Range || sameRange(u.source, r.Source.Range)) {
		return u, nil
	}
	if u != nil {
		return nil, fusionError(u)
	}
	src := r.Source.Range
	fn.engine.await()
	room := fn.engine.spare.take(src)
	fn.current = &unit{source: src, rows: room.rows, tuples: room.tuples}
	return fn.current, nil
}

// finish hands the range that the marker ends to the engine.
func (fn *loadFn[T]) finish(r *record.Record[T]) error {
	u, err := fn.unitOf(r)
	if err != nil {
		return err
	}
	fn.current = nil
	if r.Kind == record.KindRangeEnd && u.records() != u.source.Records {
		return fmt.Errorf("postgresio: %d records of a range of %d arrived (%s, bytes %d to %d): a transform before Load dropped or added some",
			u.records(), u.source.Records, u.source.File.Path, u.source.Start, u.source.End)
	}
	if r.Kind != record.KindRangeEnd {
		u.rows, u.tuples, u.dead = nil, nil, nil
	}
	if r.Kind == record.KindFileFailed {
		// What was read before the damage is committed first: a file that has failed
		// is not tried again.
		if err := fn.awaitHanded(); err != nil {
			return err
		}
	}
	u.marker, u.fault = r.Kind, r.Fault
	u.done = func(committed bool) { fn.done(u, committed) }
	fn.handed.Add(1)
	fn.engine.add(u)
	return nil
}

// FinishBundle returns when all ranges of the bundle are committed.
func (fn *loadFn[T]) FinishBundle(ctx context.Context, emit func(record.Range)) error {
	if fn.current != nil {
		return fusionError(fn.current)
	}
	if err := fn.awaitHanded(); err != nil {
		return err
	}
	fn.emitCommitted(ctx, emit)
	return nil
}

// awaitHanded returns when all that was handed to the engine is committed.
func (fn *loadFn[T]) awaitHanded() error {
	fn.engine.flush()
	handed := make(chan struct{})
	go func() {
		fn.handed.Wait()
		close(handed)
	}()
	select {
	case <-handed:
	case <-fn.engine.control.Context().Done():
		return fn.notCommitted()
	}
	if fn.lost.Load() {
		return fn.notCommitted()
	}
	return nil
}

// done notes what became of a unit; a writer calls it.
func (fn *loadFn[T]) done(u *unit, committed bool) {
	switch {
	case !committed:
		fn.lost.Store(true)
	case u.marker == record.KindRangeEnd && !u.void:
		fn.mu.Lock()
		fn.committed = append(fn.committed, u.source)
		fn.counted.add(u.counts)
		if u.leads {
			fn.batches++
		}
		fn.mu.Unlock()
	}
	fn.handed.Done()
}

func (fn *loadFn[T]) emitCommitted(ctx context.Context, emit func(record.Range)) {
	fn.mu.Lock()
	committed, counted, batches := fn.committed, fn.counted, fn.batches
	fn.committed, fn.counted, fn.batches = nil, counts{}, 0
	fn.mu.Unlock()
	counted.report(ctx, int64(len(committed)), batches)
	for _, r := range committed {
		emit(*r)
	}
}

// notCommitted is the error of a bundle that the run's end has cut short.
func (fn *loadFn[T]) notCommitted() error {
	return fmt.Errorf("records in hand were not committed, the next run loads them: %w",
		context.Cause(fn.engine.control.Context()))
}

// Teardown gives the engine back.
func (fn *loadFn[T]) Teardown() error {
	if fn.engine != nil {
		fn.engine.release()
		fn.engine = nil
	}
	return nil
}

func sameRange(a, b *record.Range) bool { return a.File == b.File && a.Start == b.Start }

func fusionError(u *unit) error {
	return fmt.Errorf("postgresio: the range at byte %d of %s did not arrive whole: something between the reader and Load broke their fusion",
		u.source.Start, u.source.File.Path)
}
