package watchio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// TestQueueAgreesWithSortedMap puts, replaces and drops versions at random.
func TestQueueAgreesWithSortedMap(t *testing.T) {
	for _, latest := range []bool{false, true} {
		t.Run(fmt.Sprint("latest first ", latest), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			s := settings{LatestFirst: latest}
			q, model := newQueue(s), map[string]record.File{}
			for range 20_000 {
				f := record.File{Path: fmt.Sprint(random.IntN(50)), Size: random.Int64N(3), Modified: random.Int64N(90)}
				switch random.IntN(5) {
				case 0:
					_, want := model[f.Path]
					if _, ok := q.drop(f.Path); ok != want {
						t.Fatalf("drop says %v", ok)
					}
					delete(model, f.Path)
				default:
					q.put(f)
					model[f.Path] = f
				}
				checkQueue(t, q, model, s)
			}
		})
	}
}

func checkQueue(t *testing.T, q *queue, model map[string]record.File, s settings) {
	t.Helper()
	var want []record.File
	var bytes int64
	for _, f := range model {
		want, bytes = append(want, f), bytes+f.Size
		if !q.has(f) {
			t.Fatalf("%v is not there", f)
		}
	}
	slices.SortFunc(want, s.order())
	if q.len() != len(want) || q.bytes != bytes || len(q.heap.entries) > 2*len(want)+64 {
		t.Fatalf("%d files of %d bytes, and %d entries; want %d of %d", q.len(), q.bytes, len(q.heap.entries), len(want), bytes)
	}
	n := min(3, len(want))
	if got := q.ahead(3); !slices.Equal(got, want[:n]) {
		t.Fatalf("first are %v, want %v", got, want[:n])
	}
	if f, ok := q.first(); ok != (n > 0) || ok && f != want[0] {
		t.Fatalf("the first is %v", f)
	}
	f, ok := q.oldest()
	if ok != (n > 0) || ok && f.Modified != slices.MinFunc(want, older).Modified {
		t.Fatalf("the oldest is %v", f)
	}
	if len(q.all()) != len(want) {
		t.Fatalf("all are %d", len(q.all()))
	}
}

// Going through very many files for each that is due would take all of the time.
func TestManyWaitingFilesAreTakenTogether(t *testing.T) {
	const files = 10_000
	now := time.Now()
	var w waiting
	for i := range files {
		w.put(wait{file: record.File{Path: fmt.Sprint(i)}, until: now.Add(time.Duration(i) * time.Microsecond)})
	}
	taken, times := 0, 0
	for taken < files {
		now = now.Add(w.rest(now, time.Hour))
		taken += len(w.take(now, false))
		times++
	}
	if times > 3 {
		t.Errorf("10,000 files that are due within 10 ms were gone through %d times", times)
	}
}

func TestWaitingFilesAreTakenInTheirTime(t *testing.T) {
	now := time.Now()
	var w waiting
	add := func(name string, until time.Time) { w.put(wait{file: record.File{Path: name}, until: until}) }
	taken := func(after time.Duration, poll bool) (names string) {
		var all []string
		for _, f := range w.take(now.Add(after), poll) {
			all = append(all, f.file.Path)
		}
		slices.Sort(all)
		return fmt.Sprint(all)
	}
	if w.rest(now, time.Hour) != time.Hour || w.due(now) {
		t.Error("nothing waits")
	}
	add("poll", time.Time{})
	add("second", now.Add(2*time.Second))
	add("first", now.Add(time.Second))
	add("third", now.Add(3*time.Second))
	if got := w.rest(now, time.Hour); got != time.Second {
		t.Errorf("the next one is to be looked at in %s", got)
	}
	for i, c := range []struct {
		after time.Duration
		poll  bool
		want  string
	}{
		{time.Second - 1, false, "[]"},
		{time.Second, false, "[first]"},
		{time.Second, false, "[]"},
		{2 * time.Second, true, "[poll second]"},
		{time.Hour, false, "[third]"},
		{time.Hour, true, "[]"},
	} {
		if got := taken(c.after, c.poll); got != c.want {
			t.Errorf("%d: taken are %s, want %s", i, got, c.want)
		}
	}
}
