package embeddedpg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	// Port is the port the server listens on, on 127.0.0.1 only.
	Port int
	// Dir is the folder that holds the data: the wanted one, or where root
	// asked for a folder that PostgreSQL can't reach, the one taken instead.
	Dir string

	password string
	place    place
	log      *slog.Logger

	mu       sync.Mutex // one command at a time
	commands io.WriteCloser
	replies  chan reply
	exited   chan struct{} // closed when the child has ended
	stderr   *tail
}

// launch starts the child, hands it the setup and waits for the server.
func launch(ctx context.Context, su setup, log *slog.Logger) (*Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("where this program stands is unknown: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s := &Server{
		Dir: su.Dir, place: su.place, log: log,
		replies: make(chan reply), exited: make(chan struct{}), stderr: &tail{},
	}
	cmd.Stderr = s.stderr
	if s.commands, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the database's child process: %w", err)
	}
	go s.listen(cmd, stdout)
	r, err := s.ask(ctx, su)
	if err != nil {
		_ = s.commands.Close()
		<-s.endOr(ctx)
		return nil, err
	}
	s.Port, s.password = r.Port, r.Password
	return s, nil
}

// listen hands on what the child says until it ends.
func (s *Server) listen(cmd *exec.Cmd, stdout io.Reader) {
	dec := json.NewDecoder(stdout)
	for {
		var r reply
		if err := dec.Decode(&r); err != nil {
			break
		}
		if r.Log != "" {
			s.log.Log(context.Background(), r.Level, r.Log)
			continue
		}
		s.replies <- r
	}
	_ = cmd.Wait()
	close(s.exited)
}

// ask sends one message to the child and waits for its reply. When ctx ends
// first, the reply that is still to come makes the server unusable: it is
// ended.
func (s *Server) ask(ctx context.Context, message any) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.NewEncoder(s.commands).Encode(message); err != nil {
		return reply{}, s.gone()
	}
	select {
	case r := <-s.replies:
		if r.Error != "" {
			return reply{}, errors.New(r.Error)
		}
		return r, nil
	case <-s.exited:
		return reply{}, s.gone()
	case <-ctx.Done():
		_ = s.commands.Close()
		go s.dropReplies()
		return reply{}, context.Cause(ctx)
	}
}

func (s *Server) gone() error {
	err := errors.New("the database's child process has ended")
	if text := s.stderr.String(); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}

func (s *Server) dropReplies() {
	for {
		select {
		case <-s.replies:
		case <-s.exited:
			return
		}
	}
}

// endOr returns a channel that is closed when the child has ended or ctx ends.
func (s *Server) endOr(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.exited:
		case <-ctx.Done():
		}
	}()
	return done
}

// Stop ends the server cleanly: open transactions are rolled back, the data is
// written. It returns when the server has ended, or with an error when ctx
// ends first; the child then goes on with ending it. A second call waits too.
func (s *Server) Stop(ctx context.Context) error {
	_ = s.commands.Close()
	go s.dropReplies()
	select {
	case <-s.exited:
	case <-ctx.Done():
		return fmt.Errorf("waiting for PostgreSQL to stop: %w", context.Cause(ctx))
	}
	s.place.discard()
	return nil
}

// Kill ends PostgreSQL at once, as a crash would, and returns when it is gone;
// the data stays, and what was committed is there after Restart.
func (s *Server) Kill() error { return s.do(opKill) }

// Restart starts PostgreSQL again after Kill, with the same port and data.
func (s *Server) Restart() error { return s.do(opRestart) }

func (s *Server) do(op string) error {
	if _, err := s.ask(context.Background(), command{Op: op}); err != nil {
		return fmt.Errorf("PostgreSQL: %s: %w", op, err)
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > tailBytes {
		t.buf = bytes.Clone(t.buf[len(t.buf)-tailBytes:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
