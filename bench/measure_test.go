package main

import "testing"

func TestVerdict(t *testing.T) {
	more, less := goal{1.6, 2}, goal{250, 150}
	for _, c := range []struct {
		name  string
		goal  goal
		value float64
		want  verdict
	}{
		{"more is better, less than the bar", more, 1.59, below},
		{"more is better, the bar", more, 1.6, ok},
		{"more is better, beyond", more, 2, beyond},
		{"less is better, more than the bar", less, 251, below},
		{"less is better, the bar", less, 250, ok},
		{"less is better, beyond", less, 150, beyond},
		{"no goal", goal{}, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.goal.judge(c.value); got != c.want {
				t.Errorf("%v is %q, want %q", c.value, got, c.want)
			}
		})
	}
}

func TestRatioIsOfTheMedians(t *testing.T) {
	m := newRatio("x", goal{1.6, 2}, newSeries("ours", perSecond, 100, 300, 1000), newSeries("theirs", perSecond, 1, 150, 151))
	if m.Value != 2 || m.Verdict != beyond || m.Series[0].Name != "ours" {
		t.Errorf("%+v", m)
	}
}
