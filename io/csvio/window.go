package csvio

import (
	"bytes"
	"context"
	"errors"
	"math"
)

// windowChunk is how much is read at once, in bytes, beyond the lookahead.
const windowChunk = 1 << 20

// unknownSize is the size of a stream whose end is not in sight.
const unknownSize = math.MaxInt64

// input is what a window looks at.
type input interface {
	// next fills b with what stands at off, where the call before it ended. It
	// returns fewer bytes at the end and with an error.
	next(ctx context.Context, b []byte, off int64) (int, error)
}

// window is a sliding view of a file: its next bytes, always more than the
// bound of a record, or all that are left.
type window struct {
	in  input
	buf []byte
	// off is where in the file data begins; data is a part of buf.
	off  int64
	data []byte
	max  int64
	// size is the file's, or unknownSize until the end is seen.
	size int64
	// stop is where reading stops for now, as the file's end would have it.
	stop int64
	// broken is set where the content ends before it should: data holds what
	// stands before that, and may be less than the window promises.
	broken *contentError
	// keep, where set, gets what leaves the window.
	keep *keeper
}

// newWindow returns a window at the start of the file. It uses buf's memory
// where that is large enough.
func newWindow(in input, size, max, chunk int64, buf []byte) *window {
	need := min(max+1+chunk, size)
	if int64(cap(buf)) < need {
		buf = make([]byte, need)
	}
	buf = buf[:cap(buf)]
	return &window{in: in, buf: buf, data: buf[:0], max: max, size: size, stop: size}
}

// fill reads on until the window holds what it promises. The data it held
// moves.
func (w *window) fill(ctx context.Context) error {
	if int64(len(w.data)) > w.max {
		return nil
	}
	return w.read(ctx)
}

func (w *window) read(ctx context.Context) error {
	have := int64(len(w.data))
	left := min(w.size, w.stop) - w.off - have
	if left <= 0 || w.broken != nil {
		return nil
	}
	copy(w.buf, w.data)
	want := min(int64(len(w.buf))-have, left)
	n, err := w.in.next(ctx, w.buf[have:have+want], w.off+have)
	w.data = w.buf[:have+int64(n)]
	if errors.As(err, &w.broken) {
		return nil
	}
	if int64(n) < want && err == nil {
		w.size = w.off + int64(len(w.data))
	}
	return err
}

// jump goes on at an offset that nothing was read beyond.
func (w *window) jump(off int64) { w.off, w.data = off, w.buf[:0] }

// advance drops the first n bytes.
func (w *window) advance(n int) {
	if w.keep != nil {
		w.keep.add(w.data[:n])
	}
	w.off += int64(n)
	w.data = w.data[n:]
}

// skipLine drops the rest of a line that the window can't hold and returns how
// many bytes that were, its newline included.
func (w *window) skipLine(ctx context.Context, newline byte) (int64, error) {
	from := w.off
	for {
		if nl := bytes.IndexByte(w.data, newline); nl >= 0 {
			w.advance(nl + 1)
			return w.off - from, nil
		}
		w.advance(len(w.data))
		if err := w.fill(ctx); err != nil {
			return 0, err
		}
		if len(w.data) == 0 {
			return w.off - from, w.brokenError()
		}
	}
}

// brokenError is broken as an error, which is nil where that is.
func (w *window) brokenError() error {
	if w.broken == nil {
		return nil
	}
	return w.broken
}
