package postgresio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cartstream/cartstream/internal/runctl"
)

// runPool is the connections of one run to one database, for those who load and
// for those who ask the ledger: what one of them is told must hold for the other.
//
// The pool has no bound of its own, or who has a connection could wait for one who
// can't get any. Each writer has one at a time, questions to the ledger have one
// between them, and so has the lease.
type runPool struct {
	*pgxpool.Pool
	key       poolKey
	questions chan struct{} // holds a token while one is asked
	users     int           // who will release it
	kept      bool          // until the run is forgotten
}

type poolKey struct {
	run      string
	database Database
}

// manyConns is more than all users of a pool take.
const manyConns = 10_000

// runPools are those of this process.
var runPools = struct {
	sync.Mutex
	m map[poolKey]*runPool
}{m: map[poolKey]*runPool{}}

// How long the connections are used.
type use bool

const (
	untilReleased use = false
	keep          use = true // until the run is forgotten
)

// poolOf returns the run's connections to a database. They are closed when the last
// user has released them, or when the run is forgotten.
func poolOf(run string, d Database, u use) (*runPool, error) {
	control := runctl.Of(run)
	p, opened, err := findPool(control, poolKey{run, d}, u)
	if opened {
		control.AtForget(p.close)
	}
	return p, err
}

func findPool(control *runctl.Control, key poolKey, u use) (p *runPool, opened bool, err error) {
	runPools.Lock()
	defer runPools.Unlock()
	if p = runPools.m[key]; p == nil {
		pool, err := key.database.Open(control.Context(), manyConns)
		if err != nil {
			return nil, false, err
		}
		p, opened = &runPool{Pool: pool, key: key, questions: make(chan struct{}, 1)}, true
		runPools.m[key] = p
	}
	if u == keep {
		p.kept = true
	} else {
		p.users++
	}
	return p, opened, nil
}

// release gives the connections back.
func (p *runPool) release() {
	runPools.Lock()
	p.users--
	last := p.users == 0 && !p.kept
	runPools.Unlock()
	if last {
		p.close()
	}
}

func (p *runPool) close() {
	runPools.Lock()
	if runPools.m[p.key] == p {
		delete(runPools.m, p.key)
	}
	runPools.Unlock()
	p.Close()
}

// question has do ask, one at a time.
func (p *runPool) question(ctx context.Context, what string, do func(conn *pgx.Conn) error) error {
	select {
	case p.questions <- struct{}{}:
		defer func() { <-p.questions }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	conn, err := acquire(ctx, p.Pool, what)
	if err != nil {
		return err
	}
	defer conn.Release()
	return do(conn.Conn())
}

// sameServer keeps the connections of a pool to one server. Of several that a
// connection string names, the one that was connected to last counts.
type sameServer struct{ address atomic.Value }

func (s *sameServer) add(conn *pgx.Conn) {
	if w := watchedOf(conn); w != nil {
		s.address.Store(w.address)
	}
}

func (s *sameServer) has(conn *pgx.Conn) bool {
	w := watchedOf(conn)
	return w == nil || w.address == s.address.Load()
}
