package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// File is an open file. Its Stat is that of the version whose bytes are read,
// also when the path has become another one since. ReadAt is for one caller at
// a time.
type File interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// Open opens a file of a listing. In a store ctx bounds all that is done with
// the file.
func Open(ctx context.Context, path string) (File, error) {
	if scheme, _, ok := cutScheme(path); ok {
		return openObject(ctx, scheme, path)
	}
	// O_NONBLOCK: a pipe that has taken the file's place must not hold us.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err // not f: a nil *os.File in a File is not nil
	}
	return f, nil
}

// Version returns the version that an open file of a path has.
func Version(path string, f File) (record.File, error) {
	i, err := f.Stat()
	if err != nil {
		return record.File{}, err
	}
	if object, ok := i.(info); ok {
		return object.File, nil
	}
	return versionOf(path, i), nil
}

// Gone reports whether a path that was listed names nothing any more. Of a
// store's it says so always: nothing is to be remembered of it.
func Gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// info is a version as fs.FileInfo.
type info struct{ record.File }

func (i info) Name() string       { return path.Base(i.Path) }
func (i info) Size() int64        { return i.File.Size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return i.File.ModTime() }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }
