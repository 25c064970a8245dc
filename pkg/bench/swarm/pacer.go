package swarm

// pacer spreads things over time.
type pacer struct {
	on   bool
	rate float64 // per second; 0 is without bound
	from int64
	done float64
}

// set begins anew.
func (p *pacer) set(rate float64, now int64) {
	*p = pacer{on: true, rate: rate, from: now}
}

// due is how many may be done now. What a loop was too late for is not made up
// beyond a tenth of a second: a burst would be another load than the one asked for.
func (p *pacer) due(now int64) int {
	if !p.on {
		return 0
	}
	if p.rate <= 0 {
		return 1 << 30
	}
	total := p.rate * float64(now-p.from) / 1e9
	if most := p.rate/10 + 1; total-p.done > most {
		p.done = total - most
	}
	return int(total - p.done)
}

// did takes off what was done.
func (p *pacer) did(n int) { p.done += float64(n) }
