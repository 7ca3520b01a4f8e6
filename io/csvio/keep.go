package csvio

// keeper keeps the bytes of the range at hand of a stream, which can't be read
// again. It holds a range's bound, or a record's where that is larger, and the
// record after it.
type keeper struct {
	// most bounds an item: of a longer one, which is a range of its own, its
	// first bytes are kept and its last two, in which its line end is.
	most int
	buf  []byte
	// item is where in buf the item at hand begins.
	item int
}

func newKeeper(l limits) *keeper {
	return &keeper{most: int(max(l.RangeBytes, l.RecordBytes+1)) + lineEndSize}
}

// lineEndSize is the longest line end.
const lineEndSize = len("\r\n")

// begin begins the next item.
func (k *keeper) begin() { k.item = len(k.buf) }

// add takes in the next bytes of the item at hand.
func (k *keeper) add(b []byte) {
	room := min(k.item+k.most-len(k.buf), len(b))
	k.buf = append(k.buf, b[:room]...)
	rest := b[room:]
	for _, c := range rest[max(len(rest)-lineEndSize, 0):] {
		k.buf[len(k.buf)-2], k.buf[len(k.buf)-1] = k.buf[len(k.buf)-1], c
	}
}

// forget drops all before the item that begins next.
func (k *keeper) forget() { k.buf = k.buf[:0] }

// take returns the bytes before the item at hand, which are the caller's from
// then on.
func (k *keeper) take() []byte {
	taken, item := k.buf[:k.item:k.item], k.buf[k.item:]
	k.buf, k.item = nil, 0
	if len(item) > 0 { // the next range will be as long
		k.buf = append(make([]byte, 0, max(len(taken), len(item))), item...)
	}
	return taken
}
