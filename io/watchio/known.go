package watchio

import (
	"hash/maphash"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

const (
	// maxKnown bounds the cache, to about 50 MB.
	maxKnown = 1 << 20
	// failedTrust is how long a failed version is taken for failed before the
	// ledger is asked again: a person may have said that it be tried again.
	failedTrust = time.Minute
)

// known caches which versions the ledger has done with, so that it need not be
// asked about each of them at each poll. It may forget anything at any time.
type known struct {
	seeds  [2]maphash.Seed
	done   map[key]struct{}
	failed map[key]time.Time
	limit  int
}

// key is 128 bits of hash, not 64: two versions with one key would mean a file
// that is never loaded.
type key [2]uint64

func newKnown(limit int) *known {
	return &known{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		done:  map[key]struct{}{}, failed: map[key]time.Time{}, limit: limit,
	}
}

func (k *known) key(f record.File) key {
	return key{maphash.Comparable(k.seeds[0], f), maphash.Comparable(k.seeds[1], f)}
}

// has reports whether a version needs no looking up.
func (k *known) has(f record.File, now time.Time) bool {
	id := k.key(f)
	if _, ok := k.done[id]; ok {
		return true
	}
	at, ok := k.failed[id]
	return ok && now.Sub(at) < failedTrust
}

// add remembers a version that is done with, as long as there is room.
func (k *known) add(f record.File, status record.Status, now time.Time) {
	if len(k.done)+len(k.failed) >= k.limit {
		return
	}
	if status == record.StatusFailed {
		k.failed[k.key(f)] = now
		return
	}
	k.done[k.key(f)] = struct{}{}
}

// sweep makes room, when there is none, by forgetting the versions that are
// not listed any more. It does nothing where that would not give much room:
// then the ledger is asked about those that do not fit.
func (k *known) sweep(listed []record.File) {
	if len(k.done)+len(k.failed) < k.limit || len(listed) > k.limit/4*3 {
		return
	}
	done, failed := map[key]struct{}{}, map[key]time.Time{}
	for _, f := range listed {
		id := k.key(f)
		if _, ok := k.done[id]; ok {
			done[id] = struct{}{}
		} else if at, ok := k.failed[id]; ok {
			failed[id] = at
		}
	}
	k.done, k.failed = done, failed
}
