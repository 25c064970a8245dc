package app

import (
	"context"
	"math"
	"runtime"
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
	since   time.Duration // when less began to be enough
	most    int           // that was wanted since then
	last    gcSample
	rate    float64 // bytes allocated in a second of one CPU, over the last few samples
	cycle   float64 // CPU seconds that the last collection took
	counted float64 // gcSample.gc when it had ended
}

// gcSample is what the runtime has counted since the process began, but for cpus
// and live. What it says of CPU time is what it was after the last collection.
type gcSample struct {
	at     time.Duration
	cpus   uint64
	gc     float64 // CPU seconds that the collector used
	cycles uint64
	allocs uint64 // bytes
	live   uint64 // bytes that the last collection found in use
}

const (
	paceEvery = time.Second
	paceCalm  = 30 * time.Second // in which less has to be enough
	paceFree  = 2 * time.Minute  // between two times that memory is handed back at once
)

// next takes a sample and returns the percentage from now on. It is what the
// collector may just cost: with a collection each time that so much has been
// allocated, at the rate of now. So it does not depend on the percentage of the
// moment, and cannot swing. It goes up at once, and down to what was enough for a
// while.
func (p *pacer) next(s gcSample) int {
	d := p.last
	p.last = s
	if n := s.cycles - d.cycles; n > 0 {
		p.cycle = (s.gc - p.counted) / float64(n)
		p.counted = s.gc
	}
	there := float64(s.cpus) * (s.at - d.at).Seconds()
	if there <= 0 {
		return p.percent
	}
	p.rate += (float64(s.allocs-d.allocs)/there - p.rate) / 4
	want := p.want(s.live)
	switch {
	case want > p.percent*3/4: // or close enough
		p.percent, p.since, p.most = max(want, p.percent), s.at, 0
	case s.at-p.since < paceCalm:
		p.most = max(p.most, want)
	default:
		p.percent, p.since, p.most = max(p.most, want), s.at, 0
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
	start, freed := time.Now(), time.Time{}
	read := newGCReader()
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		was := p.percent
		now := p.next(read.sample(time.Since(start)))
		if now == was {
			continue
		}
		debug.SetGCPercent(now)
		log.Debug("garbage collector", elog.Int("percent", now))
		if now < was && time.Since(freed) >= paceFree {
			// A storm is over. By itself the runtime would keep what it took for minutes:
			// where little is allocated, collections are rare. Pools keep what they have
			// over one of them, so that it takes two.
			runtime.GC()
			debug.FreeOSMemory()
			freed = time.Now()
		}
	}
}

// gcReader reads what the runtime has counted.
type gcReader []metrics.Sample

func newGCReader() gcReader {
	return gcReader{
		{Name: "/sched/gomaxprocs:threads"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
}

func (r gcReader) sample(at time.Duration) gcSample {
	metrics.Read(r)
	return gcSample{
		at: at, cpus: r[0].Value.Uint64(), gc: r[1].Value.Float64(),
		cycles: r[2].Value.Uint64(), allocs: r[3].Value.Uint64(), live: r[4].Value.Uint64(),
	}
}
