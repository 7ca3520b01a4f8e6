package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// source is inotify(7). It is used without a library in between, because those tell
// a file that is begun and one that is renamed by one and the same event.
type source struct {
	events *Events
	// queue is what the kernel tells; fd is its number.
	queue *os.File
	fd    int

	mu sync.Mutex
	// watches are by folder, folders by watch: a link and what it leads to are two
	// names of one.
	watches map[string]*watch
	folders map[int32][]string
	// listing counts listings.
	listing int
	// broken says why no event comes any more.
	broken error
}

// watch is a folder that the kernel tells of.
type watch struct {
	id int32
	// local tells that nobody can change the folder without this kernel.
	local bool
	// listing is the latest that has read the folder.
	listing int
}

const watched = syscall.IN_MOVED_TO | syscall.IN_CREATE | syscall.IN_CLOSE_WRITE | syscall.IN_ATTRIB |
	syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_ONLYDIR

// local are the file systems that only this kernel changes (statfs(2)).
var local = map[uint32]bool{
	0xEF53:     true, // ext2, ext3, ext4
	0x58465342: true, // XFS
	0x9123683E: true, // Btrfs
	0xF2F52010: true, // F2FS
	0x2FC12FC1: true, // ZFS
	0xCA451A4E: true, // bcachefs
	0x3153464A: true, // JFS
	0x01021994: true, // tmpfs
	0x858458F6: true, // ramfs
	0x794C7630: true, // overlayfs
}

func openSource(e *Events) (*source, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	s := &source{
		events: e, queue: os.NewFile(uintptr(fd), "inotify"), fd: fd,
		watches: map[string]*watch{}, folders: map[int32][]string{},
	}
	go s.read()
	return s, nil
}

// close ends read too.
func (s *source) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fd = -1
	_ = s.queue.Close() // nothing was written
}

func (s *source) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing++
}

// end gives up the folders that the listing has not read.
func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for folder, w := range s.watches {
		if w.listing != s.listing {
			s.drop(folder, w)
		}
	}
}

// follow has the kernel tell of a folder, and reports whether it tells all.
func (s *source) follow(folder string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return false, s.broken
	}
	id, err := s.add(folder)
	if err != nil {
		return false, err
	}
	w := s.watches[folder]
	if w == nil || w.id != id {
		if w != nil {
			s.drop(folder, w)
		}
		var st syscall.Statfs_t
		w = &watch{id: id, local: syscall.Statfs(folder, &st) == nil && local[uint32(st.Type)]}
		s.watches[folder], s.folders[id] = w, append(s.folders[id], folder)
	}
	w.listing = s.listing
	return w.local, nil
}

// add gives the folder's watch: the one that it has, if it is the folder that it was.
func (s *source) add(folder string) (int32, error) {
	id, err := syscall.InotifyAddWatch(s.fd, folder, watched)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return 0, fmt.Errorf("%s: the limit fs.inotify.max_user_watches is reached", folder)
	case err != nil:
		return 0, &fs.PathError{Op: "inotify_add_watch", Path: folder, Err: err}
	}
	return int32(id), nil
}

// drop forgets a name of a folder, and has the kernel forget it with the last one.
func (s *source) drop(folder string, w *watch) {
	delete(s.watches, folder)
	var left []string
	for _, name := range s.folders[w.id] {
		if name != folder {
			left = append(left, name)
		}
	}
	if s.folders[w.id] = left; len(left) == 0 {
		delete(s.folders, w.id)
		_, _ = syscall.InotifyRmWatch(s.fd, uint32(w.id)) // it may be gone with its folder
	}
}

// moved tells whether a name leads to another folder than at the latest listing:
// where a folder above has been renamed, or a link changed, no event tells.
func (s *source) moved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for folder, w := range s.watches {
		if id, err := s.add(folder); err != nil || id != w.id {
			return true
		}
	}
	return false
}

// Where struct inotify_event has what (inotify(7)).
const (
	eventMask   = 4
	eventLength = 12
	eventName   = syscall.SizeofInotifyEvent
)

// read takes events from the kernel until the queue is closed.
func (s *source) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.queue.Read(buf)
		if err != nil {
			s.fail(err)
			return
		}
		for rest := buf[:n]; len(rest) >= eventName; {
			end := eventName + int(binary.NativeEndian.Uint32(rest[eventLength:]))
			name, _, _ := bytes.Cut(rest[eventName:end], []byte{0})
			s.tell(int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[eventMask:]), string(name))
			rest = rest[end:]
		}
	}
}

func leadsToFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// fail notes that no event comes any more, and why, unless the queue is closed.
func (s *source) fail(err error) {
	if errors.Is(err, os.ErrClosed) {
		return
	}
	s.mu.Lock()
	s.broken = fmt.Errorf("reading events: %w", err)
	s.mu.Unlock()
	s.events.lose()
}

func (s *source) tell(id int32, mask uint32, name string) {
	const (
		gone     = syscall.IN_Q_OVERFLOW | syscall.IN_UNMOUNT | syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF
		appeared = syscall.IN_CREATE | syscall.IN_MOVED_TO | syscall.IN_ATTRIB
	)
	s.mu.Lock()
	folders := s.folders[id]
	s.mu.Unlock()
	switch {
	case mask&syscall.IN_Q_OVERFLOW != 0 || mask&gone != 0 && len(folders) > 0:
		s.events.lose()
	case mask&syscall.IN_ISDIR != 0 && name != "":
		if mask&appeared != 0 && len(folders) > 0 && s.events.deep() {
			s.events.lose()
		}
	case name != "":
		for _, folder := range folders {
			path := join(folder, name)
			if mask&appeared != 0 && s.events.deep() && leadsToFolder(path) { // a link to one
				s.events.lose()
			}
			s.events.happened(path, whatOf(mask, path))
		}
	}
}

// whatOf classifies an event. A file that a process creates is empty at first; one that
// appears with content was linked, or is written so quickly that a look is due anyway.
func whatOf(mask uint32, path string) happening {
	switch {
	case mask&syscall.IN_MOVED_TO != 0:
		return renamed
	case mask&syscall.IN_CLOSE_WRITE != 0:
		return closed
	case mask&syscall.IN_CREATE != 0:
		if info, err := os.Lstat(path); err == nil && info.Size() > 0 {
			return closed
		}
	}
	return changed
}
