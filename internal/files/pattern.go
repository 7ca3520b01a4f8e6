package files

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/cartstream/cartstream/transforms/record"
)

// anyDepth is the part of a pattern that stands for any number of folders.
const anyDepth = "**"

// Pattern names files: the wildcards of filepath.Match for each part of a path,
// and ** as a whole part for any number of folders, none included; as the last
// part it stands for every file below.
//
// Left alone are names that begin with a dot or an underscore (of files, and of
// folders that only a wildcard matches), folders, and whatever is no regular
// file. A symbolic link to a file is that file under the link's name. A link to
// a folder is followed where a part of its own matches it, but not by **: a tree
// that links to itself would have no end, and one that links within itself
// would give a file twice.
type Pattern struct {
	// scheme is that of a store, as gs; empty for local paths.
	scheme string
	// folder is the part without wildcards, cleaned; "." for none. It has the
	// scheme.
	folder string
	// parts are the names and wildcards below folder; the last one is that of
	// the files, and there is always one.
	parts []string
}

// Parse reads a pattern. It refuses one that can match nothing, and one of a
// scheme that the program has no file system for.
func Parse(pattern string) (Pattern, error) {
	scheme, rest, _ := cutScheme(pattern)
	folder, file := filepath.Split(rest)
	var why string
	switch {
	case pattern == "":
		why = "is empty; it is to name files, as data/incoming/*.csv does"
	case scheme != "" && !registered(scheme):
		why = unregistered(scheme, rest)
	case scheme != "" && strings.Contains("/"+folder, "//"):
		why = "has a folder without a name"
	case file == "" || file == "." || file == "..":
		why = "names a folder; to read its files, write " + strings.TrimSuffix(pattern, "/") + "/*.csv"
	case hidden(file):
		why = "only names that begin with . or _ match it, and such files are left alone"
	}
	if why != "" {
		return Pattern{}, fmt.Errorf("pattern %q: %s", pattern, why)
	}
	p := cut(scheme, folder, file)
	return p, p.validate(pattern)
}

// cut separates the folder that is typed out from the parts with wildcards.
func cut(scheme, folder, file string) Pattern {
	names := strings.Split(filepath.ToSlash(folder), "/")
	typed := 0
	for typed < len(names) && !hasMeta(names[typed]) {
		typed++
	}
	p := Pattern{scheme: scheme, folder: filepath.FromSlash(strings.Join(names[:typed], "/"))}
	if strings.HasPrefix(folder, string(filepath.Separator)) {
		p.folder = string(filepath.Separator) + p.folder
	}
	if scheme == "" {
		p.folder = filepath.Clean(p.folder)
	} else {
		p.folder = scheme + "://" + strings.TrimSuffix(p.folder, "/")
	}
	for _, name := range names[typed:] {
		if name != "" && name != "." && (name != anyDepth || !p.endsDeep()) {
			p.parts = append(p.parts, name)
		}
	}
	switch {
	case file != anyDepth:
		p.parts = append(p.parts, file)
	case p.endsDeep():
		p.parts = append(p.parts, "*")
	default:
		p.parts = append(p.parts, anyDepth, "*")
	}
	return p
}

func (p Pattern) endsDeep() bool { return len(p.parts) > 0 && p.parts[len(p.parts)-1] == anyDepth }

// validate checks each part by itself, as it will be matched: a class that
// holds a separator is whole in the pattern and broken in its parts. It asks
// path.Match, because filepath.Match overlooks what stands behind a star.
func (p Pattern) validate(pattern string) error {
	for _, part := range p.parts {
		if _, err := path.Match(part, ""); err != nil {
			return fmt.Errorf("pattern %q: in %q: %w", pattern, part, err)
		}
		if part == ".." {
			return fmt.Errorf("pattern %q: %w", pattern, errors.New(".. can't follow a wildcard"))
		}
	}
	return nil
}

// list gives the files that are there now, in no order.
func (p Pattern) list(ctx context.Context, look Look) *Listing {
	if p.scheme != "" {
		look.Events.miss(nil)
		return p.listStore(ctx)
	}
	w := &walker{look: look}
	w.walk(p.folder, p.parts, true)
	if p.deepTwice() {
		w.Files = distinct(w.Files)
	}
	return &w.Listing
}

// deepTwice tells of a pattern that can match a path in several ways.
func (p Pattern) deepTwice() bool {
	n := 0
	for _, part := range p.parts {
		if part == anyDepth {
			n++
		}
	}
	return n > 1
}

// matches reports whether a listing would have a local path, if it is a file.
func (p Pattern) matches(path string) bool {
	rest, below := strings.CutPrefix(path, join(p.folder, ""))
	return below && p.scheme == "" && match(p.parts, strings.Split(rest, string(filepath.Separator)))
}

// match reports whether the names of a path below folder fit parts. It says of
// a store's names what walk does on local paths.
func match(parts, names []string) bool {
	if len(parts) == 0 || len(names) == 0 {
		return len(parts) == len(names)
	}
	part, name := parts[0], names[0]
	if part == anyDepth {
		return match(parts[1:], names) || !hidden(name) && match(parts, names[1:])
	}
	if !hasMeta(part) {
		return part == name && match(parts[1:], names[1:])
	}
	return fits(part, len(parts) == 1)(name) && match(parts[1:], names[1:])
}

// fits returns whether a part with wildcards matches a name, as a function: a
// folder may hold a hundred thousand names.
func fits(part string, file bool) func(name string) bool {
	like := func(name string) bool {
		ok, _ := filepath.Match(part, name)
		return ok
	}
	before, after, _ := strings.Cut(part, "*")
	if len(before)+1+len(after) == len(part) && !hasMeta(before+after) {
		like = func(name string) bool {
			return len(name) >= len(part)-1 && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
		}
	}
	return func(name string) bool {
		return (!hidden(name) || !file && part[0] == name[0]) && like(name)
	}
}

func hasMeta(part string) bool { return strings.ContainsAny(part, `*?[\`) }

// hidden is the convention by which writers hide what is not finished, as
// Spark and Hadoop have it.
func hidden(name string) bool { return name != "" && (name[0] == '.' || name[0] == '_') }

// join is filepath.Join for a folder that is clean already.
func join(folder, name string) string {
	switch {
	case folder == ".":
		return name
	case strings.HasSuffix(folder, string(filepath.Separator)):
		return folder + name
	default:
		return folder + string(filepath.Separator) + name
	}
}

// distinct keeps the first of the files with one path, in place.
func distinct(files []record.File) []record.File {
	seen := make(map[string]bool, len(files))
	kept := files[:0]
	for _, f := range files {
		if !seen[f.Path] {
			seen[f.Path] = true
			kept = append(kept, f)
		}
	}
	return kept
}
