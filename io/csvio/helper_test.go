package csvio

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// order has every kind of field that records are read into in earnest.
type order struct {
	ID      uuid.UUID        `csv:"id"`
	User    string           `csv:"user"`
	Price   *decimal.Decimal `csv:"price"`
	Placed  time.Time        `csv:"placed"`
	Comment *string          `csv:"comment,optional"`
	Ignored int
}

func init() { Register[order]() }

// writeFile writes a file and returns its version.
func writeFile(t testing.TB, content string) record.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return version(t, path)
}

func version(t testing.TB, path string) record.File {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return record.File{Path: path, Size: info.Size(), Modified: info.ModTime().UnixMicro()}
}

// splitAll runs splitFn over one file version on disk.
func splitAll[T any](t testing.TB, w record.Work, opts ...Option) []record.Range {
	t.Helper()
	return splitWith[T](t, w, openLocal, windowChunk, opts...)
}

// readAll runs readFn over ranges of files on disk, with one DoFn for all of
// them as in a bundle.
func readAll[T any](t testing.TB, ranges []record.Range, opts ...Option) []*record.Record[T] {
	t.Helper()
	return readWith[T](t, ranges, openLocal, opts...)
}

func splitWith[T any](t testing.TB, w record.Work, open opener, chunk int64, opts ...Option) []record.Range {
	t.Helper()
	o := newOptions(opts)
	fn := &splitFn[T]{Run: o.run, Fingerprint: Fingerprint[T](opts...)}
	fn.Setup()
	fn.open, fn.chunk = open, chunk
	var ranges []record.Range
	if err := fn.ProcessElement(t.Context(), w, func(r record.Range) { ranges = append(ranges, r) }); err != nil {
		t.Fatal(err)
	}
	return ranges
}

func readWith[T any](t testing.TB, ranges []record.Range, open opener, opts ...Option) []*record.Record[T] {
	t.Helper()
	return readChunks[T](t, ranges, open, windowChunk, opts...)
}

// readAt is the time at which readWith and readChunks begin each range.
const readAt = 1_700_000_000_123_456

// readChunks reads streams in chunks of a size of one's own.
func readChunks[T any](t testing.TB, ranges []record.Range, open opener, chunk int64, opts ...Option) []*record.Record[T] {
	t.Helper()
	o := newOptions(opts)
	fn := &readFn[T]{Run: o.run, MaxExpansion: o.maxExpansion}
	fn.Setup()
	fn.open, fn.chunk, fn.now = open, chunk, func() time.Time { return time.UnixMicro(readAt) }
	var recs []*record.Record[T]
	for _, r := range ranges {
		if err := fn.ProcessElement(t.Context(), r, func(r *record.Record[T]) { recs = append(recs, r) }); err != nil {
			t.Fatal(err)
		}
	}
	return recs
}

// inMemory gives a file version that has the content, and what opens it, so
// that thousands of files can be tried without a disk.
func inMemory(content string) (record.File, opener) {
	f := memoryFile{strings.NewReader(content)}
	return record.File{Path: "in memory", Size: f.Size()}, func(string) (file, error) { return f, nil }
}

type memoryFile struct{ *strings.Reader }

func (f memoryFile) Close() error               { return nil }
func (f memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f memoryFile) Name() string               { return "in memory" }
func (f memoryFile) Mode() fs.FileMode          { return 0o600 }
func (f memoryFile) ModTime() time.Time         { return time.UnixMicro(0) }
func (f memoryFile) IsDir() bool                { return false }
func (f memoryFile) Sys() any                   { return nil }
