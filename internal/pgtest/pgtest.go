// Package pgtest gives tests a real PostgreSQL: an empty database for each
// test on one server for each test binary, or a server of the test's own that
// it may stop and kill.
//
// A test binary that uses it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// Where CARTSTREAM_TEST_DATABASE_URL is set, databases are made on the server
// that it names.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/embeddedpg"
)

const (
	urlEnv = "CARTSTREAM_TEST_DATABASE_URL"

	// startBound leaves time for the download of PostgreSQL, once a machine.
	startBound = 5 * time.Minute
	stopBound  = time.Minute
	queryBound = 30 * time.Second
)

// shared is the server of this test binary.
var shared struct {
	once   sync.Once
	server *embeddedpg.Server
	err    error
}

// Main runs the tests, m being a *testing.M or what wraps one, and exits.
func Main(m interface{ Run() int }) {
	embeddedpg.RunChildIfAsked()
	// The race detector has every process wait a second before it exits; the
	// children that watch a server need not.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	code := m.Run()
	if shared.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopBound)
		if err := shared.server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		cancel()
	}
	os.Exit(code)
}

// Database returns the URL of a new and empty database, which is dropped when
// the test ends, whoever is still connected.
func Database(t testing.TB) string {
	t.Helper()
	return database(t, "")
}

// Encoded is Database with an encoding, by PostgreSQL's name. It takes PostgreSQL 15 or
// later.
func Encoded(t testing.TB, encoding string) string {
	t.Helper()
	return database(t, " encoding '"+encoding+"' locale_provider libc lc_collate 'C' lc_ctype 'C'")
}

func database(t testing.TB, options string) string {
	t.Helper()
	server, err := serverURL()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		t.Fatalf("%s must be of the form postgres://user:password@host:port/database", urlEnv)
	}
	name := "test_" + strings.ToLower(rand.Text())
	run(t, server, "create database "+name+" template template0"+options)
	t.Cleanup(func() { run(t, server, "drop database if exists "+name+" with (force)") })
	u.Path = "/" + name
	return u.String()
}

// Owned returns the URL of a new and empty database for its owner, a role with
// no other right, and the one for a superuser. Both end with the test.
func Owned(t testing.TB) (owner, superuser string) {
	t.Helper()
	server, err := serverURL()
	if err != nil {
		t.Fatal(err)
	}
	role := "owner_" + strings.ToLower(rand.Text())
	run(t, server, "create role "+role+" login password 'of-a-test'")
	t.Cleanup(func() { run(t, server, "drop role "+role) })
	superuser = Database(t)
	u, err := url.Parse(superuser)
	if err != nil {
		t.Fatal(err)
	}
	run(t, server, "alter database "+strings.TrimPrefix(u.Path, "/")+" owner to "+role)
	u.User = url.UserPassword(role, "of-a-test")
	return u.String(), superuser
}

// Server returns a server of the test's own, which is stopped when the test
// ends.
func Server(t testing.TB) *embeddedpg.Server {
	t.Helper()
	// What was committed must be there after Kill.
	s, err := start("on")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *embeddedpg.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stopBound)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func serverURL() (string, error) {
	if u := os.Getenv(urlEnv); u != "" {
		return u, nil
	}
	shared.once.Do(func() { shared.server, shared.err = start("off") })
	if shared.err != nil {
		return "", shared.err
	}
	return shared.server.URL(), nil
}

// start starts a temporary server. Nobody needs its data after a crash of the
// machine, so it doesn't wait for the disk.
func start(synchronousCommit string) (*embeddedpg.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	return embeddedpg.Start(ctx, embeddedpg.Options{Parameters: serverParameters(synchronousCommit), Log: warnings()})
}

func serverParameters(synchronousCommit string) map[string]string {
	return map[string]string{
		"fsync": "off", "synchronous_commit": synchronousCommit, "full_page_writes": "off", "max_connections": "100",
	}
}

func warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func run(t testing.TB, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryBound)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
