package bench

import (
	"context"
	"fmt"
	"time"

	"sluice/pkg/bench/swarm"
)

// push sends counted messages until ctx ends.
func (c *conductor) push(ctx context.Context) error {
	p := &c.scenario.Push
	ticks := time.NewTicker(p.Every)
	defer ticks.Stop()
	body := p.body()
	next := uint32(0)
	for {
		for range p.Burst {
			stream := uint32(0)
			if p.To == "each" {
				stream = next % uint32(c.scenario.Clients.Documents)
				next++
			}
			if err := c.pushOne(ctx, stream, body); err != nil {
				return err
			}
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// pushOne announces a message and pushes it. A push that the target refuses is
// counted; one that the end of the load cuts short may have been taken.
func (c *conductor) pushOne(ctx context.Context, stream uint32, body string) error {
	if over(ctx) {
		return nil
	}
	if err := c.crew.tell(&order{Op: opAnnounce, Stream: stream, At: swarm.Now()}); err != nil {
		return err
	}
	at := swarm.Now()
	c.mu.Lock()
	c.times[stream] = append(c.times[stream], at)
	number := uint32(len(c.times[stream]))
	c.mu.Unlock()
	document := ""
	if c.scenario.Push.To != "all" {
		document = documentName(stream)
	}
	// Not the load's context: a message that was begun is to be finished.
	err := c.driver.Push(context.WithoutCancel(ctx), document, message(stream, number, at, body))
	if err == nil {
		return nil
	}
	c.mu.Lock()
	c.refused++
	first := c.refused == 1
	c.mu.Unlock()
	if first {
		c.watch.note(fmt.Sprintf("a push was refused: %v", err))
	}
	return c.crew.tell(&order{Op: opFail, Stream: stream, Number: number})
}

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
	for _, o := range []order{{Op: opSend, Upstream: &swarm.Upstream{}}, {Op: opChurn}} {
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
