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

// Look says how a listing goes; its zero value looks at everything.
type Look struct {
	// Skip, unless nil, tells that a regular file need not be looked at, by its
	// path and the inode that its folder lists: it is left out of the listing. The
	// path is valid during the call.
	Skip func(path []byte, inode uint64) bool
	// Events, unless nil, are those of the folders that the listing reads, from now
	// until the next listing.
	Events *Events
}

// List gives the files of several patterns, in no order. A file that two of
// them match is one file.
func List(ctx context.Context, patterns []Pattern, look Look) *Listing {
	look.Events.begin()
	defer look.Events.end()
	if len(patterns) == 1 {
		return patterns[0].list(ctx, look)
	}
	all := &Listing{}
	told := map[string]bool{}
	for _, p := range patterns {
		l := p.list(ctx, look)
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

// Glance looks at paths of an earlier listing or of events, and at nothing else.
func Glance(paths []string) *Listing {
	w := &walker{}
	for _, path := range paths {
		w.file(path)
	}
	return &w.Listing
}
