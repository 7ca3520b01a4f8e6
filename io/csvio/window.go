package csvio

import (
	"bytes"
	"context"
)

// windowChunk is how much is read at once, in bytes, beyond the lookahead.
const windowChunk = 1 << 20

// window is a sliding view of a file: its next bytes, always more than the
// bound of a record, or all that are left.
type window struct {
	src   *source
	buf   []byte
	chunk int64
	// off is where in the file data begins; data is a part of buf.
	off  int64
	data []byte
	max  int64
}

// newWindow returns a window at the start of the file. It uses buf's memory
// where that is large enough.
func newWindow(src *source, max, chunk int64, buf []byte) *window {
	need := min(max+1+chunk, src.version.Size)
	if int64(cap(buf)) < need {
		buf = make([]byte, need)
	}
	buf = buf[:cap(buf)]
	return &window{src: src, buf: buf, chunk: chunk, data: buf[:0], max: max}
}

// fill reads on until the window holds what it promises. The data it held
// moves.
func (w *window) fill(ctx context.Context) error {
	have := int64(len(w.data))
	left := w.src.version.Size - w.off - have
	if have > w.max || left == 0 {
		return nil
	}
	copy(w.buf, w.data)
	more := min(int64(len(w.buf))-have, left)
	w.data = w.buf[:have+more]
	return w.src.readAt(ctx, w.data[have:], w.off+have)
}

// advance drops the first n bytes.
func (w *window) advance(n int) {
	w.off += int64(n)
	w.data = w.data[n:]
}

// skipLine drops the rest of a line that the window can't hold and returns how
// many bytes that were, its newline included.
func (w *window) skipLine(ctx context.Context) (int64, error) {
	from := w.off
	for {
		if nl := bytes.IndexByte(w.data, '\n'); nl >= 0 {
			w.advance(nl + 1)
			return w.off - from, nil
		}
		w.advance(len(w.data))
		if w.off == w.src.version.Size {
			return w.off - from, nil
		}
		if err := w.fill(ctx); err != nil {
			return 0, err
		}
	}
}
