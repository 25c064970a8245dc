package bench

import (
	"context"
	"time"

	"sluice/pkg/bench/report"
)

// calm is how a server comes to rest: its garbage is collected again and again
// until its memory has stayed the same for a while. Go gives back what it has
// collected bit by bit.
type calm struct {
	step  time.Duration // from one collection to the next
	same  int           // looks that must agree
	looks int           // at most
}

var (
	usualCalm = calm{step: 1500 * time.Millisecond, same: 3, looks: 20}
	// hasty takes the first look, for those to whom memory does not matter.
	hasty = calm{step: 100 * time.Millisecond, same: 1, looks: 1}
	// restless is the share by which looks that agree may differ.
	restless = 0.01
)

// most is the longest that it takes.
func (c calm) most() time.Duration { return time.Duration(c.looks) * c.step }

// settled tells whether the last looks agree.
func (c calm) settled(looks []int64) bool {
	if len(looks) < c.same {
		return false
	}
	low, high := looks[len(looks)-1], int64(0)
	for _, n := range looks[len(looks)-c.same:] {
		low, high = min(low, n), max(high, n)
	}
	return float64(high-low) <= restless*float64(high)
}

// state is what the counted processes hold at rest.
type state struct {
	sockets  int
	resident int64
	// heap is what lives in Go's heap, stacks what goroutines have; 0 for those
	// without metrics of Go.
	heap, stacks, goroutines float64
}

// each is what one socket more takes, from before to now.
func (s *state) each(before *state, m *report.Memory) {
	n := float64(s.sockets - before.sockets)
	if n <= 0 || before.resident == 0 {
		return
	}
	m.PerMore = float64(s.resident-before.resident) / n
	if before.heap > 0 {
		m.HeapPerMore, m.StackPerMore = (s.heap-before.heap)/n, (s.stacks-before.stacks)/n
	}
	m.Goroutines = s.goroutines
}

// rest lets the counted processes come to rest, and reads their memory; false
// means that they did not come to it.
func (p *probe) rest(ctx context.Context, keep func(*report.Process, int64)) (state, bool) {
	var looks []int64
	settled := false
	for !settled && len(looks) < p.calm.looks && ctx.Err() == nil {
		asked := false
		for _, of := range p.processes {
			asked = of.metrics != "" && of.counted && collectGarbage(ctx, of.metrics) || asked
		}
		sleep(ctx, p.calm.step)
		looks = append(looks, p.resident(func(int, int64) {}))
		settled = p.calm.settled(looks)
		if !asked && len(looks) >= p.calm.same {
			break // whoever collects when he likes is as he is
		}
	}
	s := state{resident: p.resident(func(i int, n int64) { p.change(i, func(r *report.Process) { keep(r, n) }) })}
	for _, of := range p.processes {
		if of.metrics == "" || !of.counted {
			continue
		}
		if m, err := scrape(ctx, of.metrics); err == nil {
			s.heap += m["go_memstats_heap_alloc_bytes"]
			s.stacks += m["go_memstats_stack_inuse_bytes"]
			s.goroutines += m["go_goroutines"]
		}
	}
	return s, settled || len(looks) == 0
}

// resident reads all processes' memory exactly, and returns that of the counted.
func (p *probe) resident(keep func(i int, n int64)) (sum int64) {
	for i, of := range p.processes {
		if of.pid == 0 {
			continue
		}
		n, err := exact(of.pid)
		if err != nil {
			continue // it ended, which the clients tell better
		}
		keep(i, n)
		if of.counted {
			sum += n
		}
	}
	return sum
}
