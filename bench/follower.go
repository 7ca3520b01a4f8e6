package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// follower is a `cartstream run` that watches a folder, and a connection that looks
// into its table.
type follower struct {
	dir    string
	cmd    *exec.Cmd
	stderr *os.File
	ended  chan struct{}
	conn   *pgx.Conn
	cancel context.CancelFunc
}

const (
	lookEvery = 500 * time.Microsecond // how exactly a row's appearance is seen
	rowBound  = 2 * time.Minute
)

// follow starts a run on a folder.
func (b *bench) follow(ctx context.Context, dir string, d database, settings ...string) (*follower, error) {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return nil, err
	}
	stderr, err := os.CreateTemp(b.dir, "run-*.log")
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, b.program, "run", "--quiet", "--input", filepath.Join(dir, "*"))
	cmd.Dir, cmd.Env, cmd.Stderr = b.dir, append(append(neutralEnv(), d.env...), settings...), stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopBound
	f := &follower{dir: dir, cmd: cmd, stderr: stderr, ended: make(chan struct{}), conn: conn, cancel: cancel}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, errors.Join(err, stderr.Close(), conn.Close(ctx))
	}
	go func() {
		_ = cmd.Wait() // stop looks at the state
		close(f.ended)
	}()
	return f, nil
}

// stop has the run drain.
func (f *follower) stop() error {
	f.cancel()
	<-f.ended
	err := errors.Join(f.stderr.Close(), f.conn.Close(context.Background()))
	if !f.cmd.ProcessState.Success() {
		err = errors.Join(err, fmt.Errorf("%s: %s", f.cmd.ProcessState, f.said()))
	}
	return err
}

func (f *follower) said() string {
	text, _ := os.ReadFile(f.stderr.Name())
	return said(text)
}

// put renames a file of one event into a folder, and returns the event's key.
func put(dir string) (uuid.UUID, error) {
	key := uuid.New()
	hidden, path := filepath.Join(dir, "."+key.String()), filepath.Join(dir, key.String()+".csv")
	line := key.String() + ",USER_000001,PROD_000001,Desk Lamp,Home & Garden,view,," + since[:10] + " 10:00:00\n"
	if err := os.WriteFile(hidden, []byte(header+line), 0o644); err != nil {
		return key, err
	}
	return key, os.Rename(hidden, path)
}

// visible waits for the row of a key and returns how long that took.
func (f *follower) visible(ctx context.Context, key uuid.UUID) (time.Duration, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, rowBound, fmt.Errorf("no row came within %s", rowBound))
	defer cancel()
	for {
		var there bool
		if err := f.conn.QueryRow(ctx, "select exists (select from user_events where event_id = $1)", key).Scan(&there); err != nil {
			return 0, errors.Join(err, context.Cause(ctx))
		}
		if there {
			return time.Since(begin), nil
		}
		select {
		case <-f.ended:
			return 0, fmt.Errorf("the run ended: %s", f.said())
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// ready puts a file and waits for its row: the run has looked at all that is there.
func (f *follower) ready(ctx context.Context) error {
	key, err := put(f.dir)
	if err != nil {
		return err
	}
	_, err = f.visible(ctx, key)
	return err
}

// cpu is what the run has used so far, in user and system, to a hundredth of a
// second (proc(5), /proc/PID/stat).
func (f *follower) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.cmd.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, skipped("this system has no /proc/PID/stat")
	}
	if err != nil {
		return 0, err
	}
	return parseStat(string(text))
}

func parseStat(text string) (time.Duration, error) {
	const ticksPerSecond = 100 // for programs, whatever the kernel's own is
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat has fewer fields than it should")
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(errUser, errSystem)
}
