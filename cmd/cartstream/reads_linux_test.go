//go:build e2e

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
)

// canSeeReads tells that filesRead and bytesRead can tell.
const canSeeReads = true

// filesRead returns the names of the files of a folder from which somebody
// reads in the meantime.
func (s *scene) filesRead(folder string, meantime func()) (names []string) {
	s.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		s.Fatal(err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, s.path(folder), syscall.IN_ACCESS); err != nil {
		s.Fatal(err)
	}
	meantime()
	for buf := make([]byte, 1<<16); ; {
		n, err := syscall.Read(fd, buf)
		if errors.Is(err, syscall.EAGAIN) {
			slices.Sort(names)
			return slices.Compact(names)
		}
		if err != nil {
			s.Fatal(err)
		}
		for events := buf[:n]; len(events) > 0; {
			end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))                 // the name's length
			if name := string(bytes.TrimRight(events[syscall.SizeofInotifyEvent:end], "\x00")); name != "" { // the folder itself
				names = append(names, name)
			}
			events = events[end:]
		}
	}
}

// bytesRead returns how many bytes the process has read, from files and all else.
func (p *process) bytesRead() (n int) {
	p.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid))
	if err == nil {
		_, err = fmt.Sscanf(string(text), "rchar: %d", &n)
	}
	if err != nil {
		p.Fatal(err)
	}
	return n
}
