package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	childLock  = "child.lock"  // held by the child
	serverLock = "server.lock" // held by every process of PostgreSQL

	stateRunning  = "running"
	stateStopping = "stopping"

	// A child needs a moment to see that its parent is gone, and then some time
	// to stop a server that has much to write.
	claimGrace    = time.Second
	stoppingGrace = time.Minute
	orphanGrace   = 30 * time.Second
)

// claim is the right to run a server in a folder. PostgreSQL's own pid file
// can't tell a server from an unrelated process that was given its number
// later; a lock that PostgreSQL inherits can.
type claim struct {
	dir  string
	file *os.File
}

// claimDir takes dir for this child; another child there is an error.
func claimDir(ctx context.Context, dir string) (*claim, error) {
	path := filepath.Join(dir, childLock)
	f, err := waitLock(ctx, path, func(waited time.Duration) bool {
		return waited < claimGrace || waited < stoppingGrace && readState(path) == stateStopping
	})
	if errors.Is(err, errLocked) {
		return nil, inUse(dir)
	}
	if err != nil {
		return nil, err
	}
	c := &claim{dir: dir, file: f}
	c.say(stateRunning)
	return c, nil
}

// serverLock takes the lock that PostgreSQL's processes inherit. A server that
// holds it has no child above it, as when parent and child were both killed,
// and is stopped.
func (c *claim) serverLock(ctx context.Context) (*os.File, error) {
	asked := false
	f, err := waitLock(ctx, filepath.Join(c.dir, serverLock), func(waited time.Duration) bool {
		if pid, _ := readPidFile(c.dir); pid > 0 && !asked {
			asked = true
			_ = syscall.Kill(pid, syscall.SIGINT)
		}
		return waited < orphanGrace
	})
	if errors.Is(err, errLocked) {
		return nil, inUse(c.dir)
	}
	return f, err
}

func (c *claim) say(state string) {
	_ = c.file.Truncate(0)
	_, _ = c.file.WriteAt([]byte(state), 0)
}

func (c *claim) release() { _ = c.file.Close() }

func readState(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

func inUse(dir string) error {
	pid, port := readPidFile(dir)
	if pid == 0 {
		return fmt.Errorf("the folder %s is in use by another start of PostgreSQL: wait for that, or give another folder", dir)
	}
	return fmt.Errorf("the folder %s is in use: PostgreSQL runs there as process %d on port %d; stop the program that started it, or give another folder",
		dir, pid, port)
}

// readPidFile returns the process and the port of the server that wrote the
// file last, 0 for what it doesn't tell.
func readPidFile(dir string) (pid, port int) {
	lines := pidFileLines(dir)
	if len(lines) > 0 {
		pid, _ = strconv.Atoi(lines[0])
	}
	if len(lines) > 3 {
		port, _ = strconv.Atoi(lines[3])
	}
	return pid, port
}

// pidFileLines returns the lines of postmaster.pid: process, folder, start
// time, port, socket folder, address, shared memory, state.
func pidFileLines(dir string) []string {
	text, err := os.ReadFile(pidFile(dir))
	if err != nil {
		return nil
	}
	lines := strings.Split(string(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

func pidFile(dir string) string { return filepath.Join(dir, clusterDir, "postmaster.pid") }
