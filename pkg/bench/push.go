package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/pkg/bench/swarm"
)

// push sends counted messages until ctx ends, as the pusher of that number.
func (c *conductor) push(ctx context.Context, p *PushSection, pusher int) error {
	ticks := time.NewTicker(p.Every)
	defer ticks.Stop()
	body := p.body()
	streams := uint32(len(c.times))
	for turn := uint32(0); ; {
		for range p.Burst {
			if err := c.room(ctx, p); err != nil || over(ctx) {
				return err
			}
			if err := c.pushOne(ctx, p.stream(streams, uint32(pusher), turn), body); err != nil {
				return err
			}
			turn++
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// stream chooses the document or client of a pusher's message: every so manieth
// is one of this pusher's.
func (p *PushSection) stream(streams, pusher, turn uint32) uint32 {
	pushers := uint32(p.Pushers)
	own := (streams - pusher + pushers - 1) / pushers
	switch p.To {
	case toEach:
		return pusher + turn%own*pushers
	case toRandom, toSocket:
		return pusher + rand.Uint32N(own)*pushers
	}
	return 0
}

// room waits until one more message to all may be on its way.
func (c *conductor) room(ctx context.Context, p *PushSection) error {
	if p.Window == 0 {
		return nil
	}
	c.mu.Lock()
	pushed := uint64(len(c.times[0]))
	c.mu.Unlock()
	err := c.watch.until(ctx, func(s *census) bool {
		readers := uint64(max(s.Up-s.Slow, 1))
		return pushed*readers < s.Delivered+uint64(p.Window)*readers
	})
	if over(ctx) {
		return nil
	}
	return err
}

// pushOne announces a message and pushes it. A push that the target refuses is
// counted; one that the end of the load cuts short may have been taken.
func (c *conductor) pushOne(ctx context.Context, stream uint32, body string) error {
	if over(ctx) {
		return nil
	}
	if err := c.announce(&order{Op: opAnnounce, Stream: stream, At: swarm.Now()}); err != nil {
		return err
	}
	at := swarm.Now()
	c.mu.Lock()
	c.times[stream] = append(c.times[stream], at)
	number := uint32(len(c.times[stream]))
	c.mu.Unlock()
	// Not the load's context: a message that was begun is to be finished.
	err := c.driver.Push(context.WithoutCancel(ctx), c.destination(stream), message(stream, number, at, body))
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
	return c.announce(&order{Op: opFail, Stream: stream, Number: number})
}

// announce tells the workers whose clients are concerned of a message.
func (c *conductor) announce(o *order) error {
	if c.scenario.Push.To == toSocket {
		return c.crew.tellOne(o.Stream, o)
	}
	return c.crew.tell(o)
}

func (c *conductor) destination(stream uint32) destination {
	switch c.scenario.Push.To {
	case toAll:
		return destination{}
	case toSocket:
		return destination{socket: c.ids[stream]}
	}
	return destination{document: documentName(stream)}
}
