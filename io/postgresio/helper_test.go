package postgresio

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// TestMain discards the log; a test that wants it asks for it by captureLog.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	pgtest.Main(m)
}

func init() {
	Register[item]()
	Register[named]()
}

// item is a row with a uuid key.
type item struct {
	ID    uuid.UUID        `db:"id"`
	Name  string           `db:"name"`
	Price *decimal.Decimal `db:"price"`
}

const itemTable = `create table items (id uuid primary key, name text not null, price numeric(6,2), added timestamptz default now())`

// named is a row with a text key.
type named struct {
	Name string `db:"name"`
	N    int64  `db:"n"`
}

// world is an empty database with the ledger's schema and a run.
type world struct {
	t    *testing.T
	db   Database
	pool *pgxpool.Pool
	run  string
}

func newWorld(t *testing.T, ddl ...string) *world {
	t.Helper()
	return worldAt(t, pgtest.Database(t), ddl...)
}

func worldAt(t *testing.T, url string, ddl ...string) *world {
	t.Helper()
	w := &world{t: t, run: uuid.NewString()}
	w.db = SetURL(t.Name(), url)
	if err := Migrate(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	pool, err := w.db.Open(context.Background(), 2)
	if err != nil {
		t.Fatal(err)
	}
	w.pool = pool
	t.Cleanup(func() {
		runctl.Forget(w.run)
		pool.Close()
	})
	for _, sql := range ddl {
		w.exec(sql)
	}
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// one returns the single value of a query.
func one[V any](w *world, sql string, args ...any) V {
	w.t.Helper()
	var v V
	if err := w.pool.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// list returns the rows of a query as text, the columns joined by blanks.
func (w *world) list(sql string, args ...any) []string {
	w.t.Helper()
	rows, err := w.pool.Query(context.Background(), sql, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
		values, err := r.Values()
		line := fmt.Sprintln(values...)
		return line[:len(line)-1], err
	})
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return lines
}

// sink is a DoFn as a runner drives it.
type sink[T any] struct {
	w  *world
	fn *loadFn[T]
}

func newSink[T any](w *world, table string, opts ...Option) *sink[T] {
	w.t.Helper()
	fn := &loadFn[T]{Options: newLoadOptions(table, append([]Option{WithRun(w.run), WithDatabase(w.db)}, opts...))}
	if err := fn.Setup(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := fn.Teardown(); err != nil {
			w.t.Error(err)
		}
	})
	return &sink[T]{w: w, fn: fn}
}

// bundle sends records and ends the bundle.
func (s *sink[T]) bundle(records ...*record.Record[T]) error {
	ctx := context.Background()
	if err := s.fn.StartBundle(ctx, ignoreRange); err != nil {
		return err
	}
	for _, r := range records {
		if err := s.fn.ProcessElement(ctx, r, ignoreRange); err != nil {
			return err
		}
	}
	return s.fn.FinishBundle(ctx, ignoreRange)
}

// ignoreRange is for those who do not look at what is committed.
func ignoreRange(record.Range) {}

func (s *sink[T]) load(records ...*record.Record[T]) {
	s.w.t.Helper()
	if err := s.bundle(records...); err != nil {
		s.w.t.Fatal(err)
	}
}

// testFile is a file version for tests.
func testFile(path string) record.File {
	return record.File{Path: path, Size: 1000, Modified: 1_700_000_000_000_000}
}

// wholeRange is a file of one range with these values, and its end.
func wholeRange[T any](file record.File, values ...any) []*record.Record[T] {
	return rangeOf[T](&record.Range{
		File: file, Fingerprint: "f1", Start: 10, End: file.Size, FirstLine: 2, Last: true,
	}, values...)
}

// rangeOf makes the records of a range: a T is a value, a record.Fault a
// fault. Each has a line and ten bytes of its own.
func rangeOf[T any](r *record.Range, values ...any) []*record.Record[T] {
	r.Records = int64(len(values))
	var records []*record.Record[T]
	for i, v := range values {
		rec := &record.Record[T]{
			Source: record.Source{Range: r, Line: r.FirstLine + int64(i), Offset: r.Start + 10*int64(i)},
			Raw:    fmt.Appendf(nil, "raw %d", i),
		}
		switch v := v.(type) {
		case record.Fault:
			rec.Kind, rec.Fault = record.KindFault, &v
		case T:
			rec.Value = v
		default:
			panic(fmt.Sprintf("a %T is no value", v))
		}
		records = append(records, rec)
	}
	return append(records, &record.Record[T]{Kind: record.KindRangeEnd, Source: record.Source{Range: r}})
}

func id(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)) }

func price(s string) *decimal.Decimal {
	d, err := decimal.Parse(s)
	if err != nil {
		panic(err)
	}
	return &d
}

// items makes values with the ids from to until.
func items(from, until int) []any {
	var values []any
	for i := from; i < until; i++ {
		values = append(values, item{ID: id(i), Name: "n", Price: price("1.50")})
	}
	return values
}

// logged is what was logged since captureLog, as text, errors and all fields
// included.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// captureLog takes the default log's lines until the test ends.
func captureLog(t *testing.T) *logged {
	l := &logged{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

// retryFast shortens the pauses between tries, for tests of many faults.
func retryFast(t *testing.T) {
	before := firstPause
	firstPause = 10 * time.Millisecond
	t.Cleanup(func() { firstPause = before })
}

// dontWait has what comes before a load fail at once where no server is.
func dontWait(t *testing.T) {
	before := prepareBound
	prepareBound = time.Millisecond
	t.Cleanup(func() { prepareBound = before })
}

// waitUntil waits for a condition that must come true soon.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s in vain: %s", what)
		}
	}
}

// inBackground calls f and returns where its result comes.
func inBackground(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// result waits for what inBackground promised.
func result(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(2 * time.Minute):
		t.Fatal("it hangs")
		return nil
	}
}

// wantSound checks the ledger and the table: so many rows, and Verify finds
// nothing.
func wantSound(w *world, table string, rows int64) {
	w.t.Helper()
	if got := one[int64](w, "select count(*) from "+table); got != rows {
		w.t.Errorf("%s has %d rows, want %d", table, got, rows)
	}
	v, err := Verify(context.Background(), w.pool, table, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range v.Findings {
		w.t.Errorf("verify: %s: %s", f.File, f.Problem)
	}
}

// asRole is the URL of the same database for another role.
func asRole(t *testing.T, server, role, password string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

func pointerTo[V any](v *V) unsafe.Pointer { return unsafe.Pointer(v) }
