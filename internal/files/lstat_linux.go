package files

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/cartstream/cartstream/transforms/record"
)

// lstat looks at a path, and tells whether it is a regular file. A poll over a
// large folder is this call a hundred thousand times; os.Lstat costs half as
// much again, and an object for each.
func lstat(path string) (f record.File, regular bool, err error) {
	var st syscall.Stat_t
	for {
		err = syscall.Lstat(path, &st)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return f, false, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	// Unix gives integers of one width on every architecture.
	seconds, nanos := st.Mtim.Unix()
	return record.File{Path: path, Size: st.Size, Modified: seconds*1e6 + nanos/1e3}, st.Mode&syscall.S_IFMT == syscall.S_IFREG, nil
}
