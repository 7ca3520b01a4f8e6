//go:build !linux

package files

import (
	"os"

	"github.com/cartstream/cartstream/transforms/record"
)

// lstat looks at a path, and tells whether it is a regular file.
func lstat(path string) (f record.File, regular bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return f, false, err
	}
	return record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}, info.Mode().IsRegular(), nil
}
