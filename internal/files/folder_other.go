//go:build !linux

package files

import (
	"io/fs"
	"os"
)

// entry is what a folder lists of a file, without a look at the file itself.
type entry struct {
	name string
	// kind has the type bits only.
	kind fs.FileMode
	// inode is 0: the folder does not tell it.
	inode uint64
}

// readFolder calls each for all that a folder lists, unsorted.
func readFolder(folder string, each func(entry)) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	entries, err := f.ReadDir(-1)
	for _, e := range entries {
		each(entry{name: e.Name(), kind: e.Type()})
	}
	return err
}
