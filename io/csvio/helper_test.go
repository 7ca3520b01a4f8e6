package csvio

import (
	"os"
	"path/filepath"
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

// splitAll runs splitFn over one file version.
func splitAll[T any](t testing.TB, w record.Work, opts ...Option) []record.Range {
	t.Helper()
	o := newOptions(opts)
	fn := &splitFn[T]{Run: o.run, Limits: o.limits, Fingerprint: Fingerprint[T](opts...)}
	fn.Setup()
	var ranges []record.Range
	if err := fn.ProcessElement(t.Context(), w, func(r record.Range) { ranges = append(ranges, r) }); err != nil {
		t.Fatal(err)
	}
	return ranges
}

// readAll runs readFn over ranges, with one DoFn for all of them as in a bundle.
func readAll[T any](t testing.TB, ranges []record.Range, opts ...Option) []*record.Record[T] {
	t.Helper()
	fn := &readFn[T]{Run: newOptions(opts).run}
	fn.Setup()
	var recs []*record.Record[T]
	for _, r := range ranges {
		if err := fn.ProcessElement(t.Context(), r, func(r *record.Record[T]) { recs = append(recs, r) }); err != nil {
			t.Fatal(err)
		}
	}
	return recs
}
