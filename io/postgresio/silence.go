package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silenceTimes are how long nothing may come or go over a connection that is waited for.
type silenceTimes struct {
	// ask is when the server is asked, over another connection, what the
	// matter is, and how often.
	ask time.Duration
	// warn is when the log says what is waited for; then after twice that time,
	// and so on.
	warn time.Duration
	// silent is when a connection is given up of which the server does not say
	// that it is at work for it.
	silent time.Duration
	// unknown is the same where the server answers and can't tell.
	unknown time.Duration
	// answer is how long the server may take to say so.
	answer time.Duration
	// stale is how long a session of ours must have made no progress before it
	// is ended.
	stale time.Duration
}

// silence holds the times in force. Tests shorten them, while connections of earlier tests
// still close.
var silence atomic.Pointer[silenceTimes]

func init() {
	silence.Store(&silenceTimes{
		ask: 5 * time.Second, warn: 10 * time.Second, silent: time.Minute, unknown: 5 * time.Minute, answer: 5 * time.Second, stale: time.Minute,
	})
}

// errSilent ends what waits on a connection that is given up. It may be tried again.
var errSilent = errors.New("the connection was given up, because nothing came over it")

// watchedConn is a connection that notices when it is waited for in vain: a server
// or a proxy may hang and acknowledge all the same.
type watchedConn struct {
	net.Conn
	watcher *watcher
	address string

	mu      sync.Mutex
	waiting int         // reads and writes under way
	timer   *time.Timer // fires when nothing has moved for a while
	moved   time.Time   // when something last came or went
	alive   time.Time   // when the server last said that it is at work for it
	warned  time.Duration
	failure error // why it was given up
	what    string
	giveUp  time.Time // when retries end, zero for never
	// pid is the process that serves it, 0 where that is not known; behind a pooler
	// only while the transaction lasts that began then.
	pid        uint32
	began      string
	pooled     bool
	committing bool
}

// Read implements net.Conn.
func (c *watchedConn) Read(p []byte) (int, error) {
	c.begin()
	n, err := c.Conn.Read(p)
	return n, c.end(n, err)
}

// Write implements net.Conn.
func (c *watchedConn) Write(p []byte) (int, error) {
	c.begin()
	n, err := c.Conn.Write(p)
	return n, c.end(n, err)
}

// Close implements net.Conn.
func (c *watchedConn) Close() error {
	c.mu.Lock()
	c.timer.Stop()
	c.mu.Unlock()
	return c.Conn.Close()
}

func (c *watchedConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting++; c.waiting == 1 {
		c.moved, c.alive, c.warned = time.Now(), time.Time{}, 0
		c.timer.Reset(c.pause())
	}
}

func (c *watchedConn) end(n int, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.moved, c.warned = time.Now(), 0
	}
	if c.waiting--; c.waiting == 0 {
		c.timer.Stop()
	}
	if err != nil && c.failure != nil {
		return c.failure
	}
	return err
}

// use names what the connection is used for, and when retries of it end.
func (c *watchedConn) use(what string, giveUp time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.what, c.giveUp = what, giveUp
	if c.pooled {
		c.pid, c.began = 0, ""
	}
}

func (c *watchedConn) setServer(pid uint32, pooled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid, c.pooled = pid, pooled; pooled {
		c.pid = 0
	}
}

func (c *watchedConn) setTransaction(pid uint32, began string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid, c.began = pid, began
}

// isPooled tells that there is a pooler in between.
func (c *watchedConn) isPooled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pooled
}

func (c *watchedConn) setCommitting(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committing = is
}

// pause is how long to wait until the next look. The lock is held.
func (c *watchedConn) pause() time.Duration {
	d := silence.Load().ask
	if !c.giveUp.IsZero() {
		d = min(d, max(time.Until(c.giveUp), d/10))
	}
	return d
}

// check looks at a connection that is waited for, says so, and gives it up when
// it must be.
func (c *watchedConn) check() {
	c.mu.Lock()
	since, pid, began := c.moved, c.pid, c.began
	quiet := time.Since(since)
	if c.waiting == 0 {
		c.mu.Unlock()
		return
	}
	if pause := c.pause(); quiet < pause {
		c.timer.Reset(pause - quiet)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	v := c.watcher.look(c.address, pid, began)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == 0 {
		return
	}
	if c.moved.Equal(since) && c.pid == pid {
		c.judge(v)
	}
	if c.failure != nil {
		_ = c.Conn.Close() // what waits fails with that
		return
	}
	c.timer.Reset(c.pause())
}

// judge warns, and sets failure when the connection is to be given up. The lock is
// held.
func (c *watchedConn) judge(v view) {
	now := time.Now()
	if v.busy {
		c.alive = now
	}
	last := c.moved
	if c.alive.After(last) {
		last = c.alive
	}
	quiet := now.Sub(c.moved)
	times := silence.Load()
	due := max(times.warn, 2*c.warned)
	if len(v.blockers) > 0 {
		due = max(times.ask, 2*c.warned)
	}
	if quiet >= due {
		c.warned = quiet
		c.warn(v, quiet)
	}
	bound := times.silent
	if v.answered && !v.known {
		bound = times.unknown
	}
	switch over := now.Sub(last) >= bound; {
	case v.busy:
	case !c.giveUp.IsZero() && now.After(c.giveUp):
		c.failure = fmt.Errorf("%w (for %s)", errSilent, quiet.Round(time.Second/10))
	case over && (!c.committing || v.known):
		c.failure = fmt.Errorf("%w for %s; %s", errSilent, quiet.Round(time.Second), v)
	}
}

func (c *watchedConn) warn(v view, quiet time.Duration) {
	what := c.what
	if c.committing {
		what += ": COMMIT"
	}
	fields := []any{"what", what, "for", quiet.Round(time.Second).String(), "server", v.String()}
	switch {
	case len(v.blockers) > 0:
		for _, b := range v.blockers {
			slog.Warn("Waiting for another session of PostgreSQL, which holds a lock", append(fields, b.fields()...)...)
		}
	case v.busy:
		slog.Info("Waiting for PostgreSQL, which works on the statement", fields...)
	default:
		slog.Warn("Waiting for PostgreSQL, which does not answer", fields...)
	}
}

// giveUpKey, in a context, is when retries end.
type giveUpKey struct{}

func givenUpAt(ctx context.Context) time.Time {
	t, _ := ctx.Value(giveUpKey{}).(time.Time)
	return t
}

// untilGivenUp ends a connection attempt with the retries; an attempt has some time
// even when they are over.
func untilGivenUp(ctx context.Context) (context.Context, context.CancelFunc) {
	at := givenUpAt(ctx)
	if at.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, at.Add(time.Second))
}
