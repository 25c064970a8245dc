package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// row is a line of the table: a figure of every run.
type row struct {
	Name string
	Of   func(*Run) string
}

// rows are what the table shows, in its order. A row that is empty for all runs
// is left out.
var rows = []row{
	{"sockets", func(r *Run) string { return count(uint64(r.Sockets)) }},
	{"connects per second", func(r *Run) string {
		return fmt.Sprintf("%s (best second %s)", count(uint64(r.Connect.Rate)), count(uint64(r.Connect.Peak)))
	}},
	{"connect p50 / p99", func(r *Run) string { return ms(r.Connect.Time.P50) + " / " + ms(r.Connect.Time.P99) }},
	{"CPU per connect", func(r *Run) string { return micros(r.CPU.PerConnect) }},
	{"memory per socket, all in", func(r *Run) string { return perSocket(r.Memory.PerSocket) }},
	{"memory of each one more", func(r *Run) string { return r.perMore() }},
	{"of that heap / stacks", func(r *Run) string {
		if r.Memory.HeapPerMore <= 0 {
			return ""
		}
		return perSocket(r.Memory.HeapPerMore) + " / " + count(uint64(max(r.Memory.StackPerMore, 0))) + " B"
	}},
	{"kernel's memory of each end, about", func(r *Run) string { return r.Memory.Kernel.cell() }},
	{"goroutines idle", func(r *Run) string { return nonzero(uint64(r.Memory.Goroutines)) }},
	{"memory idle / peak", func(r *Run) string {
		if r.Memory.Idle == 0 {
			return ""
		}
		return size(r.Memory.Idle) + " / " + size(r.Memory.Peak)
	}},
	{"peak above idle", func(r *Run) string {
		if r.Memory.Idle == 0 || r.Memory.Peak <= r.Memory.Idle {
			return ""
		}
		return size(r.Memory.Peak-r.Memory.Idle) + ", " + count(uint64(r.Memory.Peak-r.Memory.Idle)/uint64(max(r.Sockets, 1))) + " B a socket"
	}},
	{"messages pushed", func(r *Run) string { return nonzero(r.Messages.Pushed) }},
	{"delivered of expected", func(r *Run) string {
		if r.Messages.Expected == 0 {
			return ""
		}
		return count(r.Messages.Expected-r.Messages.Lost) + " of " + count(r.Messages.Expected)
	}},
	{"lost / duplicated", func(r *Run) string {
		if r.Messages.Pushed == 0 {
			return ""
		}
		text := count(r.Messages.Lost) + " / " + count(r.Messages.Duplicates)
		if r.Messages.Lost > 0 && r.Messages.Ephemeral {
			text += " (pushed as ephemeral: may be lost)"
		}
		return text
	}},
	{"late / for others", func(r *Run) string { return pair(r.Messages.Late, r.Messages.Foreign) }},
	{"on their way at a leave", func(r *Run) string { return nonzero(r.Messages.Open) }},
	{"deliveries per second", func(r *Run) string {
		if r.Messages.Delivered == 0 {
			return ""
		}
		return fmt.Sprintf("%s (best second %s)", count(uint64(r.Messages.Rate)), count(uint64(r.Messages.Peak)))
	}},
	{"latency p50 / p99 / p99.9 / max", func(r *Run) string { return four(r.Messages.Latency) }},
	{"receipts received of sent", func(r *Run) string { return upward(&r.Receipts) }},
	{"receipts lost / duplicated", func(r *Run) string { return upwardFaults(&r.Receipts) }},
	{"push to receipt p50 / p99 / p99.9 / max", func(r *Run) string { return four(r.Receipts.Time) }},
	{"events received of sent", func(r *Run) string { return upward(&r.Upstream) }},
	{"events lost / duplicated", func(r *Run) string { return upwardFaults(&r.Upstream) }},
	{"events refused as busy", func(r *Run) string { return nonzero(r.Upstream.Busy) }},
	{"event p50 / p99 / p99.9 / max", func(r *Run) string { return four(r.Upstream.Time) }},
	{"CPU per delivery, all included", func(r *Run) string { return micros(r.CPU.PerDelivery) }},
	{"CPU per event, all included", func(r *Run) string { return micros(r.CPU.PerEvent) }},
	{"server cores empty / idle / loaded", func(r *Run) string {
		if r.CPU.Load+r.CPU.Idle == 0 {
			return ""
		}
		return fmt.Sprintf("%.2f / %.2f / %.2f", r.CPU.Empty, r.CPU.Idle, r.CPU.Load)
	}},
	{"garbage collection, share of CPU", func(r *Run) string {
		if r.CPU.GC <= 0 {
			return ""
		}
		return fmt.Sprintf("%.1f %%", r.CPU.GC*100)
	}},
	{"lightly loaded: latency p50 / p99 / p99.9 / max", func(r *Run) string { return four(r.Light.Down) }},
	{"lightly loaded: round trip p50 / p99 / p99.9 / max", func(r *Run) string { return four(r.Light.Roundtrip) }},
	{"left / came", func(r *Run) string {
		if r.Coming.Left == 0 {
			return ""
		}
		return pair(r.Coming.Left, r.Coming.Connects)
	}},
	{"all back after", func(r *Run) string {
		if r.Coming.Recovery == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f s", r.Coming.Recovery)
	}},
	{"dropped by the server", func(r *Run) string { return Reasons(r.Coming.Drops) }},
	{"slow readers in the end", func(r *Run) string { return nonzero(uint64(r.Coming.Slow)) }},
	{"slow readers dropped", func(r *Run) string { return Reasons(r.Coming.SlowEnds) }},
	{"closed under load, by the servers' count", func(r *Run) string { return Reasons(closes(r.Servers)) }},
	{"failed connects", func(r *Run) string { return Reasons(r.Connect.Failures) }},
	{"the clients' own cost", func(r *Run) string {
		if r.Clients.Workers == 0 {
			return ""
		}
		text := fmt.Sprintf("processes: %d, %s each client", r.Clients.Workers, size(int64(r.Clients.BytesPerClient)))
		if r.Clients.PerMessage > 0 {
			text += fmt.Sprintf(", %s per message, %.2f cores", micros(r.Clients.PerMessage), r.Clients.Cores)
		}
		return text
	}},
	{"problems", func(r *Run) string {
		if len(r.Problems) == 0 {
			return "none"
		}
		return fmt.Sprintf("%d, see below", len(r.Problems))
	}},
}

// perMore is empty where all clients came together: it is the row above then.
func (r *Run) perMore() string {
	if r.Memory.FirstSockets == 0 {
		return ""
	}
	return perSocket(r.Memory.PerMore)
}

func (k *Kernel) cell() string {
	switch {
	case k == nil:
		return ""
	case k.Both:
		return perSocket(k.PerEnd) + " (both ends are on this machine; from " + k.From + ")"
	}
	return perSocket(k.PerEnd) + " (the clients' is on this machine; from " + k.From + ")"
}

// closes sums up what Sluice's gateways say of why sessions ended.
func closes(servers []Process) map[string]uint64 {
	all := map[string]uint64{}
	for i := range servers {
		for name, n := range servers[i].Metrics {
			labels, found := strings.CutPrefix(name, "sluice_transport_closes_total{")
			_, reason, named := strings.Cut(labels, `reason="`)
			if reason, _, ended := strings.Cut(reason, `"`); found && named && ended {
				all[reason] += uint64(n)
			}
		}
	}
	return all
}

// line is a row with its cells.
type line struct {
	Name  string
	Cells []string
}

// lines are the rows that say something of runs.
func lines(runs []*Run) []line {
	var all []line
	for _, row := range rows {
		l := line{Name: row.Name}
		empty := true
		for _, r := range runs {
			cell := row.Of(r)
			empty = empty && cell == ""
			l.Cells = append(l.Cells, cell)
		}
		if !empty {
			all = append(all, l)
		}
	}
	return all
}

// group is the runs of one scenario, side by side.
type group struct {
	Runs  []*Run
	Lines []line
}

func (r *Report) groups() []group {
	var all []group
	for i := range r.Runs {
		run := &r.Runs[i]
		at := slices.IndexFunc(all, func(g group) bool { return g.Runs[0].Scenario == run.Scenario })
		if at < 0 {
			at, all = len(all), append(all, group{})
		}
		all[at].Runs = append(all[at].Runs, run)
	}
	for i := range all {
		all[i].Lines = lines(all[i].Runs)
	}
	return all
}

// WriteTable writes a table for each scenario, its targets side by side, and
// below it what has to be said of each.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	for i, g := range r.groups() {
		if i > 0 {
			b.WriteByte('\n')
		}
		g.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (g *group) write(b *strings.Builder) {
	head := line{Name: g.Runs[0].Scenario}
	for _, r := range g.Runs {
		head.Cells = append(head.Cells, r.Target)
	}
	all := append([]line{head}, g.Lines...)
	widths := make([]int, len(g.Runs)+1)
	for _, l := range all {
		for i, c := range append([]string{l.Name}, l.Cells...) {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for _, l := range all {
		text := fmt.Sprintf("%-*s", widths[0], l.Name)
		for i, c := range l.Cells {
			text += fmt.Sprintf("   %-*s", widths[i+1], c)
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	for _, r := range g.Runs {
		for _, s := range r.Scale {
			fmt.Fprintf(b, "  %s: %s\n", r.Target, s)
		}
		for _, s := range r.Notes {
			fmt.Fprintf(b, "  %s: %s\n", r.Target, s)
		}
		for i := range r.Extrapolated {
			fmt.Fprintf(b, "  %s: %s\n", r.Target, &r.Extrapolated[i])
		}
		for _, s := range r.Problems {
			fmt.Fprintf(b, "  %s: PROBLEM: %s\n", r.Target, s)
		}
		for i := range r.Faults[:min(len(r.Faults), faultsShown)] {
			fmt.Fprintf(b, "  %s: %s\n", r.Target, &r.Faults[i])
		}
		if n := len(r.Faults); n > faultsShown {
			fmt.Fprintf(b, "  %s: and %d more in report.json\n", r.Target, n-faultsShown)
		}
	}
}

// faultsShown is how many faults a terminal is bothered with.
const faultsShown = 10

// String is a line of the report.
func (f *Fault) String() string {
	to := "all"
	if f.Document != "" {
		to = "document " + f.Document
	}
	return fmt.Sprintf("%s: client %d, message %d to %s, pushed at %.1f s", f.What, f.Client, f.Message, to, f.At)
}

// count writes a number with commas.
func count(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func nonzero(n uint64) string {
	if n == 0 {
		return ""
	}
	return count(n)
}

func pair(a, b uint64) string {
	if a+b == 0 {
		return ""
	}
	return count(a) + " / " + count(b)
}

func ms(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 100:
		return fmt.Sprintf("%.1f ms", v)
	case v < 1000:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.2f s", v/1000)
}

func micros(v float64) string {
	if v <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f µs", v)
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return count(uint64(max(n, 0))) + " B"
	case n < 1_000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	case n < 10_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

func perSocket(v float64) string {
	if v <= 0 {
		return ""
	}
	return count(uint64(v)) + " B"
}

func four(q Quantiles) string {
	if q.Count == 0 {
		return ""
	}
	return strings.Join([]string{ms(q.P50), ms(q.P99), ms(q.P999), ms(q.Max)}, " / ")
}

func upward(u *Upward) string {
	if u.Sent == 0 {
		return ""
	}
	return count(u.Received) + " of " + count(u.Sent)
}

func upwardFaults(u *Upward) string {
	if u.Sent == 0 {
		return ""
	}
	return fmt.Sprintf("%d / %d", u.Lost, u.Duplicates)
}

// Reasons lists how often each happened.
func Reasons(m map[string]uint64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %s", count(m[reason]), reason))
	}
	return strings.Join(parts, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
