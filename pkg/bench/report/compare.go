package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// figure is a line of a comparison.
type figure struct {
	name string
	of   func(*Run) float64
	show func(float64) string
}

// figures are what variants are compared by, in their order. One that is 0 for
// all of them is left out.
var figures = slices.Concat([]figure{
	{"memory of each one more", func(r *Run) float64 { return r.Memory.PerMore }, perSocket},
	{"heap of it", func(r *Run) float64 { return r.Memory.HeapPerMore }, perSocket},
	{"stacks of it", func(r *Run) float64 { return r.Memory.StackPerMore }, perSocket},
	{"goroutines", func(r *Run) float64 { return r.Memory.Goroutines }, func(v float64) string { return count(uint64(v)) }},
	{"peak of memory above idle", func(r *Run) float64 { return float64(max(r.Memory.Peak-r.Memory.Idle, 0)) }, func(v float64) string { return size(int64(v)) }},
	{"CPU per connect", func(r *Run) float64 { return r.CPU.PerConnect }, micros},
	{"connects per second", func(r *Run) float64 { return r.Connect.Rate }, func(v float64) string { return count(uint64(v)) }},
},
	latencies("lightly loaded", func(r *Run) *Costs { return &r.Light }),
	latencies("loaded", func(r *Run) *Costs { return &r.Load }),
	[]figure{{"garbage collection, share of CPU", func(r *Run) float64 { return r.CPU.GC * 100 }, func(v float64) string { return fmt.Sprintf("%.1f %%", v) }}},
)

func latencies(when string, of func(*Run) *Costs) []figure {
	all := []figure{
		{when + ": messages per second", func(r *Run) float64 {
			c := of(r)
			return float64(c.Delivered+c.Events) / max(c.Lasted, 1e-9)
		}, func(v float64) string { return count(uint64(v)) }},
		{when + ": CPU per message", func(r *Run) float64 { return of(r).PerMessage }, micros},
	}
	for _, way := range []struct {
		name string
		of   func(*Costs) *Quantiles
	}{
		{"push to client", func(c *Costs) *Quantiles { return &c.Down }},
		{"event to answer", func(c *Costs) *Quantiles { return &c.Roundtrip }},
	} {
		for _, q := range []struct {
			name string
			of   func(*Quantiles) float64
		}{
			{"p50", func(q *Quantiles) float64 { return q.P50 }}, {"p99", func(q *Quantiles) float64 { return q.P99 }},
			{"p99.9", func(q *Quantiles) float64 { return q.P999 }},
		} {
			all = append(all, figure{when + ": " + way.name + ", " + q.name, func(r *Run) float64 { return q.of(way.of(of(r))) }, ms})
		}
	}
	return all
}

// comparison is the runs of one scenario in several variants.
type comparison struct {
	Title    string
	Variants []string
	Rounds   int
	Lines    []line
}

// comparisons are those of all scenarios that were run in variants.
func (r *Report) comparisons() []comparison {
	var all []comparison
	for _, g := range r.groups() {
		of := map[string][]*Run{}
		c := comparison{Title: fmt.Sprintf("%s, %s sockets", g.Runs[0].Title, count(uint64(g.Runs[0].Sockets)))}
		for _, run := range g.Runs {
			if run.Variant == "" {
				continue
			}
			if of[run.Variant] == nil {
				c.Variants = append(c.Variants, run.Variant)
			}
			of[run.Variant] = append(of[run.Variant], run)
			c.Rounds = max(c.Rounds, len(of[run.Variant]))
		}
		if len(c.Variants) == 0 {
			continue
		}
		for _, f := range figures {
			if l, some := f.line(c.Variants, of); some {
				c.Lines = append(c.Lines, l)
			}
		}
		all = append(all, c)
	}
	return all
}

// line is a figure of all variants: the median of the rounds, and from where to
// where they go.
func (f *figure) line(variants []string, of map[string][]*Run) (l line, some bool) {
	l.Name = f.name
	for _, v := range variants {
		var values []float64
		for _, r := range of[v] {
			values = append(values, f.of(r))
		}
		slices.Sort(values)
		n := len(values)
		low, high := values[0], values[n-1]
		some = some || high > 0
		cell := orNone(f.show((values[(n-1)/2] + values[n/2]) / 2))
		if from, to := f.show(low), f.show(high); from != to {
			cell += fmt.Sprintf(" (%s to %s)", orNone(from), to)
		}
		l.Cells = append(l.Cells, cell)
	}
	return l, some
}

// WriteComparisons writes a table in Markdown for each scenario that was run in
// variants; nothing when there was none.
func (r *Report) WriteComparisons(w io.Writer) error {
	var b strings.Builder
	for i, c := range r.comparisons() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "| %s | %s |\n|---|%s\n", c.Title, strings.Join(c.Variants, " | "), strings.Repeat("---:|", len(c.Variants)))
		for _, l := range c.Lines {
			fmt.Fprintf(&b, "| %s | %s |\n", l.Name, strings.Join(l.Cells, " | "))
		}
		if c.Rounds > 1 {
			fmt.Fprintf(&b, "\nMedians of %d rounds, in turn; in brackets from where to where they went.\n", c.Rounds)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
