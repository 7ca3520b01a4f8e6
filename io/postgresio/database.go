package postgresio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Database names a PostgreSQL database. It is what DoFns carry: the connection
// string itself, with its password, is never serialised into a job.
//
// A process learns the connection string of a name by SetURL; for a name
// without one, as in a worker that a cluster started, the environment counts:
// DATABASE_URL, the file that DATABASE_URL_FILE names, or the PG* variables.
type Database struct {
	Name string
	// Ledger, unless empty, is the id of the ledger that the database must have
	// (LedgerID): a worker whose environment names another one must not load into it.
	Ledger string
}

var urls sync.Map // name to connection string

// SetURL sets the connection string of a name in this process: a
// postgres:// URL or key=value pairs, or empty for the environment's.
func SetURL(name, url string) Database {
	urls.Store(name, url)
	return Database{Name: name}
}

// errBadURL carries no detail, because the parser's may hold the password.
var errBadURL = errors.New("the connection string (DATABASE_URL, PG* or postgres.url) is not valid; " +
	"it must look like postgres://user:password@host:5432/database?sslmode=verify-full, or be key=value pairs")

// badURL is errBadURL, with the file that could not be read where that is all
// that was wrong: a certificate or a key.
func badURL(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return fmt.Errorf("the connection string (DATABASE_URL, PG* or postgres.url) names a file that can't be read: %w", file)
	}
	return errBadURL
}

// Open returns a pool of at most maxConns connections. It does not connect.
// Nothing is prepared by name on them, and what is done on them goes by beginTx, so
// that it works behind a pooler.
func (d Database) Open(ctx context.Context, maxConns int32) (*pgxpool.Pool, error) {
	url, err := d.url()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, badURL(err)
	}
	config.MaxConns = maxConns
	config.MinConns = 0
	config.PingTimeout = probeBound
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	setStartup(c)
	if c.ValidateConnect == nil {
		c.ValidateConnect = preferWritable
	}
	w := &watcher{config: c}
	c.DialFunc = dialer(w)
	var server sameServer
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := connected(ctx, conn); err != nil {
			return explainSession(err)
		}
		server.add(conn)
		return d.checkLedger(ctx, conn)
	}
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) { return server.has(conn), nil }
	return pgxpool.NewWithConfig(ctx, config)
}

const ledgerIDSQL = "select id::text from cartstream.ledger_id"

// LedgerID returns the id of the ledger in the database.
func LedgerID(ctx context.Context, d Database) (id string, err error) {
	pool, err := d.Open(ctx, 1)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	err = inTransaction(ctx, pool, "reading the ledger's id", beginWriting, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, ledgerIDSQL).Scan(&id)
	})
	return id, SafeError(err)
}

// checkLedger refuses another database than the one that was meant.
func (d Database) checkLedger(ctx context.Context, conn *pgx.Conn) error {
	if d.Ledger == "" {
		return nil
	}
	var id string
	err := conn.QueryRow(ctx, ledgerIDSQL).Scan(&id)
	var pg *pgconn.PgError
	missing := errors.As(err, &pg) && pg.Code == "42P01"
	if err != nil && !missing {
		return err
	}
	if id != d.Ledger {
		return fmt.Errorf("the environment of this worker names another database than the command has prepared: %s; "+
			"set DATABASE_URL, DATABASE_URL_FILE or the PG* variables of the workers", describe(conn.Config()))
	}
	return nil
}

// url is the connection string; empty leaves it to the PG* variables.
func (d Database) url() (string, error) {
	if v, ok := urls.Load(d.Name); ok && v.(string) != "" {
		return v.(string), nil
	}
	url, file := os.Getenv("DATABASE_URL"), os.Getenv("DATABASE_URL_FILE")
	if url == "" && file == "" && d.Ledger != "" && os.Getenv("PGHOST")+os.Getenv("PGSERVICE")+os.Getenv("PGDATABASE") == "" {
		return "", errors.New("this worker knows no database: set DATABASE_URL, DATABASE_URL_FILE or the PG* variables where the workers run, not only where the command does")
	}
	if url != "" || file == "" {
		return url, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("the connection string (DATABASE_URL_FILE): %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// Explain adds to the error of a connection, where nobody has named the database, what
// names it; every other error it returns as it is, without secrets.
func (d Database) Explain(err error) error {
	if isOutOfReach(err) && d.isUnnamed() {
		return fmt.Errorf("no database is named: set DATABASE_URL or the PG* variables, or postgres.url of the settings (%w)", SafeError(err))
	}
	return SafeError(err)
}

// isUnnamed reports whether the connection goes by nothing but libpq's defaults.
func (d Database) isUnnamed() bool {
	url, err := d.url()
	return err == nil && url == "" && os.Getenv("PGHOST")+os.Getenv("PGSERVICE")+os.Getenv("PGDATABASE") == ""
}

// The waiting of Wait: how often, and how long between, PostgreSQL is tried.
const (
	waitTries = 30
	waitPause = 2 * time.Second
)

// Wait waits until the database answers: 30 tries, 2 s apart, each logged. It
// returns at once what no waiting will mend, such as a wrong password, and where
// nobody has named a database.
func (d Database) Wait(ctx context.Context) error {
	pool, err := d.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	where := describe(pool.Config().ConnConfig)
	for try := 1; ; try++ {
		err = inTransaction(ctx, pool, "connecting", beginWriting, func(pgx.Tx) error { return nil })
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isOutOfReach(err) && d.isUnnamed():
			return d.Explain(err)
		case !isTransient(err):
			return fmt.Errorf("can't use %s: %w", where, SafeError(err))
		case try == waitTries:
			return fmt.Errorf("there is no PostgreSQL at %s: gave up after %d tries, %s apart: %w; "+
				"set DATABASE_URL or the PG* variables, or start the server", where, waitTries, waitPause, SafeError(err))
		}
		slog.WarnContext(ctx, fmt.Sprintf("Waiting for PostgreSQL at %s (try %d of %d)", where, try, waitTries), "error", SafeError(err))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(waitPause):
		}
	}
}

// describe names the server without any secret. A database that is not named is
// that of the user's name.
func describe(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s, database %s, user %s",
		net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), cmp.Or(c.Database, c.User), c.User)
}
