package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// pollInterval is how often a lock or a state file is looked at again.
const pollInterval = 20 * time.Millisecond

// errLocked says that another process holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock opens path and takes its lock, which the kernel releases when every
// process that inherited the file has ended.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// waitLock tries to take the lock until wait returns false or ctx ends.
func waitLock(ctx context.Context, path string, wait func(waited time.Duration) bool) (*os.File, error) {
	start := time.Now()
	for {
		f, err := tryLock(path)
		if !errors.Is(err, errLocked) || !wait(time.Since(start)) {
			return f, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pollInterval):
		return nil
	}
}
