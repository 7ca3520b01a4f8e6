package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	"github.com/cartstream/cartstream/transforms/record"
)

// errReplaced says that a path has become another version between two looks.
var errReplaced = errors.New("the file was replaced while it was opened")

// object is a file of a store, read by streams that begin at its beginning.
type object struct {
	ctx     context.Context
	store   filesystem.Interface
	version record.File
	stream  *stream
}

// stream reads one version in its order.
type stream struct {
	body io.ReadCloser
	// pos is the offset of the next byte.
	pos int64
}

func openObject(ctx context.Context, scheme, path string) (File, error) {
	store, err := storeOf(scheme)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	version, err := stat(ctx, store, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &object{ctx: ctx, store: store, version: version}, nil
}

// Stat gives the version that was found when the file was opened. What ReadAt
// reads is of that one.
func (o *object) Stat() (fs.FileInfo, error) { return info{o.version}, nil }

// ReadAt reads on in the stream where off is not before its place, and takes
// another stream where it is. After an error the next call begins anew. io.EOF
// means the end of the version only, not that of a stream that broke.
func (o *object) ReadAt(b []byte, off int64) (n int, err error) {
	left := max(o.version.Size-off, 0)
	short := int64(len(b)) > left
	if short {
		b = b[:left]
	}
	if len(b) > 0 {
		n, err = o.read(b, off)
	}
	if err != nil {
		o.drop()
		return n, fmt.Errorf("%s: reading at byte %d of %d: %s", o.version.Path, off, o.version.Size, err) //nolint:errorlint // an EOF inside is none of the file's
	}
	if short {
		err = io.EOF
	}
	return n, err
}

func (o *object) read(b []byte, off int64) (int, error) {
	if err := o.seek(off); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(o.stream.body, b)
	o.stream.pos += int64(n)
	return n, err
}

// seek brings a stream of the version to off.
func (o *object) seek(off int64) (err error) {
	if o.stream != nil && o.stream.pos > off && !o.stream.seeks() {
		idle.put(o.version, o.stream)
		o.stream = nil
	}
	if o.stream == nil {
		o.stream = idle.take(o.version, off)
	}
	if o.stream == nil {
		if o.stream, err = o.begin(); err != nil {
			return err
		}
	}
	return o.stream.skipTo(off)
}

func (s *stream) seeks() bool {
	_, ok := s.body.(io.Seeker)
	return ok
}

func (s *stream) skipTo(off int64) (err error) {
	if off == s.pos {
		return nil
	}
	if seeker, ok := s.body.(io.Seeker); ok {
		s.pos, err = seeker.Seek(off, io.SeekStart)
		return err
	}
	n, err := io.CopyN(io.Discard, s.body, off-s.pos)
	s.pos += n
	return err
}

// begin opens a stream and makes sure that it is one of the version: the path
// was that before, so it is when it still is that after.
func (o *object) begin() (*stream, error) {
	body, err := o.store.OpenRead(o.ctx, o.version.Path)
	if err != nil {
		return nil, err
	}
	now, err := stat(o.ctx, o.store, o.version.Path)
	if err == nil && now != o.version {
		err = errReplaced
	}
	if err != nil {
		_ = body.Close() // nothing was written
		return nil, err
	}
	return &stream{body: body}, nil
}

func (o *object) drop() {
	if o.stream != nil {
		o.stream.close()
		o.stream = nil
	}
}

// Close leaves the stream to the next one who reads on where this one ended:
// the ranges of a file are opened one by one.
func (o *object) Close() error {
	switch {
	case o.stream == nil:
	case o.stream.pos < o.version.Size:
		idle.put(o.version, o.stream)
		o.stream = nil
	default:
		o.drop()
	}
	return nil
}
