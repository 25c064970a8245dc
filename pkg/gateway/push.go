package gateway

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
)

// push is a bus.Push made ready for the shards: decoded once, its filter
// prepared, shared by every worker.
type push struct {
	mid       id.Message
	target    id.Target
	socket    id.Socket // of a KindSocket target
	msg       *message
	filter    filter
	multi     bool
	durable   bool
	latestKey string
	within    time.Duration
	arrived   time.Time

	left atomic.Int32 // jobs not done
	took func(time.Duration)
}

func newPush(p *bus.Push, durable bool, took func(time.Duration)) (*push, error) {
	out := &push{
		mid: p.Mid, target: p.Target, msg: newMessage(p), filter: newFilter(p),
		multi: p.Multi, durable: durable, latestKey: p.LatestKey,
		within: time.Duration(p.WithinMS) * time.Millisecond, arrived: time.Now(), took: took,
	}
	if out.latestKey == "" {
		out.latestKey = p.Event
	}
	if p.Target.Kind == id.KindSocket {
		s, err := id.ParseSocket(p.Target.Name)
		if err != nil {
			return nil, fmt.Errorf("push %s: target: %w", p.Mid, err)
		}
		out.socket = s
	}
	return out, nil
}

// done counts one job; the last one reports how long the fan-out took.
func (p *push) done() {
	if p.left.Add(-1) == 0 && p.took != nil {
		p.took(time.Since(p.arrived))
	}
}

// shardOf returns the shard that a socket belongs to.
func (g *Gateway) shardOf(s id.Socket) *shard { return g.shards[mix(s)%uint32(len(g.shards))] }

// targetShards returns the shards that may have receivers of a push.
func (g *Gateway) targetShards(p *push) []*shard {
	if p.target.Kind == id.KindSocket {
		i := mix(p.socket) % uint32(len(g.shards))
		return g.shards[i : i+1]
	}
	return g.shards
}

// fanOut queues a durable push and waits for room in the queues: their workers
// never block, so the wait is short, and it is what slows the relay down when
// this machine is the bottleneck.
func (g *Gateway) fanOut(ctx context.Context, p *push, slot, slots uint32) error {
	to := g.targetShards(p)
	p.left.Add(int32(len(to)))
	for _, s := range to {
		select {
		case s.jobs <- job{push: p, slot: slot, slots: slots}:
		case <-ctx.Done():
			return fmt.Errorf("push %s: fan-out: %w", p.mid, ctx.Err())
		}
	}
	return nil
}

// fanOutOrDrop queues an ephemeral push where there is room.
func (g *Gateway) fanOutOrDrop(p *push) bool {
	to := g.targetShards(p)
	p.left.Add(int32(len(to)))
	took := false
	for _, s := range to {
		select {
		case s.jobs <- job{push: p}:
			took = true
		default:
			g.m.drop(dropQueue)
			p.done()
		}
	}
	return took
}
