package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
)

// job is what a conductor is to do.
type job struct {
	scenario Scenario
	target   *Target
	said     []string // of the scale
	meant    int      // sockets of the scenario as it was written
	program  string   // to start workers with
	workers  int
	limits   limits
	calm     time.Duration // that a server gets to give memory back
	show     func(progress)
}

// conductor runs one scenario on one target.
type conductor struct {
	job

	probe  *probe
	crew   *crew
	driver driver
	watch  *watch
	came   int // clients that connected in the beginning
	run    report.Run

	mu      sync.Mutex // guards what follows
	times   [][]int64  // when the messages of each stream were sent
	refused uint64
}

// progress is what the terminal shows.
type progress struct {
	Run, Phase string
	Point      report.Point
}

const (
	// patience is how long connecting may stand still.
	patience = 30 * time.Second
	look     = 100 * time.Millisecond
)

// conduct does all of it. A run that went wrong in the end is returned as far
// as it came.
func (c *conductor) conduct(ctx context.Context) (report.Run, error) {
	c.run = report.Run{
		Scenario: c.scenario.name, Title: c.scenario.Title, About: c.scenario.About, Target: c.target.Name,
		Scale: c.said, Sockets: c.scenario.Clients.Sockets,
	}
	c.probe = newProbe(c.target.all(), c.calm)
	if err := c.probe.check(ctx); err != nil {
		return c.run, err
	}
	c.times = make([][]int64, c.scenario.streams())
	if err := c.begin(ctx); err != nil {
		return c.run, err
	}
	err := c.phases(ctx)
	err = errors.Join(err, c.driver.Close(), c.crew.dismiss())
	return c.run, err
}

// begin starts the workers and connects to the target.
func (c *conductor) begin(ctx context.Context) error {
	servers, err := c.target.addresses()
	if err != nil {
		return err
	}
	var given []netip.Addr
	for _, s := range c.target.Sources {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return err
		}
		given = append(given, a)
	}
	groups, err := makePlan(&c.scenario, servers, given, c.workers, c.limits)
	if err != nil {
		return err
	}
	if err := checkServers(c.run.Sockets, len(servers), c.probe.files()); err != nil {
		return err
	}
	c.run.Memory.Before = c.probe.rest(ctx, func(p *report.Process, n int64) { p.Before = n })
	base := assignment{
		Servers: servers, Secure: c.target.options(), Host: c.target.Servers[0], Path: c.target.Path, Secret: c.target.Secret, Clients: c.scenario.Clients,
		Streams: c.scenario.streams(), OnTheWay: c.scenario.Load.OnTheWay, Receipts: c.scenario.Push.Receipts, Slow: c.scenario.Slow.Share,
	}
	if c.crew, err = hire(c.program, base, groups); err != nil {
		return err
	}
	if c.driver, err = c.newDriver(ctx); err != nil {
		return errors.Join(err, c.crew.dismiss())
	}
	c.run.Clients.Workers = len(groups)
	c.watch = newWatch(c)
	return nil
}

func (c *conductor) newDriver(ctx context.Context) (driver, error) {
	if c.target.Kind == kindStock {
		return newStock(ctx, c.target)
	}
	return newSluice(ctx, c.target, &c.scenario, newInbox(c.sentAt))
}

// sentAt is when a message was sent.
func (c *conductor) sentAt(stream, number uint32) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int(stream) >= len(c.times) || number == 0 || int(number) > len(c.times[stream]) {
		return 0, false
	}
	return c.times[stream][number-1], true
}

// phases are what happens, in its order.
func (c *conductor) phases(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { c.watch.run(watching) })
	err := c.connect(ctx)
	if err == nil {
		err = c.rest(ctx)
	}
	if err == nil && c.scenario.Load.Duration > 0 {
		err = c.load(ctx)
	}
	stop()
	watch.Wait()
	c.run.Series = c.watch.points()
	if err == nil {
		err = c.watch.failure()
	}
	if err != nil {
		return err
	}
	return c.settle(ctx)
}

// connect lets everybody come.
func (c *conductor) connect(ctx context.Context) error {
	c.watch.phase("connect")
	from := swarm.Now()
	_, cpu := c.probe.now()
	if _, err := c.crew.call(order{Op: opConnect, Rate: c.scenario.Clients.ConnectRate}); err != nil {
		return err
	}
	up, still := -1, time.Now()
	err := c.watch.until(ctx, func(s *census) bool {
		if s.Up != up {
			up, still = s.Up, time.Now()
		}
		return s.Up == c.run.Sockets || time.Since(still) > patience
	})
	if err != nil {
		return err
	}
	s := c.watch.latest()
	c.came = s.Up
	_, after := c.probe.now()
	r := &c.run.Connect
	r.Time, r.Failures = report.QuantilesOf(&s.ConnectTime), s.Failures
	r.Seconds = time.Duration(s.Connected - from).Seconds()
	if r.Seconds > 0 {
		r.Rate = float64(s.Connects) / r.Seconds
	}
	if s.Connects > 0 {
		c.run.CPU.PerConnect = (after - cpu) * 1e6 / float64(s.Connects)
	}
	switch {
	case s.Up == 0:
		return fmt.Errorf("nobody could connect: %v", s.Failures)
	case s.Up < c.run.Sockets:
		c.problem("%s of %s clients connected, and no more within %v: %v", commas(s.Up), commas(c.run.Sockets), patience, s.Failures)
	}
	return nil
}

// rest reads what everybody costs who does nothing.
func (c *conductor) rest(ctx context.Context) error {
	c.watch.phase("idle")
	_, cpu := c.probe.now()
	from := time.Now()
	sleep(ctx, c.scenario.Load.Idle)
	_, after := c.probe.now()
	if took := time.Since(from).Seconds(); took > 1 {
		c.run.CPU.Idle = (after - cpu) / took
	}
	m := &c.run.Memory
	m.Idle = c.probe.rest(ctx, func(p *report.Process, n int64) { p.Idle = n })
	m.Peak = m.Idle
	if s := c.watch.latest(); s.Up > 0 && m.Before > 0 {
		m.PerSocket = float64(m.Idle-m.Before) / float64(s.Up)
		c.run.Clients.BytesPerClient = float64(s.resident-c.watch.workersBefore) / float64(s.Up)
	}
	if text := extrapolate(m.PerSocket, c.run.Sockets, c.meant); text != "" {
		c.run.Scale = append(c.run.Scale, text)
	}
	return ctx.Err()
}

// load makes everything happen that the scenario asks for, and waits for what
// is on its way.
func (c *conductor) load(ctx context.Context) error {
	c.watch.phase("load")
	c.probe.begin(ctx)
	before := c.watch.latest()
	_, cpu := c.probe.now()
	from := time.Now()
	loaded, stop := context.WithTimeout(ctx, c.scenario.Load.Duration)
	defer stop()
	err := c.acts(loaded, stop)
	c.run.Seconds = time.Since(from).Seconds()
	_, loadedCPU := c.probe.now()
	c.run.CPU.Load = (loadedCPU - cpu) / c.run.Seconds
	if err == nil {
		err = c.quiet(ctx)
	}
	_, after := c.probe.now()
	c.probe.end(ctx)
	c.run.Memory.Peak = max(c.run.Memory.Peak, c.probe.peak())
	s := c.watch.latest()
	events := float64(s.Sent - before.Sent)
	if n := float64(s.Delivered - before.Delivered); n > 0 {
		c.run.CPU.PerDelivery = (after - cpu) * 1e6 / n
		c.run.Messages.Rate = n / c.run.Seconds
	} else if events > 0 {
		c.run.CPU.PerEvent = (after - cpu) * 1e6 / events
	}
	if messages := float64(s.Delivered-before.Delivered) + events; messages > 0 {
		c.run.Clients.PerMessage = (s.cpu - before.cpu) * 1e6 / messages
	}
	c.run.Clients.Cores = (s.cpu - before.cpu) / time.Since(from).Seconds()
	return err
}

// acts runs what is to happen at the same time until ctx ends; the first that
// fails stops the others.
func (c *conductor) acts(ctx context.Context, stop context.CancelFunc) error {
	var all sync.WaitGroup
	errs := make(chan error, 3)
	act := func(wanted bool, f func(context.Context) error) {
		if !wanted {
			return
		}
		all.Go(func() {
			if err := f(ctx); err != nil {
				errs <- err
				stop()
			}
		})
	}
	s := &c.scenario
	if s.Churn.PerSecond > 0 {
		if _, err := c.crew.call(order{Op: opChurn, Rate: s.Churn.PerSecond * float64(c.run.Sockets)}); err != nil {
			return err
		}
	}
	if s.Upstream.Every > 0 {
		if _, err := c.crew.call(order{Op: opSend, Upstream: c.upstream()}); err != nil {
			return err
		}
	}
	act(s.Push.Every > 0, c.push)
	act(s.Cut.Share > 0, c.cut)
	<-ctx.Done()
	all.Wait()
	close(errs)
	return <-errs
}

func (c *conductor) upstream() *swarm.Upstream {
	u := &c.scenario.Upstream
	up := &swarm.Upstream{
		Rate: float64(c.run.Sockets) / u.Every.Seconds(), Bytes: u.Bytes, Ack: u.Ack, Event: eventUp,
	}
	if u.Ack {
		up.Event = eventEcho
	}
	return up
}

// problem notes what makes a run not good.
func (c *conductor) problem(format string, args ...any) {
	c.run.Problems = append(c.run.Problems, fmt.Sprintf(format, args...))
}
