package files

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cases := []struct {
		name, pattern string
		// want is part of the error; empty for a pattern that can be watched.
		want string
	}{
		{"a wildcard", "data/incoming/*.csv", ""},
		{"a file", "data/incoming/a.csv", ""},
		{"a file in the current folder", "a.csv", ""},
		{"an absolute path", "/data/*.csv", ""},
		{"a wildcard in the root", "/*", ""},
		{"wildcards among the folders", "/data/*/[0-9]?/*.csv", ""},
		{"a hidden folder that is typed", ".data/_in/*.csv", ""},
		{"a folder above", "../data/*.csv", ""},
		{"a name with an escaped wildcard", `data/\*.csv`, ""},
		{"nothing", "", "is empty"},
		{"an open class", "data/[a.csv", "syntax error in pattern"},
		{"an open class in a folder", "data[/*.csv", "syntax error in pattern"},
		{"a class across folders", "da[t/a]/x.csv", "syntax error in pattern"},
		{"an open class behind a star", "data/a*[", "syntax error in pattern"},
		{"a trailing backslash", `data/a\`, "syntax error in pattern"},
		{"a folder", "data/incoming/", "write data/incoming/*.csv"},
		{"the current folder", ".", "names a folder"},
		{"the folder above", "data/..", "names a folder"},
		{"back up from a wildcard", "data/*/../a.csv", ".. can't follow a wildcard"},
		{"any depth", "data/**/*.csv", ""},
		{"any depth at the end", "data/**", ""},
		{"a store", "memfs://bucket/in/*.csv", ""},
		{"a store without a file system here", "s3://bucket/*.csv", "has no file system for s3://"},
		{"a local path as an address", "file:///data/*.csv", "write /data/*.csv"},
		{"a folder of a store", "memfs://bucket/", "write memfs://bucket/*.csv"},
		{"a folder without a name", "memfs://bucket//a.csv", "folder without a name"},
		{"dot files", "data/.*.csv", "left alone"},
		{"underscore files", "data/_a.csv", "left alone"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.pattern)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "pattern") {
				t.Errorf("the error does not say that it is about the pattern: %v", err)
			}
		})
	}
}

// plant makes a tree of files, folders, hidden ones and links.
func plant(t testing.TB) string {
	root := t.TempDir()
	for _, name := range []string{
		"a.csv", "b.csv", "ab.csv", "[x].csv", "*.csv", "a", "ä.csv", "a b.csv", ".a.csv", "_a.csv",
		"in/a.csv", "in/b.csv", "in/in/a.csv", "in/.a.csv", "out/a.csv", "out/_b.csv", "ab.d/a.csv",
		".in/a.csv", "_in/a.csv", "_in/_in/a.csv", "c.csv/a.csv",
	} {
		write(t, filepath.Join(root, name), name, 1)
	}
	link(t, root, "in", "link")
	link(t, root, "in/b.csv", "link.csv")
	link(t, root, "in", "folder.csv")
	link(t, root, "nowhere", "dangling")
	link(t, root, "loop", "loop")
	return root
}

// globbed is what filepath.Glob gives, without what is left alone.
func globbed(t testing.TB, root, pattern string) []string {
	paths, err := filepath.Glob(filepath.Clean(root) + "/" + pattern)
	check(t, err)
	parts := strings.Split(pattern, "/")
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		names := strings.Split(strings.TrimPrefix(path, root+"/"), "/")
		if !slices.ContainsFunc(indexes(names), func(i int) bool { return leftAlone(parts[i], names[i], i == len(names)-1) }) {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files
}

func leftAlone(part, name string, file bool) bool {
	if !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") {
		return false
	}
	return file || strings.ContainsAny(part, `*?[\`) && part[0] != name[0]
}

func indexes(names []string) []int {
	is := make([]int, len(names))
	for i := range is {
		is[i] = i
	}
	return is
}

func listed(t testing.TB, root, pattern string) []string {
	p, err := Parse(root + "/" + pattern)
	check(t, err)
	var paths []string
	for _, f := range List(context.Background(), []Pattern{p}, Look{}).Files {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	return paths
}

var patterns = []string{
	"*.csv", "a.csv", "?.csv", "[ab].csv", "[^a]*.csv", `\[x\].csv`, `\*.csv`, "*", "*/*", "*/*/*", "*/a.csv", "in/*.csv",
	"*/in/*.csv", ".in/*.csv", "_*/*.csv", "_in/*/*.csv", "?in/a.csv", ".*/a.csv", "link/*.csv", "l*/*.csv", "link.csv",
	"dangling", "loop", "d*", "a.csv/*", "c.csv/*", "*.csv/a.csv", "nowhere/*.csv", "ä*", "a b*", "in/in/a.csv", "[!a]*",
	"a/a.csv", "a/*", "loop/*", "loop/a.csv", "*/*.csv/*",
}

func TestAPatternMatchesAsGlobDoes(t *testing.T) {
	root := plant(t)
	found := 0
	for _, pattern := range patterns {
		want, got := globbed(t, root, pattern), listed(t, root, pattern)
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", pattern, got, want)
		}
		found += len(got)
	}
	if found < 50 {
		t.Errorf("all patterns together match %d files only", found)
	}
}

func FuzzAPatternMatchesAsGlobDoes(f *testing.F) {
	for _, pattern := range patterns {
		f.Add(pattern)
	}
	root := plant(f)
	f.Fuzz(func(t *testing.T, pattern string) {
		if _, err := Parse(root + "/" + pattern); err != nil || odd(pattern) {
			t.Skip()
		}
		if want, got := globbed(t, root, pattern), listed(t, root, pattern); !slices.Equal(got, want) {
			t.Errorf("%q\ngot  %q\nwant %q", pattern, got, want)
		}
	})
}

// odd are patterns that Glob takes literally and we tidy up: "a//b", "./a".
func odd(pattern string) bool {
	for _, part := range strings.Split(pattern, "/") {
		if part == "" || part == "." || part == ".." || part == anyDepth {
			return true
		}
	}
	return false
}

func TestPathsAreNamedOneWay(t *testing.T) {
	root := plant(t)
	t.Chdir(root)
	for pattern, want := range map[string]string{
		"in/b*.csv":         "in/b.csv",
		"./in/b*.csv":       "in/b.csv",
		"in//b*.csv":        "in/b.csv",
		"out/../in/b.csv":   "in/b.csv",
		"./b.csv":           "b.csv",
		"b*":                "b.csv",
		"i?//b.csv":         "in/b.csv",
		"i?/./b.csv":        "in/b.csv",
		"../*/b.csv":        "../" + filepath.Base(root) + "/b.csv",
		root + "//in/b.csv": root + "/in/b.csv",
	} {
		p, err := Parse(pattern)
		check(t, err)
		if files := List(context.Background(), []Pattern{p}, Look{}).Files; len(files) != 1 || files[0].Path != want {
			t.Errorf("%s gives %v, want %s", pattern, files, want)
		}
	}
}
