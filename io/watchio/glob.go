package watchio

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Check tells whether a pattern can be watched. Patterns are those of
// filepath.Match, for whole paths.
func Check(pattern string) error {
	_, err := parse(pattern)
	return err
}

// glob is a pattern, cut where its wildcards begin.
type glob struct {
	// folder is the part without wildcards, cleaned; "." for none.
	folder string
	// parts are the names and wildcards below folder; the last one is that of
	// the files, and there is always one.
	parts []string
}

func parse(pattern string) (glob, error) {
	fail := func(why string) (glob, error) {
		return glob{}, fmt.Errorf("pattern %q: %s", pattern, why)
	}
	folder, file := filepath.Split(pattern)
	switch {
	case pattern == "":
		return fail("is empty; it is to name files, as data/incoming/*.csv does")
	case strings.Contains(pattern, "://"):
		return fail("only local paths can be read")
	case file == "" || file == "." || file == "..":
		return fail("names a folder; to read its files, write " + filepath.Join(pattern, "*.csv"))
	case hidden(file):
		return fail("only names that begin with . or _ match it, and such files are left alone")
	}
	g := cut(folder, file)
	return g, g.validate(pattern)
}

// cut separates the folder that is typed out from the parts with wildcards.
func cut(folder, file string) glob {
	names := strings.Split(filepath.ToSlash(folder), "/")
	typed := 0
	for typed < len(names) && !hasMeta(names[typed]) {
		typed++
	}
	g := glob{folder: filepath.FromSlash(strings.Join(names[:typed], "/"))}
	if strings.HasPrefix(folder, string(filepath.Separator)) {
		g.folder = string(filepath.Separator) + g.folder
	}
	g.folder = filepath.Clean(g.folder)
	for _, name := range names[typed:] {
		if name != "" && name != "." {
			g.parts = append(g.parts, name)
		}
	}
	g.parts = append(g.parts, file)
	return g
}

// validate checks each part by itself, as it will be matched: a class that
// holds a separator is whole in the pattern and broken in its parts. It asks
// path.Match, because filepath.Match overlooks what stands behind a star.
func (g glob) validate(pattern string) error {
	for _, part := range g.parts {
		if _, err := path.Match(part, ""); err != nil {
			return fmt.Errorf("pattern %q: in %q: %w", pattern, part, err)
		}
		if part == ".." {
			return fmt.Errorf("pattern %q: %w", pattern, errors.New(".. can't follow a wildcard"))
		}
	}
	return nil
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
