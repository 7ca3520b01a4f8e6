package watchio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"

	"github.com/cartstream/cartstream/transforms/record"
)

var _ sdf.BoundableRTracker = (*tracker)(nil)

// throughCoder gives what arrives of v at another worker.
func throughCoder[T any](t testing.TB, v T) T {
	t.Helper()
	var buf bytes.Buffer
	check(t, beam.NewElementEncoder(reflect.TypeFor[T]()).Encode(v, &buf))
	out, err := beam.NewElementDecoder(reflect.TypeFor[T]()).Decode(&buf)
	check(t, err)
	return out.(T)
}

func flight(i int) handed {
	return handed{
		File:        record.File{Path: fmt.Sprintf("in/%d\xff.csv", i), Size: int64(i), Modified: 1769680800123456},
		Fingerprint: "f", Emitted: int64(i) + 1, UnreadableSince: 3,
	}
}

func TestWhatTravelsSurvivesTheCoder(t *testing.T) {
	for name, r := range map[string]Restriction{
		"new":    {},
		"ended":  {Ended: true},
		"polled": {Polled: 1769680800123456},
	} {
		t.Run("restriction, "+name, func(t *testing.T) {
			if got := throughCoder(t, r); !reflect.DeepEqual(got, r) {
				t.Errorf("%+v became %+v", r, got)
			}
		})
	}
	work := record.Work{File: flight(1).File, Fingerprint: "f", Done: []record.DoneRange{{NextLine: 2}, {Start: 1 << 40}}}
	if got := throughCoder(t, work); !reflect.DeepEqual(got, work) {
		t.Errorf("%+v became %+v", work, got)
	}
}

func TestTrySplit(t *testing.T) {
	full := Restriction{Polled: 1769680800123456}
	ended := Restriction{Ended: true}
	cases := []struct {
		name              string
		rest              Restriction
		fraction          float64
		primary, residual any
	}{
		{"the checkpoint gives all to the residual", full, 0, ended, full},
		{"the checkpoint of a watcher that has not polled goes on", Restriction{}, 0, ended, Restriction{}},
		{"a split in the middle is refused", full, 0.5, full, nil},
		{"a split at the end is refused", full, 1, full, nil},
		{"a split near the beginning is refused", full, 1e-9, full, nil},
		{"after the end there is nothing to split", ended, 0, ended, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rt := newTracker(c.rest)
			primary, residual, err := rt.TrySplit(c.fraction)
			check(t, err)
			if !reflect.DeepEqual(primary, c.primary) || !reflect.DeepEqual(residual, c.residual) {
				t.Errorf("got %+v and %+v, want %+v and %+v", primary, residual, c.primary, c.residual)
			}
			if rt.IsDone() != primary.(Restriction).Ended || rt.IsBounded() != rt.IsDone() {
				t.Errorf("IsDone is %v", rt.IsDone())
			}
			if !reflect.DeepEqual(rt.GetRestriction(), primary) {
				t.Errorf("the tracker is left with %+v", rt.GetRestriction())
			}
			if done, left := rt.GetProgress(); (left == 0) != rt.IsDone() || done+left != 1 {
				t.Errorf("progress is %v and %v", done, left)
			}
			if rt.TryClaim(flight(9).File) == rt.IsDone() {
				t.Errorf("a claim, with IsDone %v, says the opposite", rt.IsDone())
			}
			if rt.GetError() != nil {
				t.Error(rt.GetError())
			}
		})
	}
}

func TestAClaimOfSomethingElseIsRefused(t *testing.T) {
	if newTracker(Restriction{}).TryClaim("a.csv") {
		t.Error("a string was claimed")
	}
}

// Whatever claims, releases and checkpoints there are, and whoever goes on from
// an earlier state: in flight is what was handed on since the state that is gone
// on from and not released, and after going back nothing.
func TestNothingIsLostOrTwiceAcrossCheckpoints(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var f inFlight
		rt, now := newTracker(Restriction{}), time.UnixMicro(1)
		earlier := Restriction{}
		want := map[record.File]handed{}
		for range 60 {
			h := flight(rnd.IntN(12))
			h.Emitted = int64(rnd.Uint32())
			switch rnd.IntN(6) {
			case 0, 1:
				if !rt.TryClaim(h.File) {
					t.Fatal("a claim was refused")
				}
				f.add(h)
				want[h.File] = h
			case 2:
				f.release(map[record.File]bool{h.File: true})
				delete(want, h.File)
			case 3:
				rt = split(t, rt, []float64{0, 0, 0.25, 0.5, 1}[rnd.IntN(5)])
				f.resume(rt.polled())
			case 4:
				earlier = rt.GetRestriction().(Restriction)
				now = now.Add(time.Microsecond)
				f.poll(rt.poll(now))
			case 5:
				if rt.GetRestriction() != earlier {
					clear(want)
				}
				rt = newTracker(earlier)
				f.resume(rt.polled())
			}
		}
		same(t, f.all(), want)
	}
}

// split returns the tracker that goes on.
func split(t *testing.T, rt *tracker, fraction float64) *tracker {
	t.Helper()
	_, residual, err := rt.TrySplit(fraction)
	check(t, err)
	if residual == nil {
		return rt
	}
	if rt.TryClaim(flight(99).File) {
		t.Fatal("two trackers own the restriction")
	}
	return newTracker(throughCoder(t, residual.(Restriction)))
}

func same(t *testing.T, got []handed, want map[record.File]handed) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d are in flight, want %d", len(got), len(want))
	}
	for _, f := range got {
		if want[f.File] != f {
			t.Fatalf("in flight is %+v, want %+v", f, want[f.File])
		}
	}
}
