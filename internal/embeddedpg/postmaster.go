package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	startBound = 60 * time.Second // crash recovery may take long
	stopBound  = 60 * time.Second
	quitBound  = 10 * time.Second
	bindTries  = 5
	logLines   = 10
)

// postmaster is a running server.
type postmaster struct {
	cmd    *exec.Cmd
	exited chan struct{}
	asked  atomic.Bool // its end is wanted
}

// startServer starts the server: the first time on a port it chooses, later on
// the same.
func (c *child) startServer() error {
	if c.server != nil {
		select {
		case <-c.server.exited:
		default:
			return errors.New("PostgreSQL is running already")
		}
	}
	if c.port != 0 {
		return c.startOn(c.port)
	}
	for try := 1; ; try++ {
		port, err := choosePort(c.Port, c.PreferPort)
		if err != nil {
			return err
		}
		err = c.startOn(port)
		if err == nil {
			c.port = port
			return nil
		}
		// Another program may have taken the port since it was chosen.
		if try == bindTries || c.Port != 0 || portFree(port) {
			return err
		}
	}
}

func (c *child) startOn(port int) error {
	lock, err := c.claim.serverLock(c.ctx)
	if err != nil {
		return err
	}
	// Only the server keeps the lock, so that it tells when the last process of
	// the server is gone.
	defer func() { _ = lock.Close() }()
	// Whoever wrote the file is gone, whatever process bears the number now.
	if err := os.Remove(pidFile(c.Dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	log, err := newLog(filepath.Join(c.Dir, logFile))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(filepath.Join(c.binaries, "postgres"), c.arguments(port)...)
	cmd.Env = postgresEnv()
	cmd.Dir = c.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = serverAttributes()
	p := &postmaster{cmd: cmd, exited: make(chan struct{})}
	if err := p.run(); err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	if err := p.ready(c.ctx, c.Dir); err != nil {
		p.stop(syscall.SIGQUIT)
		return fmt.Errorf("PostgreSQL did not start: %w; it says:\n%s", err, lastLines(log.Name()))
	}
	c.server = p
	go c.watch(p)
	return nil
}

// arguments are the server's; it listens on the loopback address only, and on
// no socket file, whose path may be too long.
func (c *child) arguments(port int) []string {
	args := []string{
		"-D", filepath.Join(c.Dir, clusterDir), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=" + host, "-c", "unix_socket_directories=",
	}
	for name, value := range c.Parameters {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// run starts the process. The thread that starts it is kept until it ends:
// the kernel takes the end of that thread for the end of the parent.
func (p *postmaster) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.exited)
		}
	}()
	return <-started
}

// ready waits until the server's pid file says that it takes connections.
func (p *postmaster) ready(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	for {
		lines := pidFileLines(dir)
		if len(lines) > 7 && lines[0] == strconv.Itoa(p.cmd.Process.Pid) && lines[7] == "ready" {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New(p.cmd.ProcessState.String())
		default:
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// stop ends the server with the signal, and more firmly when that takes too
// long: SIGINT rolls back and writes everything, SIGQUIT leaves that to the
// recovery at the next start.
func (p *postmaster) stop(sig syscall.Signal) {
	if sig == syscall.SIGINT && p.signal(sig, stopBound) {
		return
	}
	if !p.signal(syscall.SIGQUIT, quitBound) {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// signal sends sig and reports whether the server ended within the bound.
func (p *postmaster) signal(sig syscall.Signal, bound time.Duration) bool {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.exited:
		return true
	case <-time.After(bound):
		return false
	}
}

// newLog opens the server's log anew and keeps the one before it.
func newLog(path string) (*os.File, error) {
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

func lastLines(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-logLines):], "\n")
}

// watch reports a server that ends without having been asked to.
func (c *child) watch(p *postmaster) {
	<-p.exited
	if !p.asked.Load() {
		c.log(slog.LevelError, "PostgreSQL ended by itself (%s); its log is %s", p.cmd.ProcessState, filepath.Join(c.Dir, logFile))
	}
}
