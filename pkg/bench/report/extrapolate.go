package report

import "fmt"

// Extrapolation is a figure that was not measured: what a measured one comes to
// at another number of sockets, if it grows with them in a straight line.
type Extrapolation struct {
	What    string  `json:"what"`
	Sockets int     `json:"sockets"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	From    string  `json:"from"` // what was measured
}

const (
	// enough sockets make a figure for each that says something about more,
	enough = 1000
	// and tooFar is how many times as many it says nothing about.
	tooFar = 100
)

// articleRate is the connects per second of the article that Sluice answers.
const articleRate = 16_000

// Extrapolate says what a run's figures come to at so many sockets; nothing for
// a run that has as many, or too few to tell.
func Extrapolate(r *Run, sockets int) []Extrapolation {
	if r.Sockets >= sockets || r.Sockets < enough || r.Sockets*tooFar < sockets {
		return nil
	}
	var all []Extrapolation
	add := func(measured bool, value float64, what, unit, from string, args ...any) {
		if measured {
			all = append(all, Extrapolation{what, sockets, value, unit, fmt.Sprintf(from, args...)})
		}
	}
	n, m, cpu := float64(sockets), &r.Memory, &r.CPU
	add(m.PerMore > 0, (float64(m.Idle)+m.PerMore*(n-float64(r.Sockets)))/1e9, "memory of the gateways, idle", "GB resident",
		"%s for %s sockets, and %.0f bytes for each one more", size(m.Idle), count(uint64(r.Sockets)), m.PerMore)
	if k := m.Kernel; k != nil {
		add(true, k.PerEnd*n/1e9, "memory of the kernel for the gateways' ends, beside that", "GB", "about %.0f bytes for each", k.PerEnd)
	}
	add(cpu.PerConnect > 0, cpu.PerConnect*articleRate/1e6, fmt.Sprintf("CPU of the gateways at %s connects per second", count(articleRate)), "cores",
		"%.1f µs for each connect", cpu.PerConnect)
	add(cpu.PerConnect > 0, cpu.PerConnect*n/1e6, "CPU of the gateways until all are connected", "core seconds", "the same")
	add(cpu.Idle > 0, cpu.Empty+max(cpu.Idle-cpu.Empty, 0)*n/float64(r.Sockets), "CPU of the gateways, idle", "cores",
		"%.3f cores for %s sockets, %.3f for none", cpu.Idle, count(uint64(r.Sockets)), cpu.Empty)
	add(cpu.PerDelivery > 0 && r.PushToAllEvery > 0, cpu.PerDelivery*n/1e6, "CPU of the gateways for one push to all", "core seconds",
		"%.1f µs for each delivery, with all that comes of it", cpu.PerDelivery)
	add(cpu.PerDelivery > 0 && r.PushToAllEvery > 0, cpu.PerDelivery*n/1e6/r.PushToAllEvery, fmt.Sprintf("CPU of the gateways, a push to all every %g s", r.PushToAllEvery), "cores", "the same")
	return all
}

// String is a line of the report.
func (e *Extrapolation) String() string {
	return fmt.Sprintf("Extrapolated to %s sockets, not measured: %s %.3g %s (from %s).", count(uint64(e.Sockets)), e.What, e.Value, e.Unit, e.From)
}
