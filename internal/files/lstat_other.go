//go:build !linux

package files

import (
	"io/fs"
	"os"

	"github.com/cartstream/cartstream/transforms/record"
)

// lstat looks at a path, and tells whether it is a regular file.
func lstat(path string) (f record.File, regular bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return f, false, err
	}
	return versionOf(path, info), info.Mode().IsRegular(), nil
}

// versionOf returns the version that a local file has by its status.
func versionOf(path string, info fs.FileInfo) record.File {
	return record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
}
