package embeddedpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a server's folder holds, besides the locks.
const (
	clusterDir = "cluster"      // PostgreSQL's data
	newDir     = "cluster.new"  // data that is being made; half when found
	passFile   = "pgpass"       // as libpq's PGPASSFILE takes it
	logFile    = "postgres.log" // what PostgreSQL says
)

// prepareCluster makes the data where there is none and returns the password.
// It never removes or changes data that is there.
func (c *child) prepareCluster() (string, error) {
	cluster := filepath.Join(c.Dir, clusterDir)
	if err := checkForeign(c.Dir); err != nil {
		return "", err
	}
	_, err := os.Lstat(cluster)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.makeCluster(cluster)
	case err != nil:
		return "", err
	}
	if err := checkMajor(cluster); err != nil {
		return "", err
	}
	return readPassword(filepath.Join(c.Dir, passFile))
}

// checkForeign refuses folders that are not of our making.
func checkForeign(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case clusterDir, newDir, passFile, logFile, logFile + ".1", childLock, serverLock:
		default:
			return fmt.Errorf("the folder %s holds %s, so it is not one of ours; give an empty or a new folder (nothing was changed)", dir, e.Name())
		}
	}
	return nil
}

func checkMajor(cluster string) error {
	text, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if err != nil {
		return fmt.Errorf("%s holds no data of PostgreSQL that can be recognised; give another folder (nothing was changed): %w", cluster, err)
	}
	ours, _, _ := strings.Cut(Version, ".")
	if theirs := strings.TrimSpace(string(text)); theirs != ours {
		return fmt.Errorf("%s holds data of PostgreSQL %s, which PostgreSQL %s can't read: "+
			"move it with pg_dump and pg_restore, or give another folder (nothing was changed)", cluster, theirs, Version)
	}
	return nil
}

// makeCluster makes the data beside its place and renames it, so that what is
// in place is always whole.
func (c *child) makeCluster(cluster string) (string, error) {
	fresh := filepath.Join(c.Dir, newDir)
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	password := rand.Text()
	pass := filepath.Join(c.Dir, passFile)
	line := strings.Join([]string{host, "*", "*", User, password}, ":") + "\n"
	if err := os.WriteFile(pass, []byte(line), 0o600); err != nil {
		return "", err
	}
	if err := c.initdb(fresh, password); err != nil {
		return "", err
	}
	return password, os.Rename(fresh, cluster)
}

func (c *child) initdb(dir, password string) error {
	args := []string{
		"-D", dir, "-U", User, "-A", "scram-sha-256", "--pwfile=/dev/stdin",
		"--encoding=UTF8", "--locale=C", "--no-instructions",
	}
	if c.Programs == "" { // older versions have no such provider
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	}
	if c.Parameters["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(c.ctx, filepath.Join(c.binaries, "initdb"), args...)
	cmd.Env = postgresEnv()
	cmd.Stdin = strings.NewReader(password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making PostgreSQL's data in %s: %w: %s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func readPassword(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the password of the data beside it: %w", err)
	}
	fields := strings.Split(strings.TrimSpace(string(text)), ":")
	if len(fields) != 5 || fields[4] == "" {
		return "", fmt.Errorf("%s holds no line of the form host:port:database:user:password", path)
	}
	return fields[4], nil
}

// ensureDatabase makes our database where a start that was cut off didn't get
// to it.
func ensureDatabase(ctx context.Context, port int, password string) error {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, password),
		Host: host + ":" + strconv.Itoa(port), Path: "postgres", RawQuery: "sslmode=disable",
	}
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return fmt.Errorf("connecting to the server that was just started: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", Name).Scan(&there); err != nil {
		return err
	}
	if there {
		return nil
	}
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{Name}.Sanitize())
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P04" { // duplicate_database
		return nil
	}
	return err
}

// postgresEnv is the environment without what would change PostgreSQL's ways.
func postgresEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || name == "LANG" || name == "LANGUAGE" {
			continue
		}
		env = append(env, e)
	}
	return append(env, "LC_ALL=C")
}
