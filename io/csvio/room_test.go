package csvio

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

// readers are the instances of a DoFn that a runner makes, each with a range of
// a quarter of the memory, whose records nobody takes before take is closed.
type readers struct {
	*testing.T
	run  string
	take chan struct{}
	// inHand counts the bytes of the ranges of which records are handed on, read
	// the records, ended the ranges that have ended.
	inHand, read, ended atomic.Int64
	all                 sync.WaitGroup
}

func startReaders(t *testing.T, ranges []record.Range, open opener) *readers {
	rs := &readers{T: t, run: t.Name(), take: make(chan struct{})}
	t.Cleanup(func() { runctl.Forget(rs.run) })
	for _, r := range ranges {
		rs.all.Go(func() {
			fn := &readFn[abc]{Run: rs.run}
			fn.Setup()
			fn.open = open
			if err := fn.ProcessElement(t.Context(), r, rs.emit); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Wait()
	return rs
}

func (rs *readers) emit(r *record.Record[abc]) {
	src := r.Source.Range
	switch {
	case r.Kind == record.KindRangeEnd:
		rs.inHand.Add(src.Start - src.End)
		rs.ended.Add(1)
	case r.Source.Offset == src.Start:
		if bytes := rs.inHand.Add(src.End - src.Start); bytes > runctl.Memory {
			rs.Errorf("%d bytes are in hand, allowed are %d", bytes, runctl.Memory)
		}
		fallthrough
	default:
		rs.read.Add(1)
	}
	<-rs.take
}

// sixRanges are of a file, or of six that are read in sequence. Each takes a
// quarter of the memory.
func sixRanges(t *testing.T, packed bool) ([]record.Range, opener) {
	const size = runctl.Memory / 4
	line := "1," + strings.Repeat("two ", 60) + ",3\n"
	if !packed {
		f, open := inMemory(abcHeader + strings.Repeat(line, 7*size/len(line)))
		return splitWith[abc](t, record.Work{File: f}, open, windowChunk, WithMaxRangeBytes(size))[:6], open
	}
	f, open := inMemory(gzipped(t, abcHeader, strings.Repeat(line, 2*size/len(line))))
	whole := splitWith[abc](t, record.Work{File: f}, open, windowChunk, WithMaxRangeBytes(size))[0]
	return []record.Range{whole, whole, whole, whole, whole, whole}, open
}

func TestInstancesShareTheMemoryOfTheRun(t *testing.T) {
	for name, packed := range map[string]bool{"ranges": false, "files that are read in sequence": true} {
		t.Run(name, func(t *testing.T) {
			ranges, open := sixRanges(t, packed)
			synctest.Test(t, func(t *testing.T) {
				rs := startReaders(t, ranges, open)
				if got := rs.read.Load(); got != 4 {
					t.Errorf("%d ranges are in hand, want the 4 that there is memory for", got)
				}
				close(rs.take)
				rs.all.Wait()
				want := int64(len(ranges))
				if packed {
					want *= 3
				}
				if got := rs.ended.Load(); got != want {
					t.Errorf("%d ranges ended, want %d", got, want)
				}
			})
		})
	}
}

func TestWhoWaitsForMemoryBeginsNothingWhenTheRunDrains(t *testing.T) {
	ranges, open := sixRanges(t, false)
	synctest.Test(t, func(t *testing.T) {
		rs := startReaders(t, ranges, open)
		runctl.Of(rs.run).Drain(time.Hour)
		close(rs.take)
		rs.all.Wait()
		if got := rs.ended.Load(); got != 4 {
			t.Errorf("%d ranges ended, want the 4 that were in hand", got)
		}
	})
}
