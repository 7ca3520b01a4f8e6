package watchio

import (
	"container/heap"
	"hash/maphash"
	"slices"

	"github.com/cartstream/cartstream/transforms/record"
)

// queue holds the files that wait to be handed on, sorted, from one poll to the next.
// Each path is in it once, as the version that was put last. It takes some 150 bytes a
// file, so a backlog of a million files takes as many MB.
type queue struct {
	settings settings
	heap     queueHeap
	// current has what is queued of each path, by a hash of 64 bits. What the heap holds
	// besides is stale. Should two paths share a hash, the one that was put first waits
	// until a listing finds it again.
	current map[uint64]queued
	seeds   [2]maphash.Seed
	bytes   int64
	// puts counts the calls of put that have added something.
	puts uint64
}

// queued is the version of a path in the queue.
type queued struct {
	sum uint64 // of the version
	put uint64 // which one has added it
	// size is in bytes.
	size int64
}

func newQueue(s settings) *queue {
	return &queue{
		settings: s, heap: queueHeap{order: s.order()}, current: map[uint64]queued{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
}

func (q *queue) len() int                 { return len(q.current) }
func (q *queue) key(path string) uint64   { return maphash.String(q.seeds[0], path) }
func (q *queue) sum(f record.File) uint64 { return maphash.Comparable(q.seeds[1], f) }
func (q *queue) stale(e queueEntry) bool  { return q.current[q.key(e.file.Path)].put != e.put }

func (q *queue) has(f record.File) bool {
	c, ok := q.current[q.key(f.Path)]
	return ok && c.sum == q.sum(f)
}

// put adds a version in place of another one of its path.
func (q *queue) put(f record.File) {
	if q.has(f) {
		return
	}
	key := q.key(f.Path)
	q.puts++
	q.bytes += f.Size - q.current[key].size
	q.current[key] = queued{sum: q.sum(f), put: q.puts, size: f.Size}
	heap.Push(&q.heap, queueEntry{f, q.puts})
	q.compact()
}

// drop removes the version of a path, and returns its size and whether there was one.
func (q *queue) drop(path string) (size int64, ok bool) {
	key := q.key(path)
	c, ok := q.current[key]
	delete(q.current, key)
	q.bytes -= c.size
	q.compact()
	return c.size, ok
}

// compact drops what is stale when that is most of the heap.
func (q *queue) compact() {
	const least = 64
	if len(q.heap.entries) < 2*len(q.current)+least {
		return
	}
	q.heap.entries = slices.DeleteFunc(q.heap.entries, q.stale)
	heap.Init(&q.heap)
}

// all returns the files, unsorted.
func (q *queue) all() []record.File {
	files := make([]record.File, 0, len(q.current))
	for _, e := range q.heap.entries {
		if !q.stale(e) {
			files = append(files, e.file)
		}
	}
	return files
}

// first returns the file that is first by the order.
func (q *queue) first() (f record.File, ok bool) {
	for len(q.heap.entries) > 0 {
		if e := q.heap.entries[0]; !q.stale(e) {
			return e.file, true
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
	for _, e := range q.heap.entries {
		if (!ok || e.file.Modified < oldest.Modified) && !q.stale(e) {
			oldest, ok = e.file, true
		}
	}
	return oldest, ok
}

// ahead returns the first n files, in their order. They stay in the queue.
func (q *queue) ahead(n int) []record.File {
	var files []record.File
	var popped []queueEntry
	for len(files) < n {
		f, ok := q.first()
		if !ok {
			break
		}
		files = append(files, f)
		popped = append(popped, heap.Pop(&q.heap).(queueEntry))
	}
	for _, e := range popped {
		heap.Push(&q.heap, e)
	}
	return files
}

// queueHeap implements heap.Interface.
type queueHeap struct {
	order   func(a, b record.File) int
	entries []queueEntry
}

type queueEntry struct {
	file record.File
	put  uint64
}

func (h *queueHeap) Len() int           { return len(h.entries) }
func (h *queueHeap) Less(i, j int) bool { return h.order(h.entries[i].file, h.entries[j].file) < 0 }
func (h *queueHeap) Swap(i, j int)      { h.entries[i], h.entries[j] = h.entries[j], h.entries[i] }
func (h *queueHeap) Push(e any)         { h.entries = append(h.entries, e.(queueEntry)) }

func (h *queueHeap) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = queueEntry{} // its path can be freed
	h.entries = h.entries[:last]
	return e
}
