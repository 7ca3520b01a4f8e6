package csvio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// gzipped compresses the parts as members of their own.
func gzipped(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		if len(part) < 1000 { // thousands of small files are made
			w, err = gzip.NewWriterLevel(&b, gzip.StatelessCompression)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func zstded(t testing.TB, parts ...string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, part := range parts {
		b = w.EncodeAll([]byte(part), b)
	}
	return string(b)
}

// inUTF16 encodes text as it is, without a byte order mark.
func inUTF16(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// outcome is what one range came to.
type outcome struct {
	Range   record.Range
	Records []string
}

// outcomes gathers records by their ranges, and holds that each range ends
// before the next begins.
func outcomes(t testing.TB, recs []*record.Record[abc]) []outcome {
	t.Helper()
	var all []outcome
	var open *record.Range
	for _, r := range recs {
		if open != nil && open != r.Source.Range {
			t.Fatalf("range %+v begins before %+v has ended", r.Source.Range, open)
		}
		if open == nil {
			own := *r.Source.Range
			own.File, own.Fingerprint, own.Unsplit, own.Share, own.Hash, own.HashedBytes = record.File{}, "", false, 0, 0, 0
			all = append(all, outcome{Range: own})
		}
		open = r.Source.Range
		o := &all[len(all)-1]
		o.Records = append(o.Records, fmt.Sprintf("%d@%d kind %d %q %+v %+v", r.Source.Line, r.Source.Offset, r.Kind, r.Raw, r.Value, r.Fault))
		if !r.Data() {
			open = nil
		}
	}
	return all
}

// readSequence reads a file that has to be unsplit.
func readSequence(t testing.TB, content string, chunk int64, done []record.DoneRange, opts ...Option) []*record.Record[abc] {
	t.Helper()
	f, open := inMemory(content)
	ranges := splitWith[abc](t, record.Work{File: f, Done: done}, open, windowChunk, opts...)
	if len(ranges) != 1 || !ranges[0].Unsplit || ranges[0].Failure != nil || ranges[0].Records != 0 ||
		!reflect.DeepEqual(ranges[0].Done, done) {
		t.Fatalf("the ranges are %+v, want one for the whole", ranges)
	}
	recs := readChunks[abc](t, ranges, open, chunk, opts...)
	var share int64
	for _, r := range recs {
		if !r.Data() {
			share += r.Source.Range.Share
		}
		if rng := r.Source.Range; rng.File != f || rng.Fingerprint != ranges[0].Fingerprint || !rng.Unsplit || rng.Done != nil {
			t.Fatalf("a record has the range %+v of %+v", rng, ranges[0])
		}
	}
	if len(done) == 0 && share != f.Size {
		t.Fatalf("the ranges stand for %d of %d bytes", share, f.Size)
	}
	return recs
}

// checkUnsplit holds that a packed file comes to what the plain one comes to.
func checkUnsplit(t testing.TB, plain, packed string, chunk int64, opts ...Option) {
	t.Helper()
	f, open := inMemory(plain)
	plainly := slices.Concat(opts, []Option{withUTF8})
	ranges := splitWith[abc](t, record.Work{File: f}, open, chunk, plainly...)
	want := outcomes(t, readWith[abc](t, ranges, open, plainly...))
	got := outcomes(t, readSequence(t, packed, chunk, nil, opts...))
	for i := range max(len(want), len(got)) {
		if i >= len(got) || i >= len(want) || !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("of %q, range %d of %d is\n%+v\nof %d plainly\n%+v", plain, i, len(got), got[min(i, len(got)-1)], len(want), want[min(i, len(want)-1)])
		}
	}
}

// withUTF8 makes UTF-16 the UTF-8 that it is read as.
func withUTF8(o *options) {
	if o.dialect.utf16() {
		o.dialect.Encoding = EncodingUTF8
	}
}

func TestUnsplitFilesAreCutAsPlainOnes(t *testing.T) {
	utf := func(encoding string) Option {
		return WithDialect(with(func(d *Dialect) { d.Encoding = encoding }))
	}
	const mark = "\xef\xbb\xbf"
	for i, body := range awkward {
		t.Run(fmt.Sprintf("file %d", i), func(t *testing.T) {
			plain := abcHeader + body
			unicode := strings.ToValidUTF8(plain, "\U0001f9c0é")
			gz, zst := gzipped(t, plain[:len(plain)/2], plain[len(plain)/2:]), zstded(t, plain)
			for _, bounds := range [][3]int64{{1, 1, 10}, {7, 2, 20}, {30, 100, 50}, {1000, 1000, 1 << 20}} {
				opts := []Option{WithMaxRangeBytes(bounds[0]), WithMaxRangeRecords(bounds[1]), WithMaxRecordBytes(bounds[2])}
				for _, chunk := range []int64{1, 13, 1000} {
					checkUnsplit(t, plain, gz, chunk, opts...)
					checkUnsplit(t, plain, zst, chunk, opts...)
					checkUnsplit(t, mark+unicode, inUTF16(binary.LittleEndian, "\ufeff"+unicode), chunk, append(opts, utf(EncodingUTF16))...)
					checkUnsplit(t, mark+unicode, inUTF16(binary.BigEndian, "\ufeff"+unicode), chunk, append(opts, utf(EncodingUTF16))...)
					checkUnsplit(t, unicode, inUTF16(binary.LittleEndian, unicode), chunk, append(opts, utf(EncodingUTF16LE))...)
					checkUnsplit(t, unicode, inUTF16(binary.BigEndian, unicode), chunk, append(opts, utf(EncodingUTF16BE))...)
				}
			}
		})
	}
}

func TestUnsplitHeaders(t *testing.T) {
	for _, c := range []struct{ name, content string }{
		{"a required column is missing", "a,c\n1,2\n"},
		{"a quote that is never closed", "\"a,b,c\n1,2,3\n"},
		{"too long", strings.Repeat("a", 1<<20+1) + "\n"},
		{"too long for the window", strings.Repeat("a", 3<<20) + "\n"},
		{"empty", ""},
		{"a header only", "a,b,c"},
		{"a line beyond all bounds", abcHeader + "1,2," + strings.Repeat("x", 10<<20) + "\r\n4,5,6\n"},
		{"a comment that is none", "#\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkUnsplit(t, c.content, gzipped(t, c.content), windowChunk, WithMaxExpansion(0))
		})
	}
}

func TestUTF16ThatIsNone(t *testing.T) {
	utf := WithDialect(with(func(d *Dialect) { d.Encoding = EncodingUTF16 }))
	for _, c := range []struct {
		name, content, want string
		kind                record.Kind
	}{
		{"no byte order mark", "a,b,c\n", `file "in memory": the file has no byte order mark, so it may be either kind of UTF-16: set csv.encoding to utf-16le or utf-16be`, record.KindFileFailed},
		{"one byte", "a", `file "in memory": the file has no byte order mark`, record.KindFileFailed},
		{"nothing", "", "", record.KindRangeEnd},
		{"half a pair", inUTF16(binary.LittleEndian, "\ufeffa,b,c\n1,") + "\x3e\xd8,\x00\n\x00", "the record has half of a surrogate pair", record.KindFault},
		{"the other half", inUTF16(binary.LittleEndian, "\ufeffa,b,c\n1,") + "\xc0\xdd,\x00\n\x00", "the record has half of a surrogate pair", record.KindFault},
		{"half a pair at the end", inUTF16(binary.LittleEndian, "\ufeffa,b,c\n1,2,") + "\x3e\xd8", "the record has half of a surrogate pair", record.KindFault},
		{"half a character at the end", inUTF16(binary.LittleEndian, "\ufeffa,b,c\n1,2,") + "3", "the record has half of a surrogate pair, or half of a character at the end", record.KindFault},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := readSequence(t, c.content, windowChunk, nil, utf)[0]
			message := ""
			if rec.Fault != nil {
				message = rec.Fault.Message
				wantCode(t, rec, record.CodeInvalidEncoding)
			}
			if rec.Kind != c.kind || !strings.HasPrefix(message, c.want) || c.want == "" && message != "" {
				t.Errorf("kind %d, %q", rec.Kind, message)
			}
		})
	}
}

// TestUTF16InPieces: a character may be in two reads of the file.
func TestUTF16InPieces(t *testing.T) {
	const text = "a\u00e9\U0001f9c0\U0001f9c0\n"
	got, err := io.ReadAll(newUTF16Reader(iotest.OneByteReader(strings.NewReader(inUTF16(binary.BigEndian, "\ufeff"+text))), EncodingUTF16))
	if err != nil || string(got) != "\ufeff"+text {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestUnsplitFilesLeaveOutWhatIsDone(t *testing.T) {
	packed := gzipped(t, tenRecords)
	all := outcomes(t, readSequence(t, packed, windowChunk, nil, WithMaxRangeRecords(2)))
	if len(all) != 5 {
		t.Fatalf("%d ranges", len(all))
	}
	for mask := range 1 << len(all) {
		var done []record.DoneRange
		var want []outcome
		for i, o := range all {
			if mask&(1<<i) != 0 {
				done = append(done, record.DoneRange{Start: o.Range.Start})
			} else {
				want = append(want, o)
			}
		}
		if got := outcomes(t, readSequence(t, packed, windowChunk, done, WithMaxRangeRecords(2))); !reflect.DeepEqual(got, want) {
			t.Errorf("without %v there are %+v, want %+v", done, got, want)
		}
	}
}

// manyRecords does not compress well, so that a cut shows where it is.
func manyRecords(n int) string {
	var b strings.Builder
	b.WriteString(abcHeader)
	x := uint64(1)
	for i := range n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%d,%x,\"%x\"\n", i, x, x*7)
	}
	return b.String()
}

func TestArchivesThatAreDamaged(t *testing.T) {
	// What bytes that were changed come to may look like content, until the
	// checksum after it tells.
	const changed = "changed in the middle"
	const records, each = 2000, 100
	plain := manyRecords(records)
	opts := []Option{WithMaxRangeRecords(each), WithMaxRecordBytes(1000)}
	whole := outcomes(t, readSequence(t, gzipped(t, plain), windowChunk, nil, opts...))
	for _, pack := range []struct {
		name   string
		packed string
	}{
		{"gzip", gzipped(t, plain)},
		{"gzip of two members", gzipped(t, plain[:len(plain)/2], plain[len(plain)/2:])},
		{"zstd", zstded(t, plain[:len(plain)/2], plain[len(plain)/2:])},
		{"bzip2", string(testdata(t, "bzip2.csv.bz2"))},
	} {
		kind := strings.Fields(pack.name)[0]
		for _, damage := range []struct {
			name string
			do   func(string) string
		}{
			{"cut after its first bytes", func(s string) string { return s[:12] }},
			{"cut in the middle", func(s string) string { return s[:len(s)*2/3] }},
			{"cut before its last byte", func(s string) string { return s[:len(s)-1] }},
			{changed, func(s string) string {
				b := []byte(s)
				for i := range 20 {
					b[len(b)*2/3+i] ^= 0x55
				}
				return string(b)
			}},
			{"followed by something else", func(s string) string { return s + strings.Repeat("something else", 10) }},
		} {
			t.Run(pack.name+" "+damage.name, func(t *testing.T) {
				for _, chunk := range []int64{1, windowChunk} {
					got := outcomes(t, readSequence(t, damage.do(pack.packed), chunk, nil, opts...))
					last := got[len(got)-1].Range
					if damage.name == changed {
						if last.Failure == nil {
							t.Fatalf("the last range is %+v", last)
						}
						continue
					}
					want := fmt.Sprintf(`file "in memory": its %s archive can't be read beyond byte `, kind)
					if f := last.Failure; f == nil || f.Code != record.CodeCorruptArchive || !strings.HasPrefix(f.Message, want) ||
						!strings.Contains(f.Message, "near byte ") || last.FailureLine < 1 {
						t.Fatalf("the last range is %+v", last)
					}
					if last.Records != 0 || last.Start != last.End || len(got) > 1 && last.Start < got[len(got)-2].Range.End {
						t.Errorf("the marker stands at %+v, want nothing after what was read", last)
					}
					if kind != "bzip2" && !reflect.DeepEqual(got[:len(got)-1], whole[:len(got)-1]) {
						t.Errorf("the ranges before are not what they are in the whole file")
					}
					if kind == "gzip" && damage.name == "cut in the middle" && len(got) < len(whole)/2 {
						t.Errorf("%d ranges of %d", len(got)-1, len(whole))
					}
				}
			})
		}
	}
}

func TestUnsplitFilesThatChange(t *testing.T) {
	packed := gzipped(t, tenRecords)
	for _, c := range []struct {
		name  string
		after int
	}{{"before they are read", 0}, {"between two ranges", 4}} {
		t.Run(c.name, func(t *testing.T) {
			f := writeFile(t, packed)
			ranges := splitAll[abc](t, record.Work{File: f}, WithMaxRangeRecords(3))
			if c.after == 0 {
				touch(t, f.Path)
			}
			fn := &readFn[abc]{}
			fn.Setup()
			var recs []*record.Record[abc]
			err := fn.ProcessElement(t.Context(), ranges[0], func(r *record.Record[abc]) {
				if recs = append(recs, r); len(recs) == c.after {
					touch(t, f.Path)
				}
			})
			last := recs[len(recs)-1]
			if err != nil || len(recs) != c.after+1 || last.Kind != record.KindSuperseded || last.Source.Range.File != f ||
				last.Source.Range.Fingerprint != ranges[0].Fingerprint {
				t.Errorf("%d records, the last is %+v; %v", len(recs), last, err)
			}
		})
	}
	f := writeFile(t, packed)
	touch(t, f.Path)
	wantSuperseded(t, splitAll[abc](t, record.Work{File: f}))
}

func TestUnsplitFilesObeyTheRun(t *testing.T) {
	broken := errors.New("the table is gone")
	f := writeFile(t, gzipped(t, tenRecords))
	whole := splitAll[abc](t, record.Work{File: f}, WithMaxRangeRecords(3))[0]
	for _, c := range []struct {
		name    string
		control func(*runctl.Control)
		err     error
	}{
		{"draining: the range in hand is read, the next is not", func(c *runctl.Control) { c.Drain(time.Hour) }, nil},
		{"failed: it ends with the run's error", func(c *runctl.Control) { c.Fail(broken) }, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := t.Name()
			defer runctl.Forget(run)
			fn := &readFn[abc]{Run: run}
			fn.Setup()
			var recs []*record.Record[abc]
			err := fn.ProcessElement(t.Context(), whole, func(r *record.Record[abc]) {
				if recs = append(recs, r); len(recs) == 5 {
					c.control(runctl.Of(run))
				}
			})
			if !errors.Is(err, c.err) || len(recs) != 8 || recs[7].Kind != record.KindRangeEnd {
				t.Errorf("%d records, %v", len(recs), err)
			}
		})
	}
}

func TestUnsplitFilesThatCantBeRead(t *testing.T) {
	f, open := inMemory(gzipped(t, tenRecords))
	whole := splitWith[abc](t, record.Work{File: f}, open, windowChunk)
	gone := flaky(open, 1000, errors.New("the disk is away"))
	wantOnly(t, readWith[abc](t, whole, gone), record.KindUnreadable, record.CodeUnreadable)
	if recs := readWith[abc](t, whole, flaky(open, 2, io.ErrClosedPipe)); len(recs) != 11 {
		t.Errorf("%d records after passing trouble", len(recs))
	}
	whole[0].Fingerprint = "csv9"
	wantOnly(t, readWith[abc](t, whole, open), record.KindUnreadable, record.CodeUnreadable)
}

// Archives as other programs write them, or may.
func TestArchivesThatAreUnusual(t *testing.T) {
	zeros := strings.Repeat("\x00", 512)
	tail := zstded(t, tenRecords)
	window := func(log byte) string { return "\x28\xb5\x2f\xfd\x00" + string((log-10)<<3) + tail[6:] }
	const tooLarge = "its zstd archive can't be read beyond byte 0 of its content, near byte "
	const howLarge = "it needs a window of more than 128 MiB, allowed is that at most: compress it anew with --long=27 or less"
	for _, c := range []struct{ name, content, want string }{
		{"gzip with zeros after it", gzipped(t, tenRecords) + zeros, ""},
		{"gzip with zeros between its members", gzipped(t, tenRecords[:40]) + zeros + gzipped(t, tenRecords[40:]) + zeros, ""},
		{"gzip with zeros and something else", gzipped(t, tenRecords) + zeros + "else", "its gzip archive can't be read beyond byte "},
		{"zstd with a window of 256 MiB", window(28), howLarge},
		{"zstd whose one segment has 2 GB", "\x28\xb5\x2f\xfd\xe0" + "\x00\x00\x00\x80\x00\x00\x00\x00" + tail[6:], howLarge},
		{"zstd with a window of 2 TB", window(41), tooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			recs := readSequence(t, c.content, windowChunk, nil)
			last := recs[len(recs)-1]
			switch {
			case c.want == "":
				if len(recs) != 11 || last.Kind != record.KindRangeEnd {
					t.Errorf("%d records, the last is %+v", len(recs), last)
				}
			case last.Kind != record.KindFileFailed || !strings.Contains(last.Fault.Message, c.want):
				t.Errorf("the last of %d records is %+v, want %q", len(recs), last.Fault, c.want)
			}
		})
	}
}

// A reader of a long archive tells on its way how much of the file it has read.
func TestArchivesTellHowMuchOfThemIsRead(t *testing.T) {
	plain := manyRecords(20_000)
	for name, packed := range map[string]string{"gzip": gzipped(t, plain), "zstd": zstded(t, plain[:len(plain)/2], plain[len(plain)/2:])} {
		t.Run(name, func(t *testing.T) {
			const each = 1000
			ranges := outcomes(t, readSequence(t, packed, 1000, nil, WithMaxRangeRecords(each), WithMaxRecordBytes(1000)))
			var ends []record.DoneRange
			for _, o := range ranges[:10] {
				ends = append(ends, record.DoneRange{Start: o.Range.Start})
			}
			// Of those that are done nothing is told, until the next one has it all.
			for _, done := range [][]record.DoneRange{nil, ends} {
				var told, largest int64
				for _, r := range readSequence(t, packed, 1000, done, WithMaxRangeRecords(each), WithMaxRecordBytes(1000)) {
					if r.Kind == record.KindRangeEnd {
						told, largest = told+r.Source.Range.Share, max(largest, r.Source.Range.Share)
					}
				}
				size, most := int64(len(packed)), int64(len(packed)/4)
				if len(done) > 0 {
					most = size * 3 / 4
				}
				if told != size || largest > most {
					t.Errorf("%d done: %d bytes of %d are told, %d at once", len(done), told, size, largest)
				}
			}
		})
	}
}

// The message of a damaged archive says what is loaded of it.
func TestDamagedArchivesTellWhatIsLoaded(t *testing.T) {
	plain := manyRecords(2000)
	packed := gzipped(t, plain)
	flipped := []byte(packed)
	flipped[len(flipped)-8] ^= 1 // in the checksum, as a bit of the content would have it
	for _, c := range []struct{ name, content, want string }{
		{
			"cut off", packed[:len(packed)*2/3],
			"it ends too early; the 1300 records before that are loaded, and may be damaged too, because a checksum comes after what it is about: " +
				"write the file anew, and rows that are stored are not stored twice",
		},
		{"another checksum", string(flipped), "its checksum does not fit what came before; the 1900 records before that are loaded, and may be damaged too"},
		{"cut off at its beginning", packed[:12], "it ends too early; nothing of it is loaded: write the file anew"},
	} {
		t.Run(c.name, func(t *testing.T) {
			recs := readSequence(t, c.content, windowChunk, nil, WithMaxRangeRecords(100), WithMaxRecordBytes(1000))
			if last := recs[len(recs)-1]; last.Kind != record.KindFileFailed || !strings.Contains(last.Fault.Message, c.want) {
				t.Errorf("got %v", last.Fault)
			}
		})
	}
}
