package embeddedpg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// hooked tells that RunChildIfAsked was called. Without it the child would be
// this program once more, which would start a child, and so on.
var hooked atomic.Bool

var errNotHooked = errors.New("embeddedpg: RunChildIfAsked must be called first in main (tests: pgtest.Main in TestMain)")

// RunChildIfAsked is called first in main. It returns at once, but in the
// process that Start made, where it runs the database and then exits.
func RunChildIfAsked() {
	hooked.Store(true)
	if os.Getenv(childEnv) == "" {
		return
	}
	_ = os.Unsetenv(childEnv)
	if err := runChild(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// child watches one server for its parent.
type child struct {
	setup
	ctx      context.Context // ends with the parent
	mu       sync.Mutex      // of replies
	replies  *json.Encoder
	binaries string
	password string
	port     int
	claim    *claim
	server   *postmaster // nil while it is down
}

// runChild does what the parent says until the parent's pipe closes.
func runChild(stdin io.Reader, stdout io.Writer) error {
	// Handled, not ignored: PostgreSQL's programs would inherit that. The pipe's
	// end is what ends this process; writing to a parent that is gone must not.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	syscall.Umask(0o022)

	dec := json.NewDecoder(stdin)
	c := &child{replies: json.NewEncoder(stdout)}
	if err := dec.Decode(&c.setup); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.ctx = ctx
	commands := make(chan command)
	go readCommands(dec, commands, cancel)

	defer c.discard()
	err := c.begin()
	c.answer(err)
	if err == nil {
		c.obey(commands)
	}
	c.end()
	return err
}

// readCommands hands on the commands and cancels when the pipe closes.
func readCommands(dec *json.Decoder, to chan<- command, cancel func()) {
	defer close(to)
	defer cancel()
	for {
		var cmd command
		if dec.Decode(&cmd) != nil {
			return
		}
		to <- cmd
	}
}

func (c *child) obey(commands <-chan command) {
	for cmd := range commands {
		switch cmd.Op {
		case opKill:
			c.answer(c.kill())
		case opRestart:
			c.answer(c.startServer())
		default:
			c.answer(fmt.Errorf("unknown command %q", cmd.Op))
		}
	}
}

func (c *child) answer(err error) {
	r := reply{Port: c.port, Password: c.password}
	if err != nil {
		r = reply{Error: err.Error()}
	}
	c.say(r)
}

func (c *child) log(level slog.Level, format string, args ...any) {
	c.say(reply{Log: fmt.Sprintf(format, args...), Level: level})
}

// say writes to the parent, who may be gone.
func (c *child) say(r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.replies.Encode(r)
}

// begin brings the server up from nothing.
func (c *child) begin() error {
	if c.Drop {
		if err := dropTo(c.UID, c.GID); err != nil {
			return err
		}
	}
	if err := os.Chdir(c.Dir); err != nil {
		return err
	}
	var err error
	if c.binaries, err = c.install(); err != nil {
		return err
	}
	if c.claim, err = claimDir(c.ctx, c.Dir); err != nil {
		return err
	}
	if c.password, err = c.prepareCluster(); err != nil {
		return err
	}
	if err := c.startServer(); err != nil {
		return err
	}
	return ensureDatabase(c.ctx, c.port, c.password)
}

// dropTo makes this process another user's, for good.
func dropTo(uid, gid int) error {
	err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(gid), syscall.Setuid(uid))
	if err != nil {
		return fmt.Errorf("becoming the user with the id %d, because PostgreSQL refuses to run as root: %w", uid, err)
	}
	return nil
}

func (c *child) kill() error {
	if c.server == nil {
		return errors.New("PostgreSQL is not running")
	}
	c.server.stop(syscall.SIGQUIT)
	c.server = nil
	return nil
}

// end stops the server cleanly and gives the folder free.
func (c *child) end() {
	if c.claim == nil {
		return
	}
	c.claim.say(stateStopping)
	if c.server != nil {
		c.server.stop(syscall.SIGINT)
	}
	c.claim.release()
}
