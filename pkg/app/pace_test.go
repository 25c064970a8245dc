package app

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// process is a process on two CPUs as its collector sees it: one byte in use
// costs a nanosecond in each collection.
type process struct {
	pacer   pacer
	s       gcSample
	garbage float64 // since the last collection
	changes int
}

const processCPUs = 2

func newProcess(live uint64) *process {
	return &process{pacer: pacer{min: 20, max: 100, cpu: 0.01, percent: 100}, s: gcSample{live: live, cpus: processCPUs}}
}

// run lets it allocate so many bytes per second, and returns the collector's share.
func (p *process) run(seconds int, rate float64) float64 {
	before := p.s.gc
	for range seconds {
		p.s.at += time.Second
		p.s.allocs += uint64(rate)
		p.garbage += rate
		goal := float64(max(p.s.live, 4<<20)) * float64(p.pacer.percent) / 100
		n := math.Floor(p.garbage / goal)
		p.garbage -= n * goal
		p.s.cycles += uint64(n)
		p.s.gc += n * float64(p.s.live) / 1e9
		was := p.pacer.percent
		if p.pacer.next(p.s) != was {
			p.changes++
		}
	}
	return (p.s.gc - before) / float64(seconds*processCPUs)
}

func TestTheCollectorFollowsTheLoad(t *testing.T) {
	const mega = 1e6
	for _, live := range []uint64{1 << 20, 50e6, 500e6, 5e9} {
		t.Run(fmt.Sprint(live), func(t *testing.T) {
			p := newProcess(live)
			p.run(300, 0.1*mega)
			p.run(300, 0)
			if p.pacer.percent != 20 {
				t.Errorf("at rest: %d %%", p.pacer.percent)
			}
			p.changes = 0
			p.run(3, 400*mega)
			if busy := p.pacer.percent; live > 4<<20 && (busy != 100 || p.changes > 2) {
				t.Errorf("three seconds into a storm: %d %%, after %d changes", busy, p.changes)
			}
			p.run(60, 400*mega)
			p.changes = 0
			p.run(20, 0.1*mega)
			if calm := p.pacer.percent; live > 4<<20 && calm != 100 {
				t.Errorf("20 seconds after it: %d %%", calm)
			}
			p.run(60, 0.1*mega)
			if p.pacer.percent != 20 || p.changes > 2 {
				t.Errorf("80 seconds after it: %d %%, after %d changes", p.pacer.percent, p.changes)
			}
			p.changes = 0
			for range 60 { // storms that come and go do not make it swing
				p.run(5, 400*mega)
				p.run(5, 0)
			}
			if p.changes > 6 {
				t.Errorf("%d changes in 60 storms", p.changes)
			}
		})
	}
}

func TestTheCollectorKeepsToItsShare(t *testing.T) {
	for _, rate := range []float64{1e5, 1e6, 3e6, 1e7, 1.5e7} {
		p := newProcess(100e6)
		p.run(600, rate) // finds its level
		share := p.run(3600, rate)
		if share > 0.0115 {
			t.Errorf("%.0f bytes per second: %.2f %% of the CPUs at %d %%", rate, 100*share, p.pacer.percent)
		}
		if p.pacer.percent > 20 && share < 0.006 {
			t.Errorf("%.0f bytes per second: %d %% for a share of %.2f %%", rate, p.pacer.percent, 100*share)
		}
	}
	p := newProcess(100e6)
	p.run(600, 1e7)
	p.changes = 0
	for range 60 { // a load that wavers a little
		p.run(40, 1.05e7)
		p.run(40, 0.95e7)
	}
	if p.changes > 2 {
		t.Errorf("%d changes in a load that wavers", p.changes)
	}
	p = newProcess(100e6) // more than it can keep to: the bound holds
	p.run(600, 1e9)
	if p.pacer.percent != 100 {
		t.Errorf("%d %%", p.pacer.percent)
	}
}

func TestThePercentageStaysInItsBounds(t *testing.T) {
	odd := []gcSample{
		{}, {at: 1, cpus: 1}, {at: 2, cpus: 2, gc: 1e300, cycles: 1, allocs: math.MaxUint64, live: 0},
		{at: 3}, {at: 4, cpus: math.MaxUint64, allocs: 1, live: math.MaxUint64, cycles: 3}, {at: 5, cpus: 5, gc: -1, cycles: 9},
		{at: math.MaxInt64, cpus: 1}, {at: 7, cpus: 7, gc: math.NaN(), cycles: 10, allocs: 7},
	}
	p := pacer{min: 20, max: 100, cpu: 0.01, percent: 100}
	for range 100 {
		for _, s := range odd {
			if got := p.next(s); got < 20 || got > 100 {
				t.Fatalf("%d %% after %+v", got, s)
			}
		}
	}
}

func TestThePacerSetsTheCollectorAndEnds(t *testing.T) {
	before := debug.SetGCPercent(90)
	defer debug.SetGCPercent(before)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := pacer{min: 150, max: 160, cpu: 0.25, percent: 90} // as after a storm: up at once
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.run(ctx, quiet())
		}()
		time.Sleep(10 * time.Second)
		cancel()
		<-done
	})
	if got := debug.SetGCPercent(90); got < 150 || got > 160 {
		t.Errorf("set to %d %%", got)
	}
}

func TestTheRuntimeTellsWhatThePacerNeeds(t *testing.T) {
	read := newGCReader()
	runtime.GC()
	before := read.sample(1)
	kept := make([]byte, 8<<20)
	runtime.GC()
	after := read.sample(2)
	runtime.KeepAlive(kept)
	if after.at != 2 || after.gc <= before.gc || after.cpus != uint64(runtime.GOMAXPROCS(0)) || after.cycles <= before.cycles ||
		after.allocs < before.allocs+8<<20 || after.live < before.live+4<<20 {
		t.Errorf("%+v, then %+v", before, after)
	}
	if n := testing.AllocsPerRun(10, func() { read.sample(3) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
