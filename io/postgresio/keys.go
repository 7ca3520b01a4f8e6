package postgresio

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// keysInFlight are the keys of the batches that are being loaded. Two open
// transactions that insert one key make the later wait for the earlier and
// fail; so a batch holds back the rows whose keys are in a batch that began
// before it, and loads them when that one has ended. Waiting goes from later to
// earlier batches only, so it never goes in a circle.
type keysInFlight struct {
	mu   sync.Mutex
	open []*batchKeys
}

// batchKeys are the rows of a batch, by key.
type batchKeys struct {
	// sorted has the rows in the order of their keys; rows of one key keep the
	// order of files and lines.
	sorted []entry
	ended  chan struct{}
	// before are closed when the batches end that began earlier and share a key
	// with this one; not the batches themselves, whose rows are long gone while a
	// later one waits.
	before []<-chan struct{}
	// held has the keys that they share.
	held map[key]bool
}

// enter registers a batch's keys, in the room of the writer that loads it; leave
// must follow when it has ended.
func (k *keysInFlight) enter(b *batch, w *workspace) *batchKeys {
	own := &batchKeys{sorted: w.sortByKey(b), ended: make(chan struct{}), held: map[key]bool{}}
	k.mu.Lock()
	defer k.mu.Unlock()
	// Under the lock, because the room of a batch that has left is used again.
	for _, e := range k.open {
		if own.shared(e) {
			own.before = append(own.before, e.ended)
		}
	}
	k.open = append(k.open, own)
	return own
}

func (k *keysInFlight) leave(own *batchKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = slices.DeleteFunc(k.open, func(b *batchKeys) bool { return b == own })
	close(own.ended)
}

// longestHold bounds a wait that goes on inside a transaction. An earlier
// batch may need a lock that this transaction has (of a row that triggers
// count in, say), and PostgreSQL can't see that circle.
const longestHold = 5 * time.Second

var errHeldTooLong = errors.New("waited too long for a batch with the same keys")

// wait returns when all batches that hold keys of this one have ended, or with
// errHeldTooLong when atMost has passed; 0 is no bound.
func (b *batchKeys) wait(ctx context.Context, atMost time.Duration) error {
	if atMost > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, atMost, errHeldTooLong)
		defer cancel()
	}
	for _, ended := range b.before {
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// shared notes the keys that are in both batches, and whether there are any.
func (b *batchKeys) shared(o *batchKeys) bool {
	found := false
	i, j := 0, 0
	for i < len(b.sorted) && j < len(o.sorted) {
		switch c := b.sorted[i].key.compare(o.sorted[j].key); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			b.held[b.sorted[i].key] = true
			found = true
			i++
		}
	}
	return found
}
