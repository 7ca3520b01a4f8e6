package csvio

import (
	"bytes"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/klauspost/compress/gzip"

	"github.com/cartstream/cartstream/transforms/record"
)

// TestALargeArchiveIsReadInBoundedMemory reads 200 MB out of a gzip, much of it
// in members, and looks at the heap at the end of each range.
func TestALargeArchiveIsReadInBoundedMemory(t *testing.T) {
	const content, most = 200 << 20, 64 << 20
	block := strings.Repeat("1,\"two, \"\"three\"\"\",four four four four\n", 27_000)
	packed := gzipped(t, abcHeader) + strings.Repeat(gzipped(t, block), content/len(block)+1)
	f, open := inMemory(packed)
	ranges := splitWith[abc](t, record.Work{File: f}, open, windowChunk)
	fn := &readFn[abc]{}
	fn.Setup()
	fn.open = open
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var read, highest, cut uint64
	err := fn.ProcessElement(t.Context(), ranges[0], func(r *record.Record[abc]) {
		if r.Data() {
			return
		}
		if r.Kind != record.KindRangeEnd {
			t.Fatalf("kind %d: %v", r.Kind, r.Fault)
		}
		read += uint64(r.Source.Range.End - r.Source.Range.Start)
		cut++
		runtime.ReadMemStats(&now)
		highest = max(highest, now.HeapAlloc-min(before.HeapAlloc, now.HeapAlloc))
	})
	if err != nil || read < content || cut < 20 {
		t.Fatalf("%d bytes in %d ranges, %v", read, cut, err)
	}
	t.Logf("%d MB of heap at most for %d MB in %d ranges", highest>>20, read>>20, cut)
	if highest > most {
		t.Errorf("%d MB of heap, want %d at most", highest>>20, most>>20)
	}
}

// TestTheEndOfARangeKeepsNothingOfIt: runners hold on to the last element that
// an instance has emitted.
func TestTheEndOfARangeKeepsNothingOfIt(t *testing.T) {
	f, open := inMemory(abcHeader + strings.Repeat("1,two,three\n", 1000))
	var last *record.Record[abc]
	var buffer weak.Pointer[byte]
	fn := &readFn[abc]{}
	fn.Setup()
	fn.open = open
	err := fn.ProcessElement(t.Context(), splitWith[abc](t, record.Work{File: f}, open, windowChunk)[0], func(r *record.Record[abc]) {
		if last = r; r.Data() {
			buffer = weak.Make(&r.Raw[0])
		}
	})
	if err != nil || last.Kind != record.KindRangeEnd {
		t.Fatalf("%+v, %v", last, err)
	}
	runtime.GC()
	if buffer.Value() != nil {
		t.Error("the buffer of the range is still there")
	}
	runtime.KeepAlive(last)
	runtime.KeepAlive(fn)
}

// endless is a gzip file that says it is very long, and is; it counts what is
// read of it.
type endless struct {
	member []byte
	read   int64
}

func (e *endless) Close() error               { return nil }
func (e *endless) Stat() (fs.FileInfo, error) { return e, nil }
func (e *endless) Name() string               { return "endless" }
func (e *endless) Size() int64                { return 1 << 40 }
func (e *endless) Mode() fs.FileMode          { return 0o600 }
func (e *endless) ModTime() time.Time         { return time.UnixMicro(0) }
func (e *endless) IsDir() bool                { return false }
func (e *endless) Sys() any                   { return nil }

func (e *endless) ReadAt(b []byte, off int64) (int, error) {
	e.read += int64(len(b))
	for i := range b {
		b[i] = e.member[(off+int64(i))%int64(len(e.member))]
	}
	return len(b), nil
}

// TestWhatIsNotNeededIsNotRead: splitting looks at the first bytes only, and a
// header that fails the file ends the reading.
func TestWhatIsNotNeededIsNotRead(t *testing.T) {
	var member bytes.Buffer
	w := gzip.NewWriter(&member)
	if _, err := io.WriteString(w, strings.Repeat("x,y,z\n", 1_000_000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	e := &endless{member: member.Bytes()}
	open := func(string) (file, error) { return e, nil }
	ranges := splitWith[abc](t, record.Work{File: record.File{Path: "endless", Size: e.Size()}}, open, windowChunk)
	recs := readWith[abc](t, ranges, open)
	if len(recs) != 1 || recs[0].Kind != record.KindFileFailed || recs[0].Fault.Code != record.CodeInvalidHeader {
		t.Errorf("got %+v", recs)
	}
	if e.read > 4<<20 {
		t.Errorf("%d bytes were read", e.read)
	}
}
