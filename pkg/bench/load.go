package bench

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
)

// effort is what the servers and clients had done and used at some time.
type effort struct {
	at      time.Time
	census  *census
	cpu     float64
	garbage float64 // of that, Go's collector's
}

func (c *conductor) effort(ctx context.Context) effort {
	_, cpu := c.probe.now()
	return effort{at: time.Now(), census: c.watch.latest(), cpu: cpu, garbage: c.probe.garbage(ctx)}
}

// costs sets what was used for what was done between two efforts.
func (before *effort) costs(after *effort, l *report.Costs) {
	l.Seconds = after.at.Sub(before.at).Seconds()
	cpu := after.cpu - before.cpu
	l.Cores = cpu / l.Seconds
	l.Delivered, l.Events = after.census.Delivered-before.census.Delivered, after.census.Sent-before.census.Sent
	if n := float64(l.Delivered + l.Events); n > 0 {
		l.PerMessage = cpu * 1e6 / n
	}
	if g := after.garbage - before.garbage; g > 0 && cpu > 0 {
		l.GC = g / cpu
	}
}

// light is the load at a lower rate.
func (c *conductor) light(ctx context.Context) error {
	c.watch.phase("light")
	s, l := c.scenario, &c.scenario.Light
	s.Load.Duration, s.Push.Every, s.Upstream.Every = l.Duration, l.PushEvery, l.UpstreamEvery
	s.Churn, s.Cut = ChurnSection{}, CutSection{}
	return c.during(ctx, &s, &c.run.Light)
}

// load makes everything happen that the scenario asks for, and waits for what
// is on its way.
func (c *conductor) load(ctx context.Context) error {
	c.watch.phase("load")
	c.probe.begin(ctx)
	before := c.watch.latest()
	from := time.Now()
	err := c.during(ctx, &c.scenario, &c.run.Load)
	c.run.Seconds = c.run.Load.Lasted
	c.probe.end(ctx)
	r, l := &c.run, &c.run.Load
	r.Memory.Peak = max(r.Memory.Peak, c.probe.peak())
	r.CPU.Load, r.CPU.GC = l.Cores*l.Seconds/l.Lasted, l.GC
	switch {
	case l.Delivered > 0:
		r.CPU.PerDelivery = l.Cores * l.Seconds * 1e6 / float64(l.Delivered)
		r.Messages.Rate = float64(l.Delivered) / r.Seconds
	case l.Events > 0:
		r.CPU.PerEvent = l.PerMessage
	}
	s := c.watch.latest()
	if n := l.Delivered + l.Events; n > 0 {
		r.Clients.PerMessage = (s.cpu - before.cpu) * 1e6 / float64(n)
	}
	r.Clients.Cores = (s.cpu - before.cpu) / time.Since(from).Seconds()
	return err
}

// during does what a scenario asks for until its time is over and what is on
// its way has come, and keeps what it cost and how long messages took.
func (c *conductor) during(ctx context.Context, s *Scenario, l *report.Costs) error {
	if err := c.watch.restart(); err != nil {
		return err
	}
	before := c.effort(ctx)
	loaded, stop := context.WithTimeout(ctx, s.Load.Duration)
	defer stop()
	err := c.acts(loaded, stop, s)
	l.Lasted = time.Since(before.at).Seconds()
	if err == nil {
		err = c.quiet(context.WithoutCancel(ctx)) // it bounds itself
	}
	after := c.effort(ctx)
	before.costs(&after, l)
	l.Down, l.Roundtrip = report.QuantilesOf(&after.census.Latency), report.QuantilesOf(&after.census.Roundtrip)
	return err
}

// acts runs what is to happen at the same time until ctx ends; the first that
// fails stops the others.
func (c *conductor) acts(ctx context.Context, stop context.CancelFunc, s *Scenario) error {
	var all sync.WaitGroup
	errs := make(chan error, s.Push.Pushers+1)
	act := func(f func() error) {
		all.Go(func() {
			if err := f(); err != nil {
				errs <- err
				stop()
			}
		})
	}
	if s.Churn.PerSecond > 0 {
		if _, err := c.crew.call(order{Op: opChurn, Rate: s.Churn.PerSecond * float64(c.run.Sockets)}); err != nil {
			return err
		}
	}
	if s.Upstream.Every > 0 {
		if _, err := c.crew.call(order{Op: opSend, Upstream: c.upstream(&s.Upstream)}); err != nil {
			return err
		}
	}
	for i := range s.Push.Pushers {
		if s.Push.Every > 0 {
			act(func() error { return c.push(ctx, &s.Push, i) })
		}
	}
	if s.Cut.Share > 0 {
		act(func() error { return c.cut(ctx) })
	}
	<-ctx.Done()
	all.Wait()
	close(errs)
	return <-errs
}

// ownEvent is one that Sluice's gateway answers itself, and that changes
// nothing: leaving a document that the client is not in.
const ownEvent, ownArgs = "sluice:leave", `["-"]`

func (c *conductor) upstream(u *UpstreamSection) *swarm.Upstream {
	up := &swarm.Upstream{
		Rate: float64(c.run.Sockets) / u.Every.Seconds(), Bytes: u.Bytes, Ack: u.Ack, Event: eventUp,
	}
	switch {
	case u.Gateway && c.target.Kind == kindSluice:
		up.Event, up.Args = ownEvent, ownArgs
	case u.Ack:
		up.Event = eventEcho
	}
	return up
}
