package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// writing asks for a read lease (fcntl(2)) and returns it at once. The kernel
// refuses it with EAGAIN exactly while a process has the file open for writing. A
// process that opens the file for writing in between waits for some microseconds; one
// that opens it with O_NONBLOCK gets EWOULDBLOCK. The kernel announces such a process
// by SIGIO, which Go ignores.
//
// A lease says nothing about other machines, so only file systems that this kernel
// alone changes are asked. It needs the file's owner or CAP_LEASE.
func writing(f *os.File) (w Writing, ownClock bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return WritingUnknown, false
	}
	err = raw.Control(func(fd uintptr) {
		var st syscall.Statfs_t
		if syscall.Fstatfs(int(fd), &st) != nil || !local[uint32(st.Type)] {
			return
		}
		ownClock = true
		switch errno := lease(fd, syscall.F_RDLCK); errno {
		case 0:
			w = WritingClosed
			_ = lease(fd, syscall.F_UNLCK) // closing the file would do it too
		case syscall.EAGAIN:
			w = WritingOpen
		}
	})
	if err != nil {
		return WritingUnknown, false
	}
	return w, ownClock
}

func lease(fd uintptr, kind uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_SETLEASE, kind)
	return errno
}

func inodeOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// Writer is a process that has a file open for writing.
type Writer struct {
	PID     int
	Command string
}

// Writers returns the processes that have a file open for writing, as far as this
// process may see them. It looks at every open file of the system, so it is for
// reports only.
func Writers(path string) []Writer {
	file, err := os.Stat(path)
	if err != nil {
		return nil
	}
	var found []Writer
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil && writes(folder, file) {
			command, _ := os.ReadFile(filepath.Join(folder, "comm")) // the process may have ended
			found = append(found, Writer{PID: pid, Command: strings.TrimSpace(string(command))})
		}
	}
	return found
}

// writes reports whether one of a process's open files is the file, open for writing.
func writes(process string, file fs.FileInfo) bool {
	names, _ := os.ReadDir(filepath.Join(process, "fd")) // of other users' processes there are none
	for _, name := range names {
		open, err := os.Stat(filepath.Join(process, "fd", name.Name()))
		if err == nil && os.SameFile(open, file) && openForWriting(filepath.Join(process, "fdinfo", name.Name())) {
			return true
		}
	}
	return false
}

// openForWriting reads the flags that proc(5) has for a file descriptor.
func openForWriting(fdinfo string) bool {
	text, err := os.ReadFile(fdinfo)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(flags), 8, 64)
			return err == nil && n&syscall.O_ACCMODE != syscall.O_RDONLY
		}
	}
	return false
}
