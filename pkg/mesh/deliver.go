package mesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/pkg/id"
)

// overhead is what a Delivery may be longer than its body.
const overhead = 1 << 10

// ended is the context of who does not wait: whoever is not known now is looked for,
// and known to the next push.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Deliver queues an ephemeral push for a replica and never blocks. The body
// must not be changed afterwards. Nil means queued: it is sent within
// Config.DeliverWithin, in order, to the boot that has the number now, or
// dropped and counted. Errors: ErrUnknown, ErrBusy, ErrTooLarge, ErrClosed.
func (c *Client) Deliver(to id.Replica, body []byte) error {
	m, err := c.lookup(ended, to)
	if err != nil {
		c.m.delivered(fateUnknown, 1)
		return err
	}
	if len(body) > c.cfg.MaxMessageBytes-overhead {
		c.m.delivered(fateLarge, 1)
		return fmt.Errorf("deliver: %w", ErrTooLarge)
	}
	now := time.Now()
	for {
		q, err := c.queue(m)
		if err != nil {
			c.m.delivered(fateClosed, 1)
			return err
		}
		if err = q.push(body, now); !errors.Is(err, errRetired) {
			return err
		}
		c.forget(q) // it retired since it was found: the next one is new
	}
}

// queue returns the queue to m, and its sender runs. What waits for another
// boot of the same replica is dropped.
func (c *Client) queue(m Member) (*queue, error) {
	c.mu.RLock()
	q := c.queues[m.Replica]
	closed := c.closed
	c.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	if q != nil && q.to == m {
		return q, nil
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	old := c.queues[m.Replica]
	if old != nil && old.to == m {
		c.mu.Unlock()
		return old, nil
	}
	q = newQueue(c.closing, m, &c.cfg, c.m)
	c.queues[m.Replica] = q
	c.wg.Go(func() { c.send(q) })
	c.mu.Unlock()
	if old != nil {
		old.retire(fateStale, errRetired)
	}
	return q, nil
}

// forget removes a queue that has retired.
func (c *Client) forget(q *queue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queues[q.to.Replica] == q {
		delete(c.queues, q.to.Replica)
	}
}
