package main

import (
	"math"
	"slices"
)

// series are the values that one candidate had, one for each of its turns.
type series struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
	Min    float64   `json:"min"`
	Median float64   `json:"median"`
	Max    float64   `json:"max"`
}

// newSeries takes one value or more.
func newSeries(name, unit string, values ...float64) series {
	return series{
		Name: name, Unit: unit, Values: values,
		Min: slices.Min(values), Median: median(values), Max: slices.Max(values),
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// percentile is the least of the values that so many of a hundred do not pass.
func percentile(values []float64, percent float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(percent/100*float64(len(sorted))))-1)]
}

// ratio is that of the medians.
func ratio(a, b series) float64 { return a.Median / b.Median }
