package watchio

import (
	"container/heap"
	"hash/maphash"

	"github.com/cartstream/cartstream/transforms/record"
)

// queue holds the files that wait to be handed on, sorted, from one poll to the next.
// Each path is in it once, as the version that was put last. It takes some 130 bytes a
// file, so a backlog of a million files takes as many MB.
type queue struct {
	settings settings
	heap     versionHeap
	// current has the version of each path, by hashes of 64 bits. What the heap holds
	// besides is stale. Should two paths share a hash, the one that was put first waits
	// until a listing finds it again.
	current map[uint64]queued
	seeds   [2]maphash.Seed
	bytes   int64
}

// queued is the version of a path in the queue.
type queued struct {
	sum  uint64
	size int64
}

func newQueue(s settings) *queue {
	return &queue{
		settings: s, heap: versionHeap{order: s.order()}, current: map[uint64]queued{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
}

func (q *queue) len() int                   { return len(q.current) }
func (q *queue) key(path string) uint64     { return maphash.String(q.seeds[0], path) }
func (q *queue) sum(f record.File) uint64   { return maphash.Comparable(q.seeds[1], f) }
func (q *queue) has(f record.File) bool     { return q.holds(q.key(f.Path), q.sum(f)) }
func (q *queue) holds(key, sum uint64) bool { c, ok := q.current[key]; return ok && c.sum == sum }

func (q *queue) hasPath(path string) bool { _, ok := q.current[q.key(path)]; return ok }

// put adds a version in place of another one of its path.
func (q *queue) put(f record.File) {
	key, sum := q.key(f.Path), q.sum(f)
	if q.holds(key, sum) {
		return
	}
	q.bytes += f.Size - q.current[key].size
	q.current[key] = queued{sum: sum, size: f.Size}
	heap.Push(&q.heap, f)
	q.compact()
}

// drop removes the version of a path, and returns its size and whether there was one.
func (q *queue) drop(path string) (size int64, ok bool) {
	key := q.key(path)
	c, ok := q.current[key]
	delete(q.current, key)
	q.bytes -= c.size
	return c.size, ok
}

// compact drops what is stale when that is most of the heap.
func (q *queue) compact() {
	const least = 64
	if len(q.heap.files) < 2*len(q.current)+least {
		return
	}
	q.heap.files = q.all()
	heap.Init(&q.heap)
}

// all returns the files, unsorted.
func (q *queue) all() []record.File {
	files := make([]record.File, 0, len(q.current))
	for _, f := range q.heap.files {
		if q.has(f) {
			files = append(files, f)
		}
	}
	return files
}

// first returns the file that is first by the order.
func (q *queue) first() (f record.File, ok bool) {
	for len(q.heap.files) > 0 {
		if f = q.heap.files[0]; q.has(f) {
			return f, true
		}
		heap.Pop(&q.heap)
	}
	return f, false
}

// oldest returns the file that was modified first.
func (q *queue) oldest() (oldest record.File, ok bool) {
	if !q.settings.LatestFirst {
		return q.first()
	}
	for _, f := range q.heap.files {
		if (!ok || f.Modified < oldest.Modified) && q.has(f) {
			oldest, ok = f, true
		}
	}
	return oldest, ok
}

// ahead returns the first n files, in their order. They stay in the queue.
func (q *queue) ahead(n int) []record.File {
	var files []record.File
	for len(files) < n {
		f, ok := q.first()
		if !ok {
			break
		}
		files = append(files, f)
		heap.Pop(&q.heap)
	}
	for _, f := range files {
		heap.Push(&q.heap, f)
	}
	return files
}

// versionHeap implements heap.Interface.
type versionHeap struct {
	order func(a, b record.File) int
	files []record.File
}

func (h *versionHeap) Len() int           { return len(h.files) }
func (h *versionHeap) Less(i, j int) bool { return h.order(h.files[i], h.files[j]) < 0 }
func (h *versionHeap) Swap(i, j int)      { h.files[i], h.files[j] = h.files[j], h.files[i] }
func (h *versionHeap) Push(f any)         { h.files = append(h.files, f.(record.File)) }

func (h *versionHeap) Pop() any {
	last := len(h.files) - 1
	f := h.files[last]
	h.files[last] = record.File{} // its path can be freed
	h.files = h.files[:last]
	return f
}
