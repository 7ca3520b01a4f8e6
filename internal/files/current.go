package files

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/cartstream/cartstream/transforms/record"
)

// Current opens the file of a version and returns the version that the path has now.
// The error is fs.ErrNotExist where the path no longer names a regular file, and
// otherwise says why the file cannot be opened. An object of a store is not asked about
// again: that would be a request for each, and its reader finds a change.
func Current(version record.File) (record.File, error) {
	if _, _, ok := cutScheme(version.Path); ok {
		return version, nil
	}
	f, err := Open(context.Background(), version.Path)
	if err != nil {
		return record.File{}, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return record.File{}, err
	}
	if !info.Mode().IsRegular() {
		return record.File{}, fmt.Errorf("%s is not a regular file: %w", version.Path, fs.ErrNotExist)
	}
	return versionOf(version.Path, info), nil
}
