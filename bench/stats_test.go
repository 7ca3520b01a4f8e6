package main

import (
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{4, 1}, 2.5},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := slices.Clone(c.values)
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(c.values, before) {
			t.Errorf("%v came to be %v", before, c.values)
		}
	}
}

func TestPercentile(t *testing.T) {
	forty := make([]float64, 40)
	for i := range forty {
		forty[i] = float64(40 - i)
	}
	for _, c := range []struct {
		values        []float64
		percent, want float64
	}{
		{forty, 50, 20}, {forty, 99, 40}, {forty, 97.5, 39}, {forty, 0, 1}, {[]float64{7}, 99, 7},
	} {
		if got := percentile(c.values, c.percent); got != c.want {
			t.Errorf("the %v%% of %d values is %v, want %v", c.percent, len(c.values), got, c.want)
		}
	}
}

func TestSeriesKeepTheOrderOfTheirTurns(t *testing.T) {
	s := newSeries("x", "s", 3, 1, 2)
	if s.Min != 1 || s.Median != 2 || s.Max != 3 || !slices.Equal(s.Values, []float64{3, 1, 2}) {
		t.Errorf("%+v", s)
	}
}
