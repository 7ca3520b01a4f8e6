package csvio

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cartstream/cartstream/internal/files"
)

// compression is how a file is compressed; the zero one is not at all.
type compression string

const (
	compressedGzip  compression = files.Gzip
	compressedZstd  compression = files.Zstd
	compressedBzip2 compression = files.Bzip2
)

// compressionOf tells by the first bytes of a file, files.Sniffed of them.
func compressionOf(b []byte) compression { return compression(files.Compression(b)) }

// zstdWindow is the largest window that is accepted: what the zstd program
// itself accepts without --long. A file takes as much memory as its window.
const zstdWindow = 128 << 20

// reader returns what reads the content of a file that is compressed so. Both
// gzip's and zstd's go on with the next member or frame where one ends.
func (c compression) reader(r *bufio.Reader) (io.ReadCloser, error) {
	switch c {
	case compressedGzip:
		m := &gzipMembers{r: r}
		err := m.next()
		return m, err
	case compressedZstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case compressedBzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	}
	return io.NopCloser(r), nil
}

// gzipMembers reads the members of a gzip file, one after the other. Zeros
// after a member are padding, as gzip(1) has it.
type gzipMembers struct {
	r *bufio.Reader
	z gzip.Reader
}

// Read implements io.Reader.
func (m *gzipMembers) Read(b []byte) (int, error) {
	n, err := m.z.Read(b)
	if err == io.EOF { //nolint:errorlint // a wrapped one is no end
		err = m.pad()
	}
	return n, err
}

// pad reads the padding after a member and begins the next one.
func (m *gzipMembers) pad() error {
	for {
		c, err := m.r.ReadByte()
		if err != nil {
			return err
		}
		if c != 0 {
			_ = m.r.UnreadByte() // of what was just read
			return m.next()
		}
	}
}

func (m *gzipMembers) next() error {
	err := m.z.Reset(m.r)
	m.z.Multistream(false)
	return err
}

// Close implements io.Closer.
func (m *gzipMembers) Close() error { return m.z.Close() }

// whyBroken says in the user's words why an archive can't be read on.
func whyBroken(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, zstd.ErrCRCMismatch):
		return "its checksum does not fit what came before"
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Sprintf("it needs a window of more than %d MiB, allowed is that at most: compress it anew with --long=27 or less", zstdWindow>>20)
	}
	return err.Error()
}
