package bench

import (
	"context"
	"fmt"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
)

// patience is how long connecting may stand still.
const patience = 30 * time.Second

// connect lets everybody come, a part of them first if the scenario says so.
func (c *conductor) connect(ctx context.Context) error {
	c.watch.phase("connect")
	first := 0
	if share := c.scenario.Clients.First; share > 0 {
		if err := c.come(ctx, share); err != nil {
			return err
		}
		first = c.watch.latest().Up
		c.before = c.restOf(ctx, func(*report.Process, int64) {})
		c.before.sockets = first
		c.run.Memory.First, c.run.Memory.FirstSockets = c.before.resident, first
	}
	_, cpu := c.probe.now()
	connects, from := c.watch.latest().Connects, swarm.Now()
	if err := c.come(ctx, 1); err != nil {
		return err
	}
	_, after := c.probe.now()
	s := c.watch.latest()
	c.came = s.Up
	r := &c.run.Connect
	r.Time, r.Failures = report.QuantilesOf(&s.ConnectTime), s.Failures
	r.Seconds = time.Duration(s.Connected - from).Seconds()
	if n := float64(s.Connects - connects); n > 0 {
		r.Rate = n / r.Seconds
		c.run.CPU.PerConnect = (after - cpu) * 1e6 / n
	}
	switch {
	case s.Up == 0:
		return fmt.Errorf("nobody could connect within %v: %s", patience, failures(s))
	case s.Up < c.run.Sockets:
		c.problem("%s of %s clients connected, and no more within %v: %s", commas(s.Up), commas(c.run.Sockets), patience, failures(s))
	}
	return c.learn()
}

// failures are why clients could not connect.
func failures(s *census) string {
	text := report.Reasons(s.Failures)
	if text == "" {
		return "no answer yet"
	}
	return text
}

// come lets a share of the clients connect, and waits for them while some come.
func (c *conductor) come(ctx context.Context, share float64) error {
	answers, err := c.crew.call(order{Op: opConnect, Rate: c.scenario.Clients.ConnectRate, Share: share})
	if err != nil {
		return err
	}
	want := 0
	for i := range answers {
		want += answers[i].Allowed
	}
	up, still := -1, time.Now()
	return c.watch.until(ctx, func(s *census) bool {
		if s.Up != up {
			up, still = s.Up, time.Now()
		}
		return s.Up == want || time.Since(still) > patience
	})
}

// learn asks for the ids of sockets, if they are pushed to.
func (c *conductor) learn() error {
	if c.scenario.Push.To != toSocket {
		return nil
	}
	answers, err := c.crew.call(order{Op: opSockets})
	for i := range answers {
		c.ids = append(c.ids, answers[i].Sockets...)
	}
	return err
}

// rest reads what everybody costs who does nothing.
func (c *conductor) rest(ctx context.Context) error {
	c.watch.phase("idle")
	c.run.CPU.Idle = c.cores(ctx, c.scenario.Load.Idle)
	idle := c.restOf(ctx, func(p *report.Process, n int64) { p.Idle = n })
	s := c.watch.latest()
	idle.sockets = s.Up
	m := &c.run.Memory
	m.Idle, m.Peak = idle.resident, idle.resident
	if s.Up > 0 {
		if m.Before > 0 {
			m.PerSocket = float64(m.Idle-m.Before) / float64(s.Up)
		}
		c.run.Clients.BytesPerClient = float64(s.resident-c.watch.workersBefore) / float64(s.Up)
	}
	m.Kernel = c.kernelOf(s.Up)
	idle.each(&c.before, m)
	return ctx.Err()
}

// kernelOf is what the kernel holds for so many clients more than before.
func (c *conductor) kernelOf(clients int) *report.Kernel {
	ends := clients
	if c.here {
		ends *= 2
	}
	now := readKernel("/proc")
	k := now.since(&c.kernel, ends)
	if k != nil {
		k.Both = c.here
	}
	return k
}

// emptyFor is how long the servers are watched before anybody comes.
const emptyFor = 3 * time.Second

// cores is what the servers use while nothing is asked of them; 0 if the time is
// too short to tell.
func (c *conductor) cores(ctx context.Context, wait time.Duration) float64 {
	_, cpu := c.probe.now()
	from := time.Now()
	sleep(ctx, wait)
	_, after := c.probe.now()
	if took := time.Since(from).Seconds(); took > 1 {
		return (after - cpu) / took
	}
	return 0
}

// restOf reads memory at rest, and notes if there is no rest.
func (c *conductor) restOf(ctx context.Context, keep func(*report.Process, int64)) state {
	s, settled := c.probe.rest(ctx, keep)
	if !settled {
		c.run.Notes = append(c.run.Notes, fmt.Sprintf("The servers' memory was still changing after %v of rest.", c.calm.most()))
	}
	return s
}
