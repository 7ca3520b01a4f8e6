package csvio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// How often reading is tried again before a file counts as unreadable for now,
// and how long it waits at most between two tries: under a second in all,
// because the file stays pending and its next turn comes.
const (
	readRetries  = 4
	longestRetry = 400 * time.Millisecond
)

var (
	// errSuperseded says that the file no longer is the version that was listed.
	errSuperseded = errors.New("the file has changed since it was listed")
	// errDraining says that the run drains, so that what is not begun is left
	// to the next one.
	errDraining = errors.New("the run is draining")
)

type file = files.File

// opener opens a file by its path.
type opener func(path string) (file, error)

// openLocal opens a file on a local path, or in the store that its scheme names.
func openLocal(path string) (file, error) { return files.Open(context.Background(), path) }

// source reads one file version. It opens the file when it is needed and anew
// after an error, and it never returns bytes of another version.
type source struct {
	version record.File
	open    opener
	ctl     *runctl.Control
	f       file
}

// readAt fills b from offset off. It returns errSuperseded when the file is
// another version, errDraining or the run's error when the run ends while it
// waits, and else the error of the last try.
func (s *source) readAt(ctx context.Context, b []byte, off int64) error {
	err := s.tryRead(b, off)
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = longestRetry/8, longestRetry
	for range readRetries {
		if err == nil || errors.Is(err, errSuperseded) {
			return err
		}
		if !s.ctl.Sleep(ctx, wait.NextBackOff()) {
			return stopError(ctx, s.ctl)
		}
		err = s.tryRead(b, off)
	}
	return err
}

// next implements input.
func (s *source) next(ctx context.Context, b []byte, off int64) (int, error) {
	b = b[:min(int64(len(b)), s.version.Size-off)]
	if err := s.readAt(ctx, b, off); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (s *source) tryRead(b []byte, off int64) error {
	err := s.openOnce()
	if err == nil {
		err = s.check()
	}
	if err == nil {
		_, err = io.ReadFull(io.NewSectionReader(s.f, off, int64(len(b))), b)
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = errSuperseded // shorter than it was
	case err == nil:
		err = s.check()
	}
	if err != nil {
		s.close()
	}
	return err
}

func (s *source) openOnce() (err error) {
	if s.f == nil {
		s.f, err = s.open(s.version.Path)
	}
	return err
}

// adopt takes over the change time of the open file, where the listed version has another
// one but the same inode, size and modification time: a link was removed or
// attributes were changed since. It is right while nothing was read of the file.
func (s *source) adopt() {
	if s.f == nil || s.version.Inode == 0 {
		return
	}
	now, err := files.Version(s.version.Path, s.f)
	if err == nil && now.Size == s.version.Size && now.Modified == s.version.Modified && now.Inode == s.version.Inode {
		s.version = now
	}
}

// check compares the open file with the version that was listed.
func (s *source) check() error {
	if s.f == nil {
		return errSuperseded
	}
	now, err := files.Version(s.version.Path, s.f)
	switch was := s.version; {
	case err != nil:
		return err
	case now.Size != was.Size || now.Modified != was.Modified:
		return fmt.Errorf("%w: it had %d bytes of %s, it has %d of %s", errSuperseded, was.Size,
			stamp(was.ModTime()), now.Size, stamp(now.ModTime()))
	case was.Inode != 0 && (now.Inode != was.Inode || now.Changed != was.Changed):
		return fmt.Errorf("%w: it was replaced, or its attributes were changed", errSuperseded)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

func (s *source) close() {
	if s.f != nil {
		_ = s.f.Close() // nothing was written
		s.f = nil
	}
}

// stopError returns why the run ends: the error that fails it, or errDraining,
// or nil when it goes on.
func stopError(ctx context.Context, ctl *runctl.Control) error {
	if ctl.Context().Err() != nil {
		return context.Cause(ctl.Context())
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if ctl.IsDraining() {
		return errDraining
	}
	return nil
}
