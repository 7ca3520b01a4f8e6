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
	done   map[uint64]version
	failed map[record.File]time.Time
	limit  int
}

// version is the one that the ledger has done with of a path, which is known by 64
// bits of hash.
type version struct {
	// sum is 64 bits more, of all that makes a version: two with one hash and one
	// sum would mean a file that is never loaded. It is 0 of a path that was only
	// listed.
	sum uint64
	// inode is the one that the folder had listed when a look found this version;
	// listed is the one that it lists. Half of its bits do: a look tells in the end.
	inode, listed uint32
}

func newKnown(limit int) *known {
	return &known{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		done:  map[uint64]version{}, failed: map[record.File]time.Time{}, limit: limit,
	}
}

func (k *known) key(path string) uint64    { return maphash.String(k.seeds[0], path) }
func (k *known) sum(f record.File) uint64  { return maphash.Comparable(k.seeds[1], f) }
func (k *known) len() int                  { return len(k.done) + len(k.failed) }
func foldInode(inode uint64) (half uint32) { return uint32(inode ^ inode>>32) }

// listed notes the inode that a folder lists for a path, and reports whether it is
// still the file that a look has found to be done with. Only a look tells whether
// that was written to since.
func (k *known) listed(path []byte, inode uint64) bool {
	key, half := maphash.Bytes(k.seeds[0], path), foldInode(inode)
	v, ok := k.done[key]
	if v.listed != half && (ok || k.len() < k.limit) {
		v.listed = half
		k.done[key] = v
	}
	return v.inode == half && half != 0
}

// doubt has the next listing look at a path, whatever its inode.
func (k *known) doubt(path string) {
	if v, ok := k.done[k.key(path)]; ok {
		v.inode = 0
		k.done[k.key(path)] = v
	}
}

// has reports whether a version that a look has found needs no asking about. Where
// it is another one than the ledger has done with, each listing looks at the path
// until it is.
func (k *known) has(f record.File, now time.Time) bool {
	key := k.key(f.Path)
	if v, ok := k.done[key]; ok {
		same := v.sum == k.sum(f)
		inode := v.listed
		if !same {
			inode = 0
		}
		if v.inode != inode {
			v.inode = inode
			k.done[key] = v
		}
		if same {
			return true
		}
	}
	at, ok := k.failed[f]
	return ok && now.Sub(at) < failedTrust
}

// add remembers a version that is done with, as long as there is room.
func (k *known) add(f record.File, status record.Status, now time.Time) {
	key, room := k.key(f.Path), k.len() < k.limit
	v, there := k.done[key]
	switch {
	case status == record.StatusFailed && room:
		k.failed[f] = now
	case status != record.StatusFailed && (room || there):
		k.done[key] = version{sum: k.sum(f), listed: v.listed}
	}
}

// sweep makes room, when there is none, by forgetting the versions that are
// not listed any more. It does nothing where that would not give much room:
// then the ledger is asked about those that do not fit.
func (k *known) sweep(listed []record.File) {
	if k.len() < k.limit || len(listed) > k.limit/4*3 {
		return
	}
	done, failed := map[uint64]version{}, map[record.File]time.Time{}
	for _, f := range listed {
		if v, ok := k.done[k.key(f.Path)]; ok {
			done[k.key(f.Path)] = v
		} else if at, ok := k.failed[f]; ok {
			failed[f] = at
		}
	}
	k.done, k.failed = done, failed
}
