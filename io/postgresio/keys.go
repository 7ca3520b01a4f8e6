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
	mu      sync.Mutex
	open    []*batchKeys
	entered int        // batches so far
	changed *sync.Cond // when one has entered
}

func newKeysInFlight() *keysInFlight {
	k := &keysInFlight{}
	k.changed = sync.NewCond(&k.mu)
	return k
}

// batchKeys are the rows of a batch, by key.
type batchKeys struct {
	// sorted has the rows in the order of their keys; rows of one key keep the
	// order of files and lines.
	sorted []entry
	end    *batchEnd
	// before are the ends of the batches that began earlier and share a key with
	// this one; not the batches themselves, whose rows are long gone while a later
	// one waits.
	before []*batchEnd
	// held has the keys that they share.
	held map[key]bool
}

// batchEnd says that a batch has ended, and how.
type batchEnd struct {
	begun     chan struct{} // closed when it has a transaction
	begin     sync.Once
	ended     chan struct{} // closed then
	committed bool          // set before
}

// enter registers a batch's keys, in the room of the writer that loads it; leave
// must follow when it has ended. Batches enter in their order, however long each
// takes to be sorted.
func (k *keysInFlight) enter(b *batch, w *workspace) *batchKeys {
	own := &batchKeys{sorted: w.sortByKey(b), end: &batchEnd{begun: make(chan struct{}), ended: make(chan struct{})}, held: map[key]bool{}}
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.entered != b.number {
		k.changed.Wait()
	}
	k.entered++
	k.changed.Broadcast()
	// Under the lock, because the room of a batch that has left is used again.
	for _, e := range k.open {
		if own.shared(e) {
			own.before = append(own.before, e.end)
		}
	}
	k.open = append(k.open, own)
	return own
}

func (k *keysInFlight) leave(own *batchKeys, committed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = slices.DeleteFunc(k.open, func(b *batchKeys) bool { return b == own })
	own.end.committed = committed
	close(own.end.ended)
}

// longestHold bounds a wait that goes on inside a transaction. An earlier
// batch may need a lock that this transaction has (of a row that triggers
// count in, say), and PostgreSQL can't see that circle.
const longestHold = 5 * time.Second

var errHeldTooLong = errors.New("waited too long for a batch with the same keys")

// errNotBefore ends a batch whose rows would have come after others that are not
// loaded in this run any more: the next one loads these, and they would be the
// later ones then.
var errNotBefore = errors.New("an earlier batch with the same keys was not committed")

// began tells the later batches that this one has a transaction.
func (b *batchKeys) began() { b.end.begin.Do(func() { close(b.end.begun) }) }

// awaitBegun returns when all batches that hold keys of this one have a transaction,
// or have ended: who waits for them inside its own takes no session from them then,
// of which a pooler may have few.
func (b *batchKeys) awaitBegun(ctx context.Context) error {
	for _, before := range b.before {
		select {
		case <-before.begun:
		case <-before.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// wait returns when all batches that hold keys of this one have ended, or with
// errHeldTooLong when atMost has passed; 0 is no bound.
func (b *batchKeys) wait(ctx context.Context, atMost time.Duration) error {
	if atMost > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, atMost, errHeldTooLong)
		defer cancel()
	}
	for _, before := range b.before {
		select {
		case <-before.ended:
			if !before.committed {
				return errNotBefore
			}
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
