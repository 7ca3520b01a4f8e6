package files

import (
	"errors"
	"io/fs"
	"sync"
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
	return version(path, &st), st.Mode&syscall.S_IFMT == syscall.S_IFREG, nil
}

// version returns the version that a local file has by its status.
func version(path string, st *syscall.Stat_t) record.File {
	// Unix gives integers of one width on every architecture.
	seconds, nanos := st.Mtim.Unix()
	f := record.File{Path: path, Size: st.Size, Modified: seconds*1e6 + nanos/1e3}
	if isLocal(uint64(st.Dev), path) {
		f.Inode, f.Changed = st.Ino, st.Ctim.Nano()
	}
	return f
}

// versionOf is version for what fs.FileInfo.Sys returns.
func versionOf(path string, info fs.FileInfo) record.File {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return version(path, st)
	}
	return record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
}

// localDevices caches isLocal by device number.
var localDevices sync.Map // uint64 to bool

// isLocal reports whether a device holds a file system of this kernel alone. Others
// may give a file another inode each time.
func isLocal(device uint64, path string) bool {
	if known, ok := localDevices.Load(device); ok {
		return known.(bool)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return false
	}
	is := local[uint32(st.Type)]
	localDevices.Store(device, is)
	return is
}
