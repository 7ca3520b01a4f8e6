package watchio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

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

func flight(i int) InFlight {
	return InFlight{
		File:        record.File{Path: fmt.Sprintf("in/%d\xff.csv", i), Size: int64(i), Modified: 1769680800123456},
		Fingerprint: "f", Emitted: int64(i) + 1, UnreadableSince: 3,
	}
}

func TestWhatTravelsSurvivesTheCoder(t *testing.T) {
	for name, r := range map[string]Restriction{
		"nothing in flight": {},
		"ended":             {Ended: true},
		"files in flight":   {InFlight: []InFlight{flight(1), flight(2)}},
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
	full := Restriction{InFlight: []InFlight{flight(1), flight(2)}}
	ended := Restriction{Ended: true}
	cases := []struct {
		name              string
		rest              Restriction
		fraction          float64
		primary, residual any
	}{
		{"the checkpoint gives all to the residual", full, 0, ended, full},
		{"the checkpoint of a watcher with nothing in flight goes on", Restriction{}, 0, ended, Restriction{}},
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
			if rt.TryClaim(flight(9)) == rt.IsDone() {
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

// Whatever claims, releases, splits and checkpoints there are: the one who
// comes next has in flight what was claimed and not released.
func TestNothingIsLostOrTwiceAcrossCheckpoints(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		rt := newTracker(Restriction{})
		want := map[record.File]InFlight{}
		for range 60 {
			f := flight(rnd.IntN(12))
			f.Emitted = int64(rnd.Uint32())
			switch rnd.IntN(4) {
			case 0, 1:
				if !rt.TryClaim(f) {
					t.Fatal("a claim was refused")
				}
				want[f.File] = f
			case 2:
				rt.release(map[record.File]bool{f.File: true})
				delete(want, f.File)
			case 3:
				rt = split(t, rt, []float64{0, 0, 0.25, 0.5, 1}[rnd.IntN(5)])
			}
		}
		same(t, rt.inFlight(), want)
	}
}

// split returns the tracker that goes on, at another worker.
func split(t *testing.T, rt *tracker, fraction float64) *tracker {
	t.Helper()
	_, residual, err := rt.TrySplit(fraction)
	check(t, err)
	if residual == nil {
		return rt
	}
	if rt.TryClaim(flight(99)) || len(rt.inFlight()) > 0 {
		t.Fatal("two trackers own the restriction")
	}
	return newTracker(throughCoder(t, residual.(Restriction)))
}

func same(t *testing.T, got []InFlight, want map[record.File]InFlight) {
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
