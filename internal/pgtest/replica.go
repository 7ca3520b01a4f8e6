package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/embeddedpg"
)

// Pair is a primary and a standby that receives the primary's WAL by streaming
// replication. All servers of a pair stop when the test ends.
type Pair struct {
	t testing.TB
	// Primary takes the writes, Standby follows; it is nil after Promote.
	Primary, Standby *embeddedpg.Server
	// stream is the way from the primary to the standby.
	stream *Gateway
}

// NewPair starts a primary and its standby.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	p := &Pair{t: t}
	p.Primary = p.start("", nil)
	p.Follow()
	return p
}

// Lag cuts the standby off: what the primary commits from now on is lost when
// the standby is promoted. A standby that only applies its WAL late
// (recovery_min_apply_delay) applies all of it when it is promoted.
func (p *Pair) Lag() { p.stream.Freeze() }

// CatchUp waits until the standby has all that the primary has committed.
func (p *Pair) CatchUp() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryBound)
	defer cancel()
	if err := p.catchUp(ctx); err != nil {
		p.t.Fatalf("waiting until the standby has what the primary has: %v", err)
	}
}

func (p *Pair) catchUp(ctx context.Context) error {
	primary, err := pgx.Connect(ctx, p.Primary.URL())
	if err != nil {
		return err
	}
	defer func() { _ = primary.Close(ctx) }()
	standby, err := pgx.Connect(ctx, p.Standby.URL())
	if err != nil {
		return err
	}
	defer func() { _ = standby.Close(ctx) }()
	var position string
	if err := primary.QueryRow(ctx, "select pg_current_wal_insert_lsn()::text").Scan(&position); err != nil {
		return err
	}
	// A commit has the server write, and send, all records up to there.
	if _, err := primary.Exec(ctx, "select pg_logical_emit_message(true, 'position', '')"); err != nil {
		return err
	}
	// One statement that waits would hold up, by its snapshot, what it waits for.
	for there := false; !there; time.Sleep(5 * time.Millisecond) {
		if err := standby.QueryRow(ctx, "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position).Scan(&there); err != nil {
			return err
		}
	}
	return nil
}

// Promote makes the standby the primary, and returns the former one, which
// still runs and takes writes.
func (p *Pair) Promote() (former *embeddedpg.Server) {
	p.t.Helper()
	run(p.t, p.Standby.URL(), `do $$ begin
		if not pg_promote(true, 60) then raise exception 'the standby was not promoted within 60 s'; end if;
	end $$`)
	former, p.Primary, p.Standby = p.Primary, p.Standby, nil
	return former
}

// Discard ends a server of the pair that is not needed any more, as a crash
// would, and removes its data.
func (p *Pair) Discard(s *embeddedpg.Server) {
	p.t.Helper()
	_ = s.Kill() // it may be down already
	stop(p.t, s)
	if err := os.RemoveAll(s.Dir); err != nil {
		p.t.Fatal(err)
	}
}

// Follow starts a new standby from a base backup of the primary.
func (p *Pair) Follow() {
	p.t.Helper()
	p.stream = NewGateway(p.t, p.Primary.URL())
	dir, err := os.MkdirTemp(filepath.Dir(p.Primary.Dir), "cartstream-standby-")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = os.RemoveAll(dir) }) // after the server has stopped
	if err := baseBackup(p.Primary, dir); err != nil {
		p.t.Fatalf("a base backup of the primary: %v", err)
	}
	host, port, _ := strings.Cut(p.stream.Addr(), ":")
	p.Standby = p.start(dir, map[string]string{
		"primary_conninfo": fmt.Sprintf("host=%s port=%s user=%s passfile='%s'", host, port, embeddedpg.User, filepath.Join(dir, passFile)),
	})
}

// start starts a server of the pair, in a temporary folder unless dir says
// otherwise.
func (p *Pair) start(dir string, parameters map[string]string) *embeddedpg.Server {
	p.t.Helper()
	all := serverParameters("on")
	all["wal_keep_size"] = "1GB"                // no standby is so far behind
	all["wal_retrieve_retry_interval"] = "50ms" // tests do not wait 5 s for the stream to begin
	for name, value := range parameters {
		all[name] = value
	}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	s, err := embeddedpg.Start(ctx, embeddedpg.Options{Dir: dir, Parameters: all, Log: warnings()})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { stop(p.t, s) })
	return s
}

// Names in a server's folder, as embeddedpg has them.
const (
	clusterDir = "cluster"
	passFile   = "pgpass"
)

// baseBackup copies a running server's folder by PostgreSQL's low-level backup
// functions, which need no program that embeddedpg does not bring.
func baseBackup(server *embeddedpg.Server, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.URL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "select pg_backup_start('standby', fast => true)"); err != nil {
		return err
	}
	to := filepath.Join(dir, clusterDir)
	if err := copyCluster(filepath.Join(server.Dir, clusterDir), to); err != nil {
		return err
	}
	var label string
	if err := conn.QueryRow(ctx, "select labelfile from pg_backup_stop(wait_for_archive => false)").Scan(&label); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(to, "backup_label"), []byte(label), 0o600),
		os.WriteFile(filepath.Join(to, "standby.signal"), nil, 0o600),
		copyFile(filepath.Join(server.Dir, passFile), filepath.Join(dir, passFile)),
		ownAs(server.Dir, dir),
	)
}

// emptied are folders whose files a base backup leaves out: they are the
// primary's own, or come by replication.
var emptied = map[string]bool{
	"pg_wal": true, "pg_replslot": true, "pg_dynshmem": true, "pg_notify": true,
	"pg_serial": true, "pg_snapshots": true, "pg_stat_tmp": true, "pg_subtrans": true,
}

// copyCluster copies PostgreSQL's data. Files come and go meanwhile.
func copyCluster(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch top, inside, _ := strings.Cut(name, string(filepath.Separator)); {
		case emptied[top] && inside != "" && entry.IsDir():
			return fs.SkipDir
		case emptied[top] && inside != "", name == "postmaster.pid", name == "postmaster.opts":
			return nil
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o700)
		}
		if err := copyFile(path, filepath.Join(to, name)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// ownAs gives dir and all in it to the owner of another folder: a test that
// root runs makes files that the server's user must own.
func ownAs(other, dir string) error {
	info, err := os.Stat(other)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
