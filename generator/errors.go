package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// explain says what failed, where, why, and what to do about it.
func explain(doing, path string, err error) error {
	cause := withoutPath(err)
	message := fmt.Errorf("%s %s: %w", doing, path, cause)
	if advice := advise(path, cause); advice != "" {
		return fmt.Errorf("%w: %s", message, advice)
	}
	return message
}

// withoutPath drops the paths of the system's error, which would stand in the
// message twice.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

func advise(path string, err error) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("make room on the disk of %s, or choose another path", folder)
	case errors.Is(err, syscall.EFBIG):
		return "write fewer events to a file, or raise the limit of file sizes (ulimit -f)"
	case errors.Is(err, syscall.EROFS):
		return "choose a path on a disk that can be written to"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("let this user read and write in %s, or choose another path", folder)
	case errors.Is(err, syscall.ENOTDIR):
		return "a part of that path is a file: choose another path"
	}
	return ""
}
