package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// walker lists local paths.
type walker struct {
	Listing
	look Look
	// path is room for the one that look.Skip is asked about.
	path []byte
}

// walk matches parts below a folder. The pattern names the folder itself when
// typed is set; else a wildcard led there, and a folder that is gone, or is
// none, just does not match.
func (w *walker) walk(folder string, parts []string, typed bool) {
	switch part := parts[0]; {
	case part == anyDepth:
		w.deep(folder, parts[1:], typed)
	case hasMeta(part):
		w.match(folder, parts, typed)
	default:
		w.literal(folder, part, parts[1:], typed)
	}
}

// deep matches parts in a folder and in all that are below it.
func (w *walker) deep(folder string, parts []string, typed bool) {
	matches := w.matcher(folder, parts)
	var below []string
	empty := true
	w.read(folder, typed, func(e entry) {
		empty = false
		if matches != nil {
			matches(e)
		}
		if e.kind.IsDir() && !hidden(e.name) {
			below = append(below, join(folder, e.name))
		}
	})
	if matches == nil && !empty {
		w.literal(folder, parts[0], parts[1:], false)
	}
	for _, sub := range below {
		w.deep(sub, parts, false)
	}
}

// match matches parts, of which the first has wildcards, with what a folder holds.
func (w *walker) match(folder string, parts []string, typed bool) {
	w.read(folder, typed, w.matcher(folder, parts))
}

// matcher returns what matches parts with an entry of a folder; nil when their first
// has no wildcards.
func (w *walker) matcher(folder string, parts []string) func(entry) {
	if !hasMeta(parts[0]) {
		return nil
	}
	rest := parts[1:]
	fit := fits(parts[0], len(rest) == 0)
	return func(e entry) {
		switch {
		case !fit(e.name):
		case len(rest) == 0:
			w.entry(folder, e)
		case isFolder(folder, e):
			w.walk(join(folder, e.name), rest, false)
		}
	}
}

// literal follows a part without wildcards, with no need to list the folder.
func (w *walker) literal(folder, name string, rest []string, typed bool) {
	path := join(folder, name)
	if len(rest) > 0 {
		w.walk(path, rest, false)
		return
	}
	w.look.Events.follow(folder)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		w.unfound(folder, path, err, typed)
	case info.IsDir():
		w.problem(path, errors.New("is a folder; the pattern for its files is "+filepath.Join(path, "*.csv")))
	default:
		w.add(path, info)
	}
}

// unfound tells a name that is not there, which may come, from one that is
// there and can't be followed, and from a folder that is not there.
func (w *walker) unfound(folder, path string, err error, typed bool) {
	if _, lerr := os.Lstat(path); lerr == nil || !absent(lerr) {
		w.problem(path, err)
		return
	}
	if _, ferr := os.Stat(folder); ferr != nil || errors.Is(err, syscall.ENOTDIR) {
		w.unread(folder, errors.Join(ferr, err), typed)
	}
}

// read calls each for what a folder lists. Events of the folder are asked for
// before, so that what comes meanwhile is either listed or told.
func (w *walker) read(folder string, typed bool, each func(entry)) {
	w.look.Events.follow(folder)
	if err := readFolder(folder, each); err != nil {
		w.unread(folder, err, typed)
	}
}

func (w *walker) unread(folder string, err error, typed bool) {
	switch {
	case !absent(err):
		w.problem(folder, err)
	case typed && errors.Is(err, fs.ErrNotExist):
		w.Problems = append(w.Problems, Problem{Path: folder, Err: err, Missing: true})
	case typed:
		w.problem(folder, err)
	}
}

// entry adds what a folder lists, if it is a file. That a link leads to the file
// that it did lead to, only a look tells.
func (w *walker) entry(folder string, e entry) {
	switch e.kind {
	case 0:
		if !w.skips(folder, e) {
			w.file(join(folder, e.name))
		}
	case fs.ModeSymlink:
		w.link(join(folder, e.name))
	}
}

func (w *walker) skips(folder string, e entry) bool {
	if w.look.Skip == nil || e.inode == 0 {
		return false
	}
	w.path = append(w.path[:0], folder...)
	if folder == "." {
		w.path = w.path[:0]
	} else if folder[len(folder)-1] != filepath.Separator {
		w.path = append(w.path, filepath.Separator)
	}
	w.path = append(w.path, e.name...)
	return w.look.Skip(w.path, e.inode)
}

// file adds a path that is a regular file, or a link to one.
func (w *walker) file(path string) {
	f, regular, err := lstat(path)
	switch {
	case err == nil && regular:
		w.Files = append(w.Files, f)
	case err == nil:
		w.link(path)
	case !absent(err):
		w.problem(path, err)
	}
}

// link follows a symbolic link: a dangling one and a loop are reported, one
// that is gone by now is not.
func (w *walker) link(path string) {
	info, err := os.Stat(path)
	if err == nil {
		w.add(path, info)
		return
	}
	if _, lerr := os.Lstat(path); lerr == nil {
		w.problem(path, err)
	}
}

func (w *walker) add(path string, info fs.FileInfo) {
	if info.Mode().IsRegular() {
		w.Files = append(w.Files, versionOf(path, info))
	}
}

func (w *walker) problem(path string, err error) {
	w.Problems = append(w.Problems, Problem{Path: path, Err: err})
}

func isFolder(folder string, e entry) bool {
	if e.kind != fs.ModeSymlink {
		return e.kind.IsDir()
	}
	// A link that leads nowhere is followed, so that it is reported.
	info, err := os.Stat(join(folder, e.name))
	return err != nil || info.IsDir()
}

// absent reports whether a path names nothing: a part of it is not there, or
// is no folder.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
