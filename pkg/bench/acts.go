package bench

import (
	"context"
	"time"

	"sluice/pkg/bench/swarm"
)

// cut breaks connections, and takes the time until all are back.
func (c *conductor) cut(ctx context.Context) error {
	sleep(ctx, c.scenario.Cut.After)
	if over(ctx) {
		return nil
	}
	c.watch.phase("cut")
	from := swarm.Now()
	if _, err := c.crew.call(order{Op: opCut, Share: c.scenario.Cut.Share}); err != nil {
		return err
	}
	err := c.watch.until(ctx, func(s *census) bool { return s.Up == c.run.Sockets && s.Connected > from })
	if s := c.watch.latest(); err == nil && s.Up == c.run.Sockets {
		c.run.Coming.Recovery = time.Duration(s.Connected - from).Seconds()
	}
	c.watch.phase("load")
	if over(ctx) {
		return nil // settle says who is missing
	}
	return err
}

// quiet stops what clients do, and waits until everything that is on its way
// has come, as long as the scenario allows.
func (c *conductor) quiet(ctx context.Context) error {
	c.watch.phase("settle")
	for _, o := range []order{{Op: opChurn}, {Op: opSend, Upstream: &swarm.Upstream{}}} {
		if _, err := c.crew.call(o); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(c.scenario.Load.Settle)
	for time.Now().Before(deadline) {
		complete, err := c.complete(ctx)
		if complete || err != nil {
			return err
		}
		sleep(ctx, 5*look)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// complete tells whether nothing is missing any more.
func (c *conductor) complete(ctx context.Context) (bool, error) {
	answers, err := c.crew.call(order{Op: opBalance})
	if err != nil {
		return false, err
	}
	if err := c.watch.look(); err != nil {
		return false, err
	}
	came, err := c.driver.Received(ctx)
	if err != nil {
		return false, err
	}
	s := c.watch.latest()
	balance := balanceOf(answers)
	events := came.events
	if c.scenario.Upstream.Ack {
		events = s.Answered
	}
	return s.Up >= c.came && balance.Lost == 0 && came.receipts+s.Busy >= s.Receipts && events+s.Busy >= s.Sent, nil
}
