package csvio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// readAhead is how much of a file that is read in sequence is read at once.
const readAhead = 256 << 10

// contentError says that a file's content can't be read as a whole: it is no
// use to try it again.
type contentError struct {
	fault record.Fault
	// cutOff tells that the file ends before its content does.
	cutOff bool
}

func (e *contentError) Error() string { return e.fault.Error() }

// errExpansion says that a compressed file has more content than it may have.
var errExpansion = errors.New("too much content")

// stream is the content of a file that is read in sequence: decompressed, and
// in UTF-8 where it is UTF-16. It stays at the error it met.
type stream struct {
	file        *fileReader
	buffered    *bufio.Reader
	encoding    string
	compression compression
	content     io.Reader
	closer      io.Closer
	err         error
	// most is how many bytes of content a compressed file may have.
	most int64
}

// leastContent is what the content of any compressed file may have, in bytes.
const leastContent = 1 << 20

// newStream begins a file, whose content is bounded to expansion times its size, unless
// that is 0.
func newStream(src *source, d Dialect, expansion int) *stream {
	file := &fileReader{src: src, hash: files.NewHasher()}
	size := int(min(readAhead, src.version.Size))
	s := &stream{file: file, buffered: bufio.NewReaderSize(file, size), encoding: d.Encoding, most: math.MaxInt64}
	if n := int64(expansion); n > 0 && src.version.Size < math.MaxInt64/n {
		s.most = max(n*src.version.Size, leastContent)
	}
	return s
}

// next implements input.
func (s *stream) next(ctx context.Context, b []byte, off int64) (int, error) {
	s.file.ctx = ctx
	n := 0
	for n < len(b) && s.err == nil {
		if s.content == nil {
			s.err = s.open()
			continue
		}
		var more int
		more, s.err = s.content.Read(b[n:])
		n += more
		if s.compression != "" && off+int64(n) > s.most {
			n, s.err = int(s.most-off), errExpansion
		}
	}
	switch {
	case s.err == nil || s.err == io.EOF: //nolint:errorlint // a wrapped one is no end
		return n, nil
	case s.file.err != nil:
		return n, s.file.err
	}
	return n, &contentError{fault: s.fault(off + int64(n)), cutOff: errors.Is(s.err, io.ErrUnexpectedEOF)}
}

// open looks at the first bytes and puts the readers together.
func (s *stream) open() error {
	first, err := s.buffered.Peek(files.Sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.compression = compressionOf(first)
	content, err := s.compression.reader(s.buffered)
	if err != nil {
		return err
	}
	s.content, s.closer = content, content
	if (Dialect{Encoding: s.encoding}).utf16() {
		s.content = newUTF16Reader(content, s.encoding)
	}
	return nil
}

// fault says where the content can't be read: after off bytes of it.
func (s *stream) fault(off int64) record.Fault {
	path := strconv.Quote(s.file.src.version.Path)
	if errors.Is(s.err, errExpansion) {
		return record.Fault{Code: record.CodeTooLargeArchive, Message: fmt.Sprintf(
			"file %s: its %s archive of %d bytes holds more than %d bytes, allowed are %d times its size (validation.max_expansion; 0 for no bound)",
			path, s.compression, s.file.src.version.Size, s.most, s.most/max(1, s.file.src.version.Size))}
	}
	if errors.Is(s.err, errNoByteOrderMark) {
		return record.Fault{Code: record.CodeInvalidEncoding, Message: "file " + path + ": " + s.err.Error()}
	}
	return record.Fault{Code: record.CodeCorruptArchive, Message: fmt.Sprintf(
		"file %s: its %s archive can't be read beyond byte %d of its content, near byte %d of the %d of the file: %s",
		path, s.compression, off, s.taken(), s.file.src.version.Size, whyBroken(s.err))}
}

// taken is how much of the file was read for the content that was handed out.
func (s *stream) taken() int64 { return s.file.off - int64(s.buffered.Buffered()) }

// readRest reads the file to its end for the hash: what follows an archive is not
// content.
func (s *stream) readRest(ctx context.Context) error {
	s.file.ctx = ctx
	_, err := io.Copy(io.Discard, s.file)
	return err
}

func (s *stream) close() {
	if s.closer != nil {
		_ = s.closer.Close() // nothing was written
	}
}

// fileReader reads a file version from its start to its end.
type fileReader struct {
	src *source
	// ctx is that of the call at hand: a decompressor has no place for it.
	ctx context.Context
	off int64
	// hash is that of the bytes before off.
	hash *files.Hasher
	// err is the file's own, which decompressors may hide.
	err error
}

// Read implements io.Reader.
func (r *fileReader) Read(b []byte) (int, error) {
	n, err := r.src.next(r.ctx, b, r.off)
	r.off += int64(n)
	r.hash.Add(b[:n])
	switch {
	case err != nil:
		r.err = err
	case n == 0 && len(b) > 0:
		err = io.EOF
	}
	return n, err
}
