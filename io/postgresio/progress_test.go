package postgresio

import (
	"testing"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// The backlog shrinks with each range, also of an archive, and by a file that
// fails.
func TestBacklogShrinks(t *testing.T) {
	w := newWorld(t, itemTable)
	control := runctl.Of(w.run)
	control.SetBacklog(runctl.Backlog{Files: 5, Bytes: 5000, Oldest: 7})
	s := newSink[item](w, "items")
	failure := func(file string, unsplit bool, share int64) []*record.Record[item] {
		fault := &record.Fault{Code: record.CodeCorruptArchive, Message: "damaged"}
		r := &record.Range{File: testFile(file), Fingerprint: "f1", Failure: fault, Unsplit: unsplit, Share: share}
		return []*record.Record[item]{{Kind: record.KindFileFailed, Source: record.Source{Range: r}, Fault: fault}}
	}
	part := func(file string, n int, share int64, last bool) []*record.Record[item] {
		return rangeOf[item](&record.Range{
			File: testFile(file), Fingerprint: "f1", Start: int64(n) * 9000, End: int64(n+1) * 9000, Index: int64(n), Last: last, Unsplit: true, Share: share,
		}, items(n, n+1)...)
	}
	for _, c := range []struct {
		name                 string
		records              []*record.Record[item]
		files, bytes, loaded int64
	}{
		{"a file", wholeRange[item](testFile("plain"), items(0, 1)...), 4, 4000, 1000},
		{"an archive begins", part("archive", 0, 300, false), 4, 3700, 1300},
		{"and ends", part("archive", 1, 700, true), 3, 3000, 2000},
		{"a damaged one begins", part("damaged", 0, 300, false), 3, 2700, 2300},
		{"and fails", failure("damaged", true, 700), 2, 2000, 2300},
		{"a header that is wrong", failure("header", false, 0), 1, 1000, 2300},
		{"the last one, which a look has counted whole though half is loaded", part("halved", 1, 500, true), 0, 0, 2800},
	} {
		s.load(c.records...)
		b, loaded := control.Backlog()
		if b.Files != c.files || b.Bytes != c.bytes || loaded != c.loaded {
			t.Errorf("%s: the backlog is %+v, and %d bytes are loaded; want %d files, %d bytes, and %d loaded", c.name, b, loaded, c.files, c.bytes, c.loaded)
		}
	}
}
