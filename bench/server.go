package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/embeddedpg"
)

// embedded as --pg-bin is the PostgreSQL that the project brings.
const embedded = "embedded"

// server is the PostgreSQL of this run.
type server struct {
	*embeddedpg.Server
	version string
	psql    string // "" where there is none
	admin   *pgx.Conn
	made    int // databases so far
}

// database is one of the server's, with the tables of the product's migration.
type database struct {
	name string
	url  string
	env  []string // by which libpq and pgx find it
}

// startServer starts a server with the default postgresql.conf, and makes there
// the database that all others are copied from.
func (b *bench) startServer(ctx context.Context) (*server, error) {
	programs, err := findPrograms(ctx, b.pgBin)
	if err != nil {
		return nil, err
	}
	b.say("Starting PostgreSQL (%s)", programs)
	o := embeddedpg.Options{Log: slog.New(slog.NewTextHandler(b.stderr, nil))}
	if programs != embedded {
		o.Programs = programs
	}
	running, err := embeddedpg.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &server{Server: running, psql: findPsql(programs)}
	if err := s.prepare(ctx, b.program, b.dir); err != nil {
		_ = s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) prepare(ctx context.Context, program, dir string) (err error) {
	if s.admin, err = pgx.Connect(ctx, s.database("postgres").url); err != nil {
		return err
	}
	if err := s.admin.QueryRow(ctx, "select split_part(current_setting('server_version'), ' ', 1)").Scan(&s.version); err != nil {
		return err
	}
	migrate := command{path: program, args: []string{"migrate", "--quiet"}, env: s.database(embeddedpg.Name).env, dir: dir}
	_, err = migrate.run(ctx)
	return err
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopBound)
	defer cancel()
	return s.Stop(ctx)
}

func (s *server) database(name string) database {
	u, _ := url.Parse(s.URL()) // of the package's own making
	password, _ := u.User.Password()
	u.Path = name
	return database{name: name, url: u.String(), env: []string{
		"PGHOST=" + u.Hostname(), "PGPORT=" + u.Port(), "PGUSER=" + u.User.Username(), "PGPASSWORD=" + password,
		"PGDATABASE=" + name, "PGSSLMODE=disable",
	}}
}

// fresh makes a database as the migration leaves it.
func (s *server) fresh(ctx context.Context) (database, error) {
	s.made++
	d := s.database("bench_" + strconv.Itoa(s.made))
	_, err := s.admin.Exec(ctx, "create database "+d.name+" template "+embeddedpg.Name)
	return d, err
}

// drop removes a database, with the files that it takes.
func (s *server) drop(ctx context.Context, d database) error {
	_, err := s.admin.Exec(ctx, "drop database "+d.name+" with (force)")
	return err
}

// checkpoint has the server write what it owes, so that nobody pays for another.
func (s *server) checkpoint(ctx context.Context) error {
	_, err := s.admin.Exec(ctx, "checkpoint")
	return err
}

// ask runs a query that gives one value.
func ask[T any](ctx context.Context, d database, query string, args ...any) (value T, err error) {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return value, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = conn.QueryRow(ctx, query, args...).Scan(&value)
	return value, err
}

// findPrograms returns the folder of the PostgreSQL to measure with.
func findPrograms(ctx context.Context, wanted string) (string, error) {
	switch {
	case wanted == embedded:
		return embedded, nil
	case wanted != "":
		if !isPrograms(wanted) {
			return "", fmt.Errorf("--pg-bin: %s holds no initdb and postgres", wanted)
		}
		return filepath.Abs(wanted)
	}
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // as Debian has them
	slices.SortFunc(candidates, func(a, b string) int { return major(b) - major(a) })
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	for _, dir := range candidates {
		if isPrograms(dir) {
			return dir, nil
		}
	}
	return embedded, nil
}

// major is the version in the path of a folder of programs.
func major(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func isPrograms(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// findPsql prefers the one beside the server.
func findPsql(programs string) string {
	beside := filepath.Join(programs, "psql")
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	path, _ := exec.LookPath("psql")
	return path
}
