package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cartstream/cartstream/transforms/record"
)

// walker lists local paths.
type walker struct{ Listing }

// walk matches parts below a folder. The pattern names the folder itself when
// typed is set; else a wildcard led there, and a folder that is gone, or is
// none, just does not match.
func (w *walker) walk(folder string, parts []string, typed bool) {
	switch part := parts[0]; {
	case part == anyDepth:
		w.deep(folder, parts[1:], typed)
	case hasMeta(part):
		w.match(folder, w.read(folder, typed), parts)
	default:
		w.literal(folder, part, parts[1:], typed)
	}
}

// deep matches parts in a folder and in all that are below it.
func (w *walker) deep(folder string, parts []string, typed bool) {
	entries := w.read(folder, typed)
	if hasMeta(parts[0]) {
		w.match(folder, entries, parts)
	} else if len(entries) > 0 {
		w.literal(folder, parts[0], parts[1:], false)
	}
	for _, entry := range entries {
		if entry.IsDir() && !hidden(entry.Name()) {
			w.deep(join(folder, entry.Name()), parts, false)
		}
	}
}

// match matches parts, of which the first has wildcards, with what a folder holds.
func (w *walker) match(folder string, entries []fs.DirEntry, parts []string) {
	rest := parts[1:]
	fit := fits(parts[0], len(rest) == 0)
	for _, entry := range entries {
		name := entry.Name()
		if !fit(name) {
			continue
		}
		if len(rest) == 0 {
			w.entry(folder, entry)
		} else if isFolder(folder, entry) {
			w.walk(join(folder, name), rest, false)
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

// read lists a folder, unsorted.
func (w *walker) read(folder string, typed bool) []fs.DirEntry {
	f, err := os.Open(folder)
	if err != nil {
		w.unread(folder, err, typed)
		return nil
	}
	defer func() { _ = f.Close() }() // nothing was written
	entries, err := f.ReadDir(-1)
	if err != nil {
		w.unread(folder, err, typed)
	}
	return entries
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

// entry adds what a folder lists, if it is a file.
func (w *walker) entry(folder string, entry fs.DirEntry) {
	switch entry.Type() {
	case 0:
		path := join(folder, entry.Name())
		f, regular, err := lstat(path)
		if err == nil && regular {
			w.Files = append(w.Files, f)
		} else if err != nil && !absent(err) {
			w.problem(path, err)
		}
	case fs.ModeSymlink:
		w.link(join(folder, entry.Name()))
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
		w.Files = append(w.Files, record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()})
	}
}

func (w *walker) problem(path string, err error) {
	w.Problems = append(w.Problems, Problem{Path: path, Err: err})
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
