package watchio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cartstream/cartstream/transforms/record"
)

// listing is what a pattern matches at a moment. filepath.Glob is not used
// because it says nothing of folders that it could not read.
type listing struct {
	files    []record.File
	problems []problem
}

// problem is a path that could not be looked at.
type problem struct {
	path string
	err  error
	// missing marks the folder of the pattern, when it is not there.
	missing bool
}

// list gives the files in no order.
func (g glob) list() *listing {
	l := &listing{}
	l.walk(g.folder, g.parts, true)
	return l
}

// covers reports whether a path that is not listed may be there all the same,
// because it, or a folder above it, could not be looked at.
func (l *listing) covers(path string) bool {
	for _, p := range l.problems {
		if p.path == path || p.path == "." || strings.HasPrefix(path, join(p.path, "")) {
			return true
		}
	}
	return false
}

// walk matches parts below a folder. The pattern names the folder itself when
// typed is set; else a wildcard led there, and a folder that is gone, or is
// none, just does not match.
func (l *listing) walk(folder string, parts []string, typed bool) {
	part, rest := parts[0], parts[1:]
	if !hasMeta(part) {
		l.literal(folder, part, rest, typed)
		return
	}
	for _, entry := range l.read(folder, typed) {
		name := entry.Name()
		if hidden(name) && (len(rest) == 0 || part[0] != name[0]) {
			continue
		}
		if ok, _ := filepath.Match(part, name); !ok {
			continue
		}
		if len(rest) == 0 {
			l.entry(folder, entry)
		} else if isFolder(folder, entry) {
			l.walk(join(folder, name), rest, false)
		}
	}
}

// literal follows a part without wildcards, with no need to list the folder.
func (l *listing) literal(folder, name string, rest []string, typed bool) {
	path := join(folder, name)
	if len(rest) > 0 {
		l.walk(path, rest, false)
		return
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.unfound(folder, path, err, typed)
	case info.IsDir():
		l.problem(path, errors.New("is a folder; the pattern for its files is "+filepath.Join(path, "*.csv")))
	default:
		l.add(path, info)
	}
}

// unfound tells a name that is not there, which may come, from one that is
// there and can't be followed, and from a folder that is not there.
func (l *listing) unfound(folder, path string, err error, typed bool) {
	if _, lerr := os.Lstat(path); lerr == nil || !absent(lerr) {
		l.problem(path, err)
		return
	}
	if _, ferr := os.Stat(folder); ferr != nil || errors.Is(err, syscall.ENOTDIR) {
		l.unread(folder, errors.Join(ferr, err), typed)
	}
}

// read lists a folder, unsorted.
func (l *listing) read(folder string, typed bool) []fs.DirEntry {
	f, err := os.Open(folder)
	if err != nil {
		l.unread(folder, err, typed)
		return nil
	}
	defer func() { _ = f.Close() }() // nothing was written
	entries, err := f.ReadDir(-1)
	if err != nil {
		l.unread(folder, err, typed)
	}
	return entries
}

func (l *listing) unread(folder string, err error, typed bool) {
	switch {
	case !absent(err):
		l.problem(folder, err)
	case typed && errors.Is(err, fs.ErrNotExist):
		l.problems = append(l.problems, problem{path: folder, err: err, missing: true})
	case typed:
		l.problem(folder, err)
	}
}

// entry adds what a folder lists, if it is a file.
func (l *listing) entry(folder string, entry fs.DirEntry) {
	switch entry.Type() {
	case 0:
		path := join(folder, entry.Name())
		info, err := entry.Info()
		if err == nil {
			l.add(path, info)
		} else if !absent(err) {
			l.problem(path, err)
		}
	case fs.ModeSymlink:
		l.link(join(folder, entry.Name()))
	}
}

// link follows a symbolic link: a dangling one and a loop are reported, one
// that is gone by now is not.
func (l *listing) link(path string) {
	info, err := os.Stat(path)
	if err == nil {
		l.add(path, info)
		return
	}
	if _, lerr := os.Lstat(path); lerr == nil {
		l.problem(path, err)
	}
}

func (l *listing) add(path string, info fs.FileInfo) {
	if info.Mode().IsRegular() {
		l.files = append(l.files, record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()})
	}
}

func (l *listing) problem(path string, err error) {
	l.problems = append(l.problems, problem{path: path, err: err})
}

func isFolder(folder string, entry fs.DirEntry) bool {
	if entry.Type() != fs.ModeSymlink {
		return entry.IsDir()
	}
	// A link that leads nowhere is followed, so that it is reported.
	info, err := os.Stat(join(folder, entry.Name()))
	return err != nil || info.IsDir()
}

// absent reports whether a path names nothing: a part of it is not there, or
// is no folder.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
