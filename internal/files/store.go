package files

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	"github.com/cartstream/cartstream/transforms/record"
)

const (
	// maxDepth is how many folders ** stands for in a store, at most. Beam's
	// file systems list one depth at a time.
	maxDepth = 10
	// statsAtOnce is how many names of a listing are asked about at a time.
	statsAtOnce = 16
)

var errNoTimes = errors.New("the store tells no modification times")

// cutScheme cuts "gs://bucket/a.csv" into "gs" and "bucket/a.csv".
func cutScheme(path string) (scheme, rest string, ok bool) {
	if scheme, rest, ok = strings.Cut(path, "://"); !ok || scheme == "" {
		return "", path, false
	}
	return scheme, rest, true
}

// registered reports whether Beam knows a file system for a scheme. Beam itself
// answers by a panic.
func registered(scheme string) (ok bool) {
	defer func() { ok = recover() == nil }()
	filesystem.ValidateScheme(scheme + "://")
	return true
}

func unregistered(scheme, rest string) string {
	if scheme == "file" {
		return "local paths are written without a scheme: write " + rest
	}
	return fmt.Sprintf("this program has no file system for %s://; a program that imports one, as "+
		"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs for gs and /s3 for s3, can read it", scheme)
}

// stores holds the file systems that are open, by scheme. They are clients with
// connections of their own and live as long as the process.
var stores struct {
	sync.Mutex
	open map[string]filesystem.Interface
}

// storeOf returns the file system of a scheme. Beam's s3 panics when it finds
// no settings, which is no reason to end a process.
func storeOf(scheme string) (store filesystem.Interface, err error) {
	stores.Lock()
	defer stores.Unlock()
	if open := stores.open[scheme]; open != nil {
		return open, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file system of %s:// does not start: %v", scheme, r)
		}
	}()
	store, err = filesystem.New(context.Background(), scheme+"://")
	if err != nil {
		return nil, err
	}
	if stores.open == nil {
		stores.open = map[string]filesystem.Interface{}
	}
	stores.open[scheme] = store
	return store, nil
}

// Timed returns an error when the files of the pattern have no modification
// times.
func (p Pattern) Timed() error {
	if p.scheme == "" {
		return nil
	}
	store, err := storeOf(p.scheme)
	if err != nil {
		return err
	}
	if _, ok := store.(filesystem.LastModifiedGetter); !ok {
		return fmt.Errorf("%s://: %w", p.scheme, errNoTimes)
	}
	return nil
}

// listStore lists by globs that every store takes for the same, and decides by
// itself what matches.
func (p Pattern) listStore(ctx context.Context) *Listing {
	l := &Listing{}
	store, err := storeOf(p.scheme)
	if err != nil {
		l.Problems = append(l.Problems, Problem{Path: p.folder, Err: err})
		return l
	}
	var paths []string
	for _, glob := range p.globs() {
		listed, err := store.List(ctx, glob)
		if err != nil {
			l.Problems = append(l.Problems, Problem{Path: p.folder, Err: err})
			return l
		}
		for _, path := range listed {
			if rest, ok := strings.CutPrefix(path, join(p.folder, "")); ok && match(p.parts, strings.Split(rest, "/")) {
				paths = append(paths, path)
			}
		}
	}
	l.statAll(ctx, store, paths)
	l.Files = distinct(l.Files)
	return l
}

// globs gives globs that together match all that the pattern does, and more.
// Their only wildcard is the star within a part: stores differ in the others,
// and look for what stands before the first star.
func (p Pattern) globs() []string {
	glob := p.folder
	for i, part := range p.parts {
		if part == anyDepth {
			return deepGlobs(glob, p.parts[i:])
		}
		if n := strings.IndexAny(part, `*?[\`); n >= 0 {
			part = part[:n] + "*"
		}
		glob = join(glob, part)
	}
	return []string{glob}
}

// deepGlobs gives the globs of all depths that parts, which begin with **, can
// have.
func deepGlobs(folder string, parts []string) []string {
	least := 0
	for _, part := range parts {
		if part != anyDepth {
			least++
		}
	}
	var globs []string
	for depth := 1; depth <= least+maxDepth; depth++ {
		folder = join(folder, "*")
		if depth >= least {
			globs = append(globs, folder)
		}
	}
	return globs
}

// statAll adds the files of the paths.
func (l *Listing) statAll(ctx context.Context, store filesystem.Interface, paths []string) {
	files, errs := make([]record.File, len(paths)), make([]error, len(paths))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(statsAtOnce, len(paths)) {
		all.Go(func() {
			for i := range next {
				files[i], errs[i] = stat(ctx, store, paths[i])
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	all.Wait()
	for i, err := range errs {
		if err == nil {
			l.Files = append(l.Files, files[i])
		} else if !absent(err) {
			l.Problems = append(l.Problems, Problem{Path: paths[i], Err: err})
		}
	}
}

// stat asks a store for the version that a path has now. The store answers in
// two calls: a file that is replaced in between gives a version that never was,
// which is found out when it is opened.
func stat(ctx context.Context, store filesystem.Interface, path string) (record.File, error) {
	f := record.File{Path: path}
	timed, ok := store.(filesystem.LastModifiedGetter)
	if ok {
		at, err := timed.LastModified(ctx, path)
		if err != nil {
			return f, err
		}
		f.Modified = micros(at)
	}
	size, err := store.Size(ctx, path)
	f.Size = size
	return f, err
}

// micros is 0 for no time at all.
func micros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}
