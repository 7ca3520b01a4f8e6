package postgresio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/transforms/record"
)

// staller stands between the sink and the server. It may stop to forward, and
// acknowledges all the same, and it may have sessions be read-only.
type staller struct {
	url    string
	server string

	mu       sync.Mutex
	thawed   *sync.Cond
	frozen   map[int]bool // connections, by number; negative for what the server says
	all      bool
	readOnly bool
	made     int
	conns    []net.Conn
}

func newStaller(t *testing.T, server string) *staller {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &staller{server: u.Host, frozen: map[int]bool{}}
	s.thawed = sync.NewCond(&s.mu)
	u.Host = l.Addr().String()
	u.RawQuery = "sslmode=disable"
	s.url = u.String()
	var serving sync.WaitGroup
	serving.Go(func() { s.serve(l) })
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		s.all, s.frozen = false, map[int]bool{}
		for _, c := range s.conns {
			c.Close()
		}
		s.thawed.Broadcast()
		s.mu.Unlock()
		serving.Wait()
	})
	return s
}

func (s *staller) serve(l net.Listener) {
	var relays sync.WaitGroup
	defer relays.Wait()
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		address := s.server
		s.mu.Unlock()
		server, err := net.Dial("tcp", address)
		if err != nil {
			client.Close()
			continue
		}
		s.mu.Lock()
		s.made++
		number, readOnly := s.made, s.readOnly
		s.conns = append(s.conns, client, server)
		s.mu.Unlock()
		relays.Go(func() {
			defer server.Close()
			if !readOnly || startReadOnly(client, server) == nil {
				s.copy(server, client, number)
			}
		})
		relays.Go(func() {
			defer client.Close()
			s.copy(client, server, -number)
		})
	}
}

// startReadOnly adds to the startup packet that the session is read-only.
func startReadOnly(client io.Reader, server io.Writer) error {
	head := make([]byte, 4)
	if _, err := io.ReadFull(client, head); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(head)-4)
	if _, err := io.ReadFull(client, body); err != nil {
		return err
	}
	if binary.BigEndian.Uint16(body) == 3 { // no request to cancel
		body = append(body[:len(body)-1], "options\x00-c default_transaction_read_only=on\x00\x00"...)
	}
	binary.BigEndian.PutUint32(head, uint32(len(body)+4))
	_, err := server.Write(append(head, body...))
	return err
}

func (s *staller) copy(to io.Writer, from io.Reader, number int) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		s.mu.Lock()
		for s.all || s.frozen[number] {
			s.thawed.Wait()
		}
		s.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// freezeThese stops all connections that there are; new ones go on.
func (s *staller) freezeThese() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.made {
		s.frozen[n+1], s.frozen[-n-1] = true, true
	}
}

// freezeReplies is the same, for what the server says only.
func (s *staller) freezeReplies() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.made {
		s.frozen[-n-1] = true
	}
}

func (s *staller) freezeAll(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = is
	s.thawed.Broadcast()
}

func (s *staller) setReadOnly(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOnly = is
}

// askFast shortens the times after which a connection is looked at and given up.
func askFast(t *testing.T) {
	before, claim := silence.Load(), claimBound
	silence.Store(&silenceTimes{
		ask: 100 * time.Millisecond, warn: 200 * time.Millisecond, silent: time.Second, unknown: 2 * time.Second, answer: 500 * time.Millisecond, stale: time.Second,
	})
	claimBound = 100 * time.Millisecond
	t.Cleanup(func() {
		silence.Store(before)
		claimBound = claim
	})
}

// stalled is a world whose sink reaches the server through a staller.
func stalled(t *testing.T, ddl ...string) (*world, *staller, Option) {
	t.Helper()
	askFast(t)
	retryFast(t)
	database := pgtest.Database(t)
	w := worldAt(t, database, ddl...)
	s := newStaller(t, database)
	return w, s, WithDatabase(SetURL(t.Name()+" stalled", s.url))
}

func TestFrozenConnectionIsReportedAndReplaced(t *testing.T) {
	w, proxy, through := stalled(t, itemTable)
	log := captureLog(t)
	s := newSink[item](w, "items", through)
	s.load(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	proxy.freezeThese()
	s.load(wholeRange[item](testFile("b.csv"), items(10, 20)...)...)
	wantHistory(w, "b.csv", "loaded 10 10 0 0")
	wantSound(w, "items", 20)
	if !strings.Contains(log.String(), "Waiting for PostgreSQL, which does not answer") {
		t.Errorf("the log does not say what was waited for:\n%s", log)
	}
}

// A statement waits in vain on a proxy that forwards nothing at all: the run ends when
// its retries do, and goes on where the proxy does before.
func TestFrozenServerIsWaitedForNoLongerThanRetriesLast(t *testing.T) {
	w, proxy, through := stalled(t, itemTable)
	s := newSink[item](w, "items", through, WithRetryFor(1500*time.Millisecond))
	s.load(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	proxy.freezeAll(true)
	err := result(t, inBackground(func() error { return s.bundle(wholeRange[item](testFile("b.csv"), items(10, 20)...)...) }))
	if err == nil || !strings.Contains(err.Error(), "gave up after 1.5s") {
		t.Errorf("got %v, want that it gave up", err)
	}
	proxy.freezeAll(false)
	if n := one[int64](w, "select count(*) from items"); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
}

func TestFrozenServerThatThawsIsLoadedInto(t *testing.T) {
	w, proxy, through := stalled(t, itemTable)
	log := captureLog(t)
	s := newSink[item](w, "items", through)
	s.load(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	proxy.freezeAll(true)
	done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("b.csv"), items(10, 20)...)...) })
	waitUntil(t, "a retry", func() bool { return retryLine.MatchString(log.String()) })
	proxy.freezeAll(false)
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantSound(w, "items", 20)
}

// The reply to a COMMIT does not come. It is waited for, until the server says that
// the session has nothing to do, or, behind a pooler, serves somebody else; then the
// ledger tells that it took place.
func TestFrozenCommitIsResolvedByTheLedger(t *testing.T) {
	for _, pooled := range []bool{false, true} {
		t.Run(fmt.Sprint("pooled: ", pooled), func(t *testing.T) {
			askFast(t)
			retryFast(t)
			database := pgtest.Database(t)
			w := worldAt(t, database, itemTable)
			server := database
			if pooled {
				server = pgtest.Pooler(t, database, "transaction", "default_pool_size = 1")
				keepBusy(t, server)
			}
			staller := newStaller(t, server)
			_, through := newProxy(t, staller.url, once(pass, func(kind byte, body string) bool {
				if isCommit(kind, body) && one[bool](w, "select exists (select from pg_locks where relation = 'items'::regclass and mode = 'RowExclusiveLock')") {
					staller.freezeReplies()
					return true
				}
				return false
			}))
			s := newSink[item](w, "items", WithDatabase(SetURL(t.Name()+" stalled", through)))
			if err := result(t, inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 10)...)...) })); err != nil {
				t.Fatal(err)
			}
			wantSound(w, "items", 10)
			if n := one[int64](w, "select count(*) from cartstream.loads"); n != 1 {
				t.Errorf("the ledger has %d loads, want 1", n)
			}
		})
	}
}

// keepBusy is another client of a pooler, which always has something to do.
func keepBusy(t *testing.T, pooled string) {
	t.Helper()
	pool, err := SetURL(t.Name()+" busy", pooled).Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := inBackground(func() error {
		for ctx.Err() == nil {
			err := inTransaction(context.Background(), pool, "being busy", beginWriting, func(tx pgx.Tx) error {
				_, err := tx.Exec(context.Background(), "select pg_sleep(0.02)")
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() {
		stop()
		_ = result(t, ended) // its own connections are not what is tested
		pool.Close()
	})
}

// A statement that takes longer than silence may last is not ended while the server
// works on it.
func TestSlowStatementIsNotEnded(t *testing.T) {
	w, _, through := stalled(t, itemTable, `create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$`,
		"create trigger slow after insert on items for each statement execute function slow()")
	log := captureLog(t)
	newSink[item](w, "items", through, WithRetryFor(time.Second)).load(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	wantSound(w, "items", 10)
	if retryLine.MatchString(log.String()) || !strings.Contains(log.String(), "works on the statement") {
		t.Errorf("the log:\n%s", log)
	}
}

func TestFrozenConnectionDoesNotHoldUpTheLedger(t *testing.T) {
	w, proxy, _ := stalled(t)
	l := Ledger{Run: w.run, Database: SetURL(t.Name()+" stalled", proxy.url), Table: "items"}
	ask := func() error {
		_, err := l.Lookup(context.Background(), []record.File{testFile("a")})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	proxy.freezeThese()
	if err := result(t, inBackground(ask)); err != nil {
		t.Error(err)
	}
	proxy.freezeAll(true)
	l.RetryFor = time.Second
	if err := result(t, inBackground(ask)); err == nil || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("got %v, want that it gave up", err)
	}
}

// Sessions are read-only, as on a server during a failover, and new ones are not.
func TestReadOnlyServerIsRetriedOnNewConnection(t *testing.T) {
	w, proxy, through := stalled(t, itemTable)
	log := captureLog(t)
	proxy.setReadOnly(true)
	s := newSink[item](w, "items", through)
	done := inBackground(func() error { return s.bundle(wholeRange[item](testFile("a.csv"), items(0, 10)...)...) })
	waitUntil(t, "a retry", func() bool { return strings.Contains(log.String(), "read-only transaction") })
	proxy.setReadOnly(false)
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantSound(w, "items", 10)
}

// Of several servers the writable one is used, wherever it stands in the list, and
// questions are answered where there is none.
func TestStandbyListedFirstIsPassedOver(t *testing.T) {
	w, standby, _ := stalled(t, itemTable)
	standby.setReadOnly(true)
	log := captureLog(t)
	first, err := url.Parse(standby.url)
	if err != nil {
		t.Fatal(err)
	}
	both := *first
	primary := newStaller(t, standby.url)
	primary.mu.Lock()
	primary.server = standby.server
	primary.mu.Unlock()
	second, _ := url.Parse(primary.url)
	both.Host += "," + second.Host
	db := SetURL(t.Name()+" both", both.String())
	if err := errors.Join(db.Wait(t.Context()), Migrate(t.Context(), db), Check[item](t.Context(), db, "items")); err != nil {
		t.Fatal(err)
	}
	newSink[item](w, "items", WithDatabase(db)).load(wholeRange[item](testFile("a.csv"), items(0, 10)...)...)
	wantSound(w, "items", 10)
	if retryLine.MatchString(log.String()) {
		t.Errorf("something was tried again:\n%s", log)
	}
	pool, err := SetURL(t.Name()+" standby", standby.url).Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	files, err := History(t.Context(), pool, HistoryFilter{})
	if err != nil || len(files) != 1 {
		t.Errorf("history of a read-only server: %d files, %v", len(files), err)
	}
}
