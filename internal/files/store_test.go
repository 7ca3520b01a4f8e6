package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"

	"github.com/cartstream/cartstream/transforms/record"
)

func init() {
	filesystem.Register("untimed", func(ctx context.Context) filesystem.Interface { return untimed{memfs.New(ctx)} })
	filesystem.Register("counted", func(ctx context.Context) filesystem.Interface { return counted{memfs.New(ctx)} })
	filesystem.Register("broken", func(context.Context) filesystem.Interface { panic("no credentials") })
	filesystem.Register("away", func(ctx context.Context) filesystem.Interface { return away{memfs.New(ctx)} })
}

var errAway = errors.New("the store is away")

func inMemory(path string) string {
	_, rest, _ := cutScheme(path)
	return "memfs://" + rest
}

// untimed hides the modification times.
type untimed struct{ filesystem.Interface }

func (u untimed) List(ctx context.Context, glob string) ([]string, error) {
	paths, err := u.Interface.List(ctx, inMemory(glob))
	for i, path := range paths {
		paths[i] = strings.Replace(path, "memfs://", "untimed://", 1)
	}
	return paths, err
}

func (u untimed) Size(ctx context.Context, path string) (int64, error) {
	return u.Interface.Size(ctx, inMemory(path))
}

// away is a store that lists nothing but errors.
type away struct{ filesystem.Interface }

func (away) List(context.Context, string) ([]string, error) { return nil, errAway }

// counted counts the streams that are opened and still open, and breaks them
// after breakAfter bytes, unless that is 0.
type counted struct{ filesystem.Interface }

var begun, unclosed, breakAfter atomic.Int64

func (c counted) Size(ctx context.Context, path string) (int64, error) {
	return c.Interface.Size(ctx, inMemory(path))
}

func (c counted) LastModified(ctx context.Context, path string) (time.Time, error) {
	return c.Interface.(filesystem.LastModifiedGetter).LastModified(ctx, inMemory(path))
}

func (c counted) OpenRead(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := c.Interface.OpenRead(ctx, inMemory(path))
	if err != nil {
		return nil, err
	}
	begun.Add(1)
	unclosed.Add(1)
	if n := breakAfter.Load(); n > 0 {
		return countedBody{io.LimitReader(r, n)}, nil
	}
	return countedBody{r}, nil
}

type countedBody struct{ io.Reader }

func (countedBody) Close() error { unclosed.Add(-1); return nil }

// put writes a file into the store of a test and returns its path.
func put(t testing.TB, scheme, name, content string) string {
	path := scheme + "://" + strings.ReplaceAll(t.Name(), "/", "-") + "/" + name
	memfs.Write(inMemory(path), []byte(content))
	return path
}

func listOf(t testing.TB, pattern string) *Listing {
	t.Helper()
	p, err := Parse(pattern)
	check(t, err)
	return List(context.Background(), []Pattern{p}, Look{})
}

// A store and a local folder with the same files give the same.
func TestAStoreIsListedAsAFolderIs(t *testing.T) {
	root := t.TempDir()
	names := []string{
		"a.csv", "b.csv", ".a.csv", "_a.csv", "a.txt", "in/a.csv", "in/b.csv", "in/in/a.csv", "in/in/in/c.csv", ".in/a.csv",
		"_in/in/a.csv", "in/_in/a.csv", "in/.b.csv", "out/in/a.csv", "[x]/a.csv", "2026-01/29/x.csv", "2026-02/01/x.csv",
	}
	var store string
	for _, name := range names {
		write(t, root+"/"+name, name, 1)
		store = strings.TrimSuffix(put(t, "memfs", name, name), "/"+name)
	}
	for _, pattern := range []string{
		"*.csv", "a.csv", "?.csv", "[ab].csv", "in/*.csv", "*/*.csv", "*/in/*.csv", "?n/a.csv", `\[x\]/a.csv`, "[^a]*/a.csv", ".in/*.csv",
		"_*/*/*.csv", ".*/*.csv", "2026-0[12]/*/x.csv", "2026-*/0?/*", "nowhere/*.csv", "*", "**/*.csv", "**", "in/**", "**/a.csv",
		"**/in/*.csv", "**/in/**/*.csv", "in/**/in/*.csv", "**/in/**", "_in/**/a.csv", "**/.in/*.csv", "**/**/a.csv", "*/**/?.csv", "in/**/b*",
	} {
		t.Run(pattern, func(t *testing.T) {
			var local, stored []string
			for _, f := range listOf(t, root+"/"+pattern).Files {
				local = append(local, strings.TrimPrefix(f.Path, root))
			}
			for _, f := range listOf(t, store+"/"+pattern).Files {
				stored = append(stored, strings.TrimPrefix(f.Path, store))
			}
			slices.Sort(local)
			slices.Sort(stored)
			if !slices.Equal(local, stored) {
				t.Errorf("local  %q\nstored %q", local, stored)
			}
		})
	}
}

func TestAStoresFileHasItsVersion(t *testing.T) {
	before := time.Now().UnixMicro()
	path := put(t, "memfs", "a.csv", "id\n1\n")
	list := listOf(t, strings.TrimSuffix(path, "a.csv")+"*.csv")
	if len(list.Files) != 1 || len(list.Problems) != 0 {
		t.Fatalf("listed %+v", list)
	}
	f := list.Files[0]
	if f.Path != path || f.Size != 5 || f.Modified < before || f.Modified > time.Now().UnixMicro() {
		t.Errorf("got %+v", f)
	}
}

func TestAStoreWithoutModificationTimes(t *testing.T) {
	path := put(t, "untimed", "a.csv", "abc")
	pattern := strings.TrimSuffix(path, "a.csv") + "*.csv"
	want := []record.File{{Path: path, Size: 3}}
	if got := listOf(t, pattern).Files; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	p, err := Parse(pattern)
	check(t, err)
	if err := p.Timed(); !errors.Is(err, errNoTimes) {
		t.Errorf("got %v", err)
	}
	for _, timed := range []string{"memfs://in/*.csv", "in/*.csv"} {
		p, err := Parse(timed)
		check(t, err)
		check(t, p.Timed())
	}
}

func TestAStoreInTrouble(t *testing.T) {
	for pattern, want := range map[string]string{"broken://in/*.csv": "no credentials", "away://in/*.csv": "is away"} {
		list := listOf(t, pattern)
		if len(list.Files) > 0 || len(list.Problems) != 1 || !strings.Contains(list.Problems[0].Err.Error(), want) {
			t.Errorf("%s gives %+v", pattern, list)
		}
		if !list.Covers(strings.Replace(pattern, "*", "a", 1)) || list.Covers("memfs://in/a.csv") {
			t.Errorf("%s: the problem does not cover its files only", pattern)
		}
	}
	if _, err := Open(context.Background(), "broken://in/a.csv"); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("got %v", err)
	}
}

func TestAFileOfAStoreIsReadWhereverOneLikes(t *testing.T) {
	content := strings.Repeat("0123456789", 100)
	f := open(t, put(t, "counted", "a.csv", content))
	for _, at := range [][2]int{{0, 10}, {10, 500}, {3, 4}, {900, 100}, {900, 101}, {1000, 1}, {1000, 0}, {0, 1000}, {999, 1}, {2000, 3}} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			b := make([]byte, at[1])
			n, err := f.ReadAt(b, int64(at[0]))
			want := ""
			if at[0] < len(content) {
				want = content[at[0]:min(at[0]+at[1], len(content))]
			}
			if string(b[:n]) != want || (err == io.EOF) != (n < at[1]) || err != nil && err != io.EOF {
				t.Errorf("got %q, %v", b[:n], err)
			}
		})
	}
}

func open(t testing.TB, path string) File {
	t.Helper()
	f, err := Open(context.Background(), path)
	check(t, err)
	t.Cleanup(func() { check(t, f.Close()) })
	return f
}

// Each range of a file is opened by itself.
func TestRangesInTheirOrderTakeOneStream(t *testing.T) {
	path := put(t, "counted", "a.csv", strings.Repeat("x", 1000))
	streams, left := begun.Load(), unclosed.Load()
	for off := int64(0); off < 1000; off += 100 {
		f, err := Open(context.Background(), path)
		check(t, err)
		_, err = f.ReadAt(make([]byte, 90), off)
		check(t, err)
		_, err = f.ReadAt(make([]byte, 10), off+90)
		check(t, err)
		check(t, f.Close())
	}
	if n := begun.Load() - streams; n != 1 {
		t.Errorf("%d streams were opened", n)
	}
	if n := unclosed.Load() - left; n != 0 {
		t.Errorf("%d streams are left open", n)
	}
}

func TestIdleStreamsAreBounded(t *testing.T) {
	left := unclosed.Load() - int64(len(idle.waiting))
	for i := range 2 * maxIdle {
		f, err := Open(context.Background(), put(t, "counted", fmt.Sprint(i), "abc"))
		check(t, err)
		_, err = f.ReadAt(make([]byte, 1), 0)
		check(t, err)
		check(t, f.Close())
	}
	if n := unclosed.Load() - left; n != maxIdle || len(idle.waiting) != maxIdle {
		t.Errorf("%d streams are open, %d wait", n, len(idle.waiting))
	}
	for len(idle.waiting) > 0 {
		idle.expire(idle.waiting[0].stream)
	}
	if n := unclosed.Load() - left; n != 0 {
		t.Errorf("%d streams are open after their time", n)
	}
}

func TestAFileThatIsReplacedIsNeverMixed(t *testing.T) {
	path := put(t, "counted", "a.csv", "old old old")
	f := open(t, path)
	b := make([]byte, 3)
	_, err := f.ReadAt(b, 0)
	check(t, err)
	put(t, "counted", "a.csv", "new new new")
	if n, err := f.ReadAt(b, 4); err != nil || string(b[:n]) != "old" {
		t.Errorf("the open stream gives %q, %v", b[:n], err)
	}
	before, err := f.Stat()
	check(t, err)
	_, err = f.ReadAt(b, 0) // takes a new stream
	if err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("got %q, %v", b, err)
	}
	after, err := open(t, path).Stat()
	check(t, err)
	if before.ModTime().Equal(after.ModTime()) || before.Size() != 11 {
		t.Errorf("before %v, after %v", before.ModTime(), after.ModTime())
	}
}

func TestAStreamThatBreaksIsNoEndOfTheFile(t *testing.T) {
	path := put(t, "counted", "a.csv", "0123456789")
	f := open(t, path)
	breakAfter.Store(4)
	b := make([]byte, 10)
	if _, err := f.ReadAt(b, 0); err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	breakAfter.Store(0)
	if n, err := f.ReadAt(b, 0); err != nil || string(b[:n]) != "0123456789" {
		t.Errorf("after it is mended: %q, %v", b[:n], err)
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	for _, path := range []string{"memfs://nowhere/a.csv", t.TempDir() + "/a.csv"} {
		f, err := Open(context.Background(), path)
		if err == nil || f != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v", path, f, err)
		}
	}
}
