package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sluice/pkg/bench/report"
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
	calm     calm // that a server gets to give memory back
	show     func(progress)
}

// conductor runs one scenario on one target.
type conductor struct {
	job

	probe  *probe
	crew   *crew
	driver driver
	watch  *watch
	came   int      // clients that connected in the beginning
	ids    []string // of the clients' sockets, if they are pushed to
	run    report.Run
	before state  // of the servers without clients
	kernel kernel // the same
	here   bool   // the servers are on this machine

	mu      sync.Mutex // guards what follows
	times   [][]int64  // when the messages of each stream were sent
	refused uint64
}

// progress is what the terminal shows.
type progress struct {
	Run, Phase string
	Point      report.Point
}

const look = 100 * time.Millisecond

// conduct does all of it. A run that went wrong in the end is returned as far
// as it came.
func (c *conductor) conduct(ctx context.Context) (report.Run, error) {
	c.run = report.Run{
		Scenario: c.scenario.name, Title: c.scenario.Title, About: c.scenario.About, Target: c.target.Name,
		Scale: c.said, Sockets: c.scenario.Clients.Sockets,
	}
	if text := c.scenario.beside; text != "" {
		c.run.Target += ", " + text
	}
	if c.scenario.Load.Idle == 0 {
		c.calm = hasty
	}
	c.probe = newProbe(c.target.all(), c.calm)
	if err := c.probe.check(ctx); err != nil {
		return c.run, err
	}
	c.times = make([][]int64, c.scenario.streams())
	if err := c.begin(ctx); over(ctx) && err != nil {
		return c.run, errInterrupted
	} else if err != nil {
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
	if err := c.target.reach(ctx); err != nil {
		return err
	}
	groups, err := makePlan(&c.scenario, servers, given, c.workers, c.limits)
	if err != nil {
		return err
	}
	if err := checkServers(c.run.Sockets, len(servers), c.probe.files()); err != nil {
		return err
	}
	c.before = c.restOf(ctx, func(p *report.Process, n int64) { p.Before = n })
	c.run.Memory.Before = c.before.resident
	c.kernel, c.here = readKernel("/proc"), loopback(servers) || len(c.probe.files()) > 0
	if c.scenario.Load.Idle > 0 {
		c.run.CPU.Empty = c.cores(ctx, emptyFor)
	}
	base := assignment{
		Servers: servers, Secure: c.target.options(), Host: c.target.Servers[0], Path: c.target.Path, Secret: c.target.Secret, Clients: c.scenario.Clients,
		Streams: c.scenario.streams(), OnTheWay: c.scenario.Load.OnTheWay, Receipts: c.scenario.Push.Receipts, Slow: c.scenario.Slow.Share, Unicast: c.scenario.Push.To == toSocket,
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
	ctx, giveUp := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if err := c.watch.run(ctx); err != nil {
			giveUp(err) // there is nothing to wait for any more
		}
	})
	err := c.connect(ctx)
	if err == nil {
		_, err = c.driver.Received(ctx) // a refused subscription is known by now
	}
	if err == nil {
		err = c.rest(ctx)
	}
	if err == nil && c.scenario.Light.Duration > 0 {
		err = c.light(ctx)
	}
	if err == nil && c.scenario.Load.Duration > 0 {
		err = c.load(ctx)
	}
	if over(ctx) {
		if err = context.Cause(ctx); errors.Is(err, context.Canceled) {
			err = errInterrupted
		}
	}
	giveUp(nil)
	watch.Wait()
	c.run.Series = c.watch.points()
	if err != nil && c.came == 0 {
		return err
	}
	// What came until it went wrong is worth knowing, too.
	return errors.Join(err, c.settle(ctx))
}

// errAllEnded means that no process is left that could serve anybody.
var errAllEnded = errors.New("the servers have ended")

// errInterrupted means that somebody wanted the run to end.
var errInterrupted = errors.New("interrupted")

// problem notes what makes a run not good.
func (c *conductor) problem(format string, args ...any) {
	c.run.Problems = append(c.run.Problems, fmt.Sprintf(format, args...))
}
