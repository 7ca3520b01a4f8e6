package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// A link that leads back up makes a tree without an end of one with two folders.
func TestAnyDepthEndsInATreeThatLinksToItself(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a.csv", "a", 1)
	write(t, root+"/in/sub/b.csv", "b", 1)
	link(t, root, ".", "in/up")
	link(t, root, "in", "in/sub/round")
	link(t, root, "in/sub/b.csv", "in/link.csv")
	for pattern, want := range map[string][]string{
		"**/*.csv":          {"a.csv", "in/link.csv", "in/sub/b.csv"},
		"in/**/*.csv":       {"in/link.csv", "in/sub/b.csv"},
		"in/up/**/b.csv":    {"in/up/in/sub/b.csv"},
		"*/up/**/a.csv":     {"in/up/a.csv"},
		"**/sub/*/sub/*":    {"in/sub/round/sub/b.csv"},
		"in/sub/b.csv/**":   nil,
		"in/sub/**/none/**": nil,
	} {
		if got := listed(t, root, pattern); !slices.Equal(got, rooted(root, want)) {
			t.Errorf("%s\ngot  %q\nwant %q", pattern, got, want)
		}
	}
}

func rooted(root string, names []string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(root, name))
	}
	return paths
}

func TestAFolderThatIsMissingIsAProblemOnce(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/file", "a", 1)
	cases := []struct {
		name    string
		pattern string
		missing bool
	}{
		{"a wildcard", "in/*.csv", true},
		{"any depth", "in/**/*.csv", true},
		{"any depth, a file by its name", "in/**/a.csv", true},
		{"a file by its name", "in/a.csv", true},
		{"any depth below a file", "file/**/a.csv", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			list := listOf(t, root+"/"+c.pattern)
			if len(list.Problems) != 1 || list.Problems[0].Missing != c.missing || len(list.Files) > 0 {
				t.Errorf("got %+v", list)
			}
		})
	}
}

func TestSeveralPatternsGiveEachFileAndProblemOnce(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv", "in/a.csv", "in/b.txt"} {
		write(t, filepath.Join(root, name), name, 1)
	}
	var patterns []Pattern
	for _, pattern := range []string{"*.csv", "a.*", "**/a.csv", "in/*", "./in/../in/b.txt", "gone/*.csv", "gone/**"} {
		p, err := Parse(root + "/" + pattern)
		check(t, err)
		patterns = append(patterns, p)
	}
	list := List(t.Context(), patterns, Look{})
	var got []string
	for _, f := range list.Files {
		got = append(got, strings.TrimPrefix(f.Path, root+"/"))
	}
	slices.Sort(got)
	if want := []string{"a.csv", "b.csv", "in/a.csv", "in/b.txt"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(list.Problems) != 1 || list.Problems[0].Path != filepath.Join(root, "gone") {
		t.Errorf("problems %+v", list.Problems)
	}
}

func TestModificationTimesAreCutToMicroseconds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	for _, at := range []time.Time{epoch, time.Unix(1, 999_999_999), time.Unix(0, 0), time.Unix(-5, 1500), time.Unix(1<<33, 0)} {
		write(t, path, "abc", 0)
		check(t, os.Chtimes(path, at, at))
		want, err := Current(record.File{Path: path})
		if err != nil || want.Modified != at.UnixMicro() {
			t.Errorf("%v: %+v, %v", at, want, err)
		}
		if got := listOf(t, path[:len(path)-5]+"*.csv").Files; len(got) != 1 || got[0] != want {
			t.Errorf("%v: listed %+v, want %+v", at, got, want)
		}
		if got := listOf(t, path).Files; len(got) != 1 || got[0] != want {
			t.Errorf("%v: by its name %+v, want %+v", at, got, want)
		}
	}
}
