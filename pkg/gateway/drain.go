package gateway

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

const (
	drainTick = 50 * time.Millisecond
	settleFor = 10 * time.Second // for the Disconnect events of the last sockets
)

// Accepting tells whether new sessions are welcome.
func (g *Gateway) Accepting() bool { return !g.draining.Load() }

// Refuse stops accepting new sessions; those that are here go on.
func (g *Gateway) Refuse() { g.draining.Store(true) }

// Drain sends the clients away, spread over the window, and returns when they
// are gone and everything owed for them is settled, or when ctx ends. It is to
// be called while Run works.
func (g *Gateway) Drain(ctx context.Context) error {
	g.Refuse()
	if err := g.spread.flush(ctx); err != nil {
		return err
	}
	leaving := g.everyone()
	g.log.Info("draining", elog.Int("sockets", len(leaving)), elog.Duration("window", g.cfg.DrainWindow))
	rand.Shuffle(len(leaving), func(i, j int) { leaving[i], leaving[j] = leaving[j], leaving[i] })
	if err := g.sendAway(ctx, leaving); err != nil {
		return err
	}
	g.transport.Each(func(s *transport.Session) bool { // those that never connected
		s.CloseAfterFlush(reason.Drain)
		return true
	})
	return g.waitGone(ctx)
}

// sendAway closes the connections at an even pace over the window.
func (g *Gateway) sendAway(ctx context.Context, leaving []ref) error {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	start := time.Now()
	for sent := 0; sent < len(leaving); {
		due := len(leaving)
		if g.cfg.DrainWindow > 0 {
			passed := float64(time.Since(start)+drainTick) / float64(g.cfg.DrainWindow)
			due = min(due, int(passed*float64(len(leaving)))+1)
		}
		for ; sent < due; sent++ {
			g.end(leaving[sent], reason.Drain)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (g *Gateway) everyone() []ref {
	var all []ref
	for _, s := range g.shards {
		s.mu.Lock()
		for _, c := range s.conns {
			all = append(all, c.ref())
		}
		s.mu.Unlock()
	}
	return all
}

// waitGone waits until no session is left and nothing is owed.
func (g *Gateway) waitGone(ctx context.Context) error {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for g.transport.Len() > 0 || g.leaver.pending() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settleLeft waits for what is owed for sockets that were closed without a
// drain. What cannot be settled in time is swept by a survivor.
func (g *Gateway) settleLeft(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := g.waitGone(ctx); err != nil {
		g.log.Warn("left with events owed", elog.Int("departures", g.leaver.pending()))
	}
}
