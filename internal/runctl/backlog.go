package runctl

import "sync"

// Backlog is what is known to be there and is not loaded yet: files that were
// handed on and files that wait. Bytes are those still to be read.
type Backlog struct {
	Files, Bytes int64
	// Oldest is when the oldest of them was modified, in microseconds since
	// 1970-01-01 UTC; 0 without a file.
	Oldest int64
}

// backlog is kept by the watcher, which counts anew at each look, and by the
// sink, which takes off what is loaded in between.
type backlog struct {
	mu    sync.Mutex
	now   Backlog
	bytes int64
}

// SetBacklog is for the watcher: what a look has found.
func (c *Control) SetBacklog(b Backlog) {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	c.backlog.now = b
}

// AddBacklog is for the watcher: what it has found since the latest look.
func (c *Control) AddBacklog(b Backlog) {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	now := &c.backlog.now
	now.Files, now.Bytes = now.Files+b.Files, now.Bytes+b.Bytes
	if now.Oldest == 0 || b.Oldest != 0 && b.Oldest < now.Oldest {
		now.Oldest = b.Oldest
	}
}

// Off takes files and bytes off the backlog that turned out to be loaded
// before.
func (c *Control) Off(files, bytes int64) {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	c.backlog.off(files, bytes)
}

// Loaded is for the sink: it takes files and bytes off the backlog that the
// run has loaded now.
func (c *Control) Loaded(files, bytes int64) {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	c.backlog.off(files, bytes)
	c.backlog.bytes += bytes
}

func (b *backlog) off(files, bytes int64) {
	b.now.Files = max(0, b.now.Files-files)
	b.now.Bytes = max(0, b.now.Bytes-bytes)
	if b.now.Files == 0 {
		b.now.Bytes, b.now.Oldest = 0, 0
	}
}

// Backlog returns the backlog, and how many bytes the run has loaded.
func (c *Control) Backlog() (b Backlog, loaded int64) {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	return c.backlog.now, c.backlog.bytes
}
