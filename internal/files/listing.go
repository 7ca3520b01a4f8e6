package files

import (
	"context"
	"strings"

	"github.com/cartstream/cartstream/transforms/record"
)

// Listing is what a pattern matches at a moment, each path once. filepath.Glob
// is not used because it says nothing of folders that it could not read.
type Listing struct {
	Files    []record.File
	Problems []Problem
}

// Problem is a path that could not be looked at.
type Problem struct {
	Path string
	Err  error
	// Missing marks the folder of a pattern, when it is not there.
	Missing bool
}

// Covers reports whether a path that is not listed may be there all the same,
// because it, or a folder above it, could not be looked at.
func (l *Listing) Covers(path string) bool {
	for _, p := range l.Problems {
		if p.Path == path || p.Path == "." || strings.HasPrefix(path, join(p.Path, "")) {
			return true
		}
	}
	return false
}

// List gives the files of several patterns, in no order. A file that two of
// them match is one file.
func List(ctx context.Context, patterns []Pattern) *Listing {
	if len(patterns) == 1 {
		return patterns[0].List(ctx)
	}
	all := &Listing{}
	told := map[string]bool{}
	for _, p := range patterns {
		l := p.List(ctx)
		all.Files = append(all.Files, l.Files...)
		for _, problem := range l.Problems {
			if !told[problem.Path] {
				told[problem.Path] = true
				all.Problems = append(all.Problems, problem)
			}
		}
	}
	all.Files = distinct(all.Files)
	return all
}
