package files

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cartstream/cartstream/transforms/record"
)

// Writing tells whether a process has a file open for writing.
type Writing uint8

const (
	// WritingUnknown means that the system cannot tell: the file is on a network or FUSE
	// file system or belongs to another user, or the system is not Linux.
	WritingUnknown Writing = iota
	// WritingClosed means that no process has the file open for writing.
	WritingClosed
	// WritingOpen means that a process has it open for writing.
	WritingOpen
)

// Condition is what opening a file tells about it.
type Condition struct {
	Writing Writing
	// File is the version that was opened. A network file system refreshes its cached
	// size and time for it.
	File record.File
	// OwnClock tells that the modification time comes from this machine's clock.
	OwnClock bool
	// Inode is 0 where the system has none.
	Inode uint64
	// Stored marks an object of a store, which appears as a whole.
	Stored bool
}

// Probe opens a file and tells its condition. The error is fs.ErrNotExist where the path
// no longer names a regular file. In a store it asks nothing, because the listing has
// asked already, and its reader finds a change.
func Probe(f record.File) (Condition, error) {
	if _, _, ok := cutScheme(f.Path); ok {
		return Condition{Writing: WritingClosed, File: f, Stored: true}, nil
	}
	file, err := Open(context.Background(), f.Path)
	if err != nil {
		return Condition{}, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return Condition{}, err
	}
	if !info.Mode().IsRegular() {
		return Condition{}, fmt.Errorf("%s is not a regular file: %w", f.Path, fs.ErrNotExist)
	}
	c := Condition{File: versionOf(f.Path, info), Inode: inodeOf(info)}
	c.Writing, c.OwnClock = writing(file.(*os.File))
	return c, nil
}

// WritingOf tells whether a process has an open file open for writing. Objects of a
// store are complete. Other implementations of a file are unknown.
func WritingOf(f any) Writing {
	switch f := f.(type) {
	case *os.File:
		w, _ := writing(f)
		return w
	case *object:
		return WritingClosed
	}
	return WritingUnknown
}

// EndsMidLine reports whether the last line of a text has no line end. A compressed
// file has an end of its own, so the answer is false. An empty file has no line.
func EndsMidLine(path string) (bool, error) {
	if _, _, ok := cutScheme(path); ok {
		return false, nil
	}
	f, err := Open(context.Background(), path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var head [Sniffed]byte
	n, err := f.ReadAt(head[:min(info.Size(), Sniffed)], 0)
	if err != nil || Compression(head[:n]) != "" {
		return false, err
	}
	var tail [2]byte
	n, err = f.ReadAt(tail[:min(info.Size(), 2)], max(info.Size()-2, 0))
	if err != nil && err != io.EOF { //nolint:errorlint // os.File returns it unwrapped
		return false, err
	}
	return !endsLine(tail[:n]), nil
}

// endsLine reports whether a text's last bytes, two or one, end a line, in UTF-16 too.
func endsLine(tail []byte) bool {
	last := tail[len(tail)-1]
	if last == 0 && len(tail) == 2 {
		last = tail[0]
	}
	return last == '\n' || last == '\r'
}
