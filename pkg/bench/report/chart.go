package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// chart is one drawing: lines over the seconds of a run.
type chart struct {
	Title string
	Unit  string
	Lines []curve
}

type curve struct {
	Name   string
	Values []float64 // NaN where there is none
}

// Measures of a drawing in its own units; the page scales it.
const (
	width, height           = 640, 248
	left, right, top, under = 64, 24, 12, 36
)

// charts are those that say something about a run.
func charts(r *Run) []chart {
	value := func(name string, of func(*Point) float64) curve {
		c := curve{Name: name}
		for i := range r.Series {
			c.Values = append(c.Values, of(&r.Series[i]))
		}
		return c
	}
	quantiles := func(title string, of func(*Point) *Quantiles) chart {
		only := func(name string, pick func(*Quantiles) float64) curve {
			return value(name, func(p *Point) float64 {
				if q := of(p); q.Count > 0 {
					return pick(q)
				}
				return math.NaN()
			})
		}
		return chart{title, "ms", []curve{
			only("p50", func(q *Quantiles) float64 { return q.P50 }), only("p90", func(q *Quantiles) float64 { return q.P90 }),
			only("p99", func(q *Quantiles) float64 { return q.P99 }), only("max", func(q *Quantiles) float64 { return q.Max }),
		}}
	}
	all := []chart{
		quantiles("Latency of messages", func(p *Point) *Quantiles { return &p.Latency }),
		quantiles("Round trip of events", func(p *Point) *Quantiles { return &p.Roundtrip }),
		{"Connects", "per s", []curve{value("connects", func(p *Point) float64 { return p.Connects })}},
		{"Sockets", "", []curve{value("up", func(p *Point) float64 { return float64(p.Up) })}},
		{"Messages", "per s", []curve{
			value("delivered", func(p *Point) float64 { return p.Delivered }), value("from clients", func(p *Point) float64 { return p.Received }),
		}},
		{"Memory of the server", "MB", []curve{value("resident", func(p *Point) float64 { return float64(p.Resident) / 1e6 })}},
		{"CPU", "cores", []curve{
			value("server", func(p *Point) float64 { return p.Cores }), value("clients", func(p *Point) float64 { return p.Clients }),
		}},
		{"CPU of the server per message", "µs", []curve{value("per message", func(p *Point) float64 {
			if p.PerMessage == 0 {
				return math.NaN()
			}
			return p.PerMessage
		})}},
	}
	var some []chart
	for _, c := range all {
		if c.highest() > 0 {
			some = append(some, c)
		}
	}
	return some
}

func (c *chart) highest() float64 {
	highest := 0.0
	for _, l := range c.Lines {
		for _, v := range l.Values {
			if !math.IsNaN(v) {
				highest = max(highest, v)
			}
		}
	}
	return highest
}

// ceiling is the next number whose quarters are round: 1, 2, 4 or 8 and zeros.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 4, 8} {
		if v <= f*unit {
			return f * unit
		}
	}
	return 10 * unit
}

// draw makes the SVG of a chart. Its colours are the page's.
func draw(c chart, series []Point) template.HTML {
	if len(series) == 0 {
		return ""
	}
	begin, end := series[0].At, max(series[len(series)-1].At, series[0].At+1)
	roof := ceiling(c.highest())
	x := func(at float64) float64 { return left + (at-begin)/(end-begin)*(width-left-right) }
	y := func(v float64) float64 { return height - under - v/roof*(height-top-under) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(c.Title))
	for i := range 5 {
		v := roof * float64(i) / 4
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="y" x="%d" y="%.1f">%s</text>`,
			left, width-right, y(v), y(v), left-6, y(v)+4, short(v))
		at := begin + (end-begin)*float64(i)/4
		fmt.Fprintf(&b, `<text class="x" x="%.1f" y="%d">%s s</text>`, x(at), height-8, short(math.Round(at)))
	}
	for i, l := range c.Lines {
		fmt.Fprintf(&b, `<path class="c%d" d="%s"/>`, i, path(l.Values, series, x, y))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // made of numbers and escaped titles
}

// path connects the values that there are, over the seconds without one: what is
// pushed every 5 s would be dots otherwise. A single one is a dot.
func path(values []float64, series []Point, x, y func(float64) float64) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case math.IsNaN(v):
		case b.Len() == 0:
			fmt.Fprintf(&b, "M%.1f %.1fh.01", x(series[i].At), y(v))
		default:
			fmt.Fprintf(&b, "L%.1f %.1f", x(series[i].At), y(v))
		}
	}
	return b.String()
}

// short writes a number for an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e6), ".0") + "M"
	case v >= 1e4:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e3), ".0") + "k"
	case v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
