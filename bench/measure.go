package main

// measure is a figure and what it is held against.
type measure struct {
	What  string  `json:"what"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	goal
	Verdict verdict `json:"verdict,omitempty"`
	// Series are our values and, where there is somebody to compare with, theirs.
	Series []series `json:"series"`
	Note   string   `json:"note,omitempty"`
}

// times is the unit of ratios.
const times = "×"

// goal is what is to be reached, and what would be beyond it. Where beyond is
// less than the bar, less is better. The zero value is none.
type goal struct {
	Bar    float64 `json:"bar,omitempty"`
	Beyond float64 `json:"beyond,omitempty"`
}

type verdict string

const (
	below  verdict = "below"
	ok     verdict = "ok"
	beyond verdict = "beyond"
)

func (g goal) judge(value float64) verdict {
	reaches := func(mark float64) bool {
		if g.Beyond < g.Bar {
			return value <= mark
		}
		return value >= mark
	}
	switch {
	case g == goal{}:
		return ""
	case reaches(g.Beyond):
		return beyond
	case reaches(g.Bar):
		return ok
	}
	return below
}

// newRatio holds our series against theirs.
func newRatio(what string, g goal, ours, theirs series) measure {
	value := ratio(ours, theirs)
	return measure{What: what, Unit: times, Value: value, goal: g, Verdict: g.judge(value), Series: []series{ours, theirs}}
}

// newFigure holds our series against nothing but the goal, in one value of it.
func newFigure(what string, g goal, value float64, ours series) measure {
	return measure{What: what, Unit: ours.Unit, Value: value, goal: g, Verdict: g.judge(value), Series: []series{ours}}
}
