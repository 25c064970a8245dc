package app

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// pacer moves the percentage of the garbage collector between two bounds. Most
// of the time a gateway with a large heap allocates little: a collector that runs
// at a small percentage costs it nothing then, and saves as much memory as all
// its connections take. While many clients connect, or much is sent, the same
// percentage would cost a core.
type pacer struct {
	min, max int
	cpu      float64 // share of the CPUs that the collector may use

	percent int
	calm    time.Duration // for how long less would have been enough
	last    gcSample
	rate    float64 // bytes allocated in a second of one CPU, over the last few samples
	cycle   float64 // CPU seconds that the last collection took
	counted float64 // gcSample.gc when it had ended
}

// gcSample is what the runtime has counted since the process began, but for live.
type gcSample struct {
	at     time.Duration
	gc     float64 // CPU seconds that the collector used
	all    float64 // CPU seconds that there were, used or not
	cycles uint64
	allocs uint64 // bytes
	live   uint64 // bytes that the last collection found in use
}

const (
	paceEvery = time.Second
	paceCalm  = 20 * time.Second // before each step down
)

// next takes a sample and returns the percentage from now on. It is what the
// collector may just cost: with a collection each time that so much has been
// allocated, at the rate of now. So it does not depend on the percentage of the
// moment, and cannot swing. It goes up at once, and down a third at a time.
func (p *pacer) next(s gcSample) int {
	d := p.last
	p.last = s
	if n := s.cycles - d.cycles; n > 0 {
		p.cycle = (s.gc - p.counted) / float64(n)
		p.counted = s.gc
	}
	if s.all <= d.all {
		return p.percent
	}
	p.rate += (float64(s.allocs-d.allocs)/(s.all-d.all) - p.rate) / 4
	want := p.want(s.live)
	switch {
	case want > p.percent:
		p.percent, p.calm = want, 0
	case want > p.percent*3/4: // close enough
		p.calm = 0
	default:
		if p.calm += s.at - d.at; p.calm >= paceCalm {
			p.percent, p.calm = max(want, p.percent*2/3), 0
		}
	}
	return p.percent
}

// want is the percentage at which the collector uses just its share.
func (p *pacer) want(live uint64) int {
	const least = 4 << 20 // the runtime takes a heap for no smaller
	percent := 100 * p.cycle * p.rate / (p.cpu * float64(max(live, least)))
	switch {
	case percent <= float64(p.min):
		return p.min
	case percent < float64(p.max):
		return int(math.Ceil(percent))
	}
	return p.max
}

// run works until ctx ends.
func (p *pacer) run(ctx context.Context, log *elog.Component) {
	names := []string{
		"/cpu/classes/gc/total:cpu-seconds", "/cpu/classes/total:cpu-seconds", "/gc/cycles/total:gc-cycles",
		"/gc/heap/allocs:bytes", "/gc/heap/live:bytes",
	}
	read := make([]metrics.Sample, len(names))
	for i := range names {
		read[i].Name = names[i]
	}
	start := time.Now()
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		metrics.Read(read)
		was := p.percent
		now := p.next(gcSample{
			at: time.Since(start), gc: read[0].Value.Float64(), all: read[1].Value.Float64(),
			cycles: read[2].Value.Uint64(), allocs: read[3].Value.Uint64(), live: read[4].Value.Uint64(),
		})
		if now != was {
			debug.SetGCPercent(now)
			log.Debug("garbage collector", elog.Int("percent", now))
		}
	}
}
