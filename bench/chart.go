package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"slices"
	"text/template"
)

//go:embed chart.svg
var chartText string

var chartTemplate = template.Must(template.New("chart").Parse(chartText))

// The chart's measures, in pixels.
const (
	chartWidth  = 860
	barsFrom    = 330 // names stand to the left of it
	barsWidth   = 440 // of the longest; its figure stands to the right
	barHeight   = 20
	barStep     = 27
	panelGap    = 24
	panelTitle  = 28
	chartTop    = 16
	chartBottom = 30
)

// panel is a scenario: the candidates and their medians, ours first.
type panel struct {
	Y     int
	Title string
	Bars  []bar
}

type bar struct {
	Y, Width int
	Name     string
	Figure   string
	Ours     bool
	median   float64
}

// chart draws rows a second, each scenario that compares them to a scale of its own.
func (r report) chart() ([]byte, error) {
	y := chartTop
	var panels []panel
	for _, o := range r.Outcomes {
		bars := barsOf(o.Measures)
		if len(bars) < 2 {
			continue
		}
		p := panel{Y: y, Title: escape(o.Measures[0].What), Bars: bars}
		p.layOut()
		y += panelTitle + len(p.Bars)*barStep + panelGap
		panels = append(panels, p)
	}
	var b bytes.Buffer
	err := chartTemplate.Execute(&b, map[string]any{
		"Width": chartWidth, "Height": y + chartBottom, "Panels": panels, "BarsFrom": barsFrom, "BarHeight": barHeight,
		"Foot": escape("rows a second, median; " + r.Machine.summary()),
	})
	return b.Bytes(), err
}

// barsOf are the series in rows a second, each once: ours, then the others, the
// fastest first.
func barsOf(measures []measure) (all []bar) {
	for _, m := range measures {
		for i, s := range m.Series {
			known := func(b bar) bool { return b.Name == escape(s.Name) }
			if s.Unit == perSecond && !slices.ContainsFunc(all, known) {
				all = append(all, bar{Name: escape(s.Name), Figure: number(s.Median), Ours: i == 0, median: s.Median})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b bar) int {
		switch {
		case a.Ours != b.Ours && a.Ours:
			return -1
		case a.Ours != b.Ours:
			return 1
		}
		return cmp.Compare(b.median, a.median)
	})
	return all
}

func (p *panel) layOut() {
	longest := 0.0
	for _, b := range p.Bars {
		longest = max(longest, b.median)
	}
	for i := range p.Bars {
		p.Bars[i].Y = p.Y + panelTitle + i*barStep
		p.Bars[i].Width = max(1, int(barsWidth*p.Bars[i].median/longest))
	}
}

// escape makes a text one of XML.
func escape(text string) string { return template.HTMLEscapeString(text) }
