package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/auth"
	"sluice/pkg/socketio"
	"sluice/pkg/stream"
	"sluice/pkg/transport"
)

// Gateway holds the connections of one replica. New builds it, Run works, and
// Drain makes it leave.
type Gateway struct {
	cfg          Config
	deps         Deps
	packetLimits socketio.Limits
	log          *elog.Component
	m            *Metrics
	now          func() time.Time
	forwarded    func(*http.Request) bool
	traceSeed    [8]byte
	writeTimeout time.Duration

	transport  *transport.Server
	shards     []*shard
	intern     *interner
	policy     auth.Policy
	revoked    *revoked
	marks      maphash.Seed
	admission  *admission
	connecting *lateWatch
	assembling *lateWatch
	leaver     *leaver
	spread     *spreader
	relay      *relay

	draining atomic.Bool
}

// New builds a gateway. forwarded tells whether a request came from another
// gateway, and so must not be passed on again.
func New(cfg Config, wire transport.Config, deps Deps, forwarded func(*http.Request) bool,
	m *Metrics, tm *transport.Metrics, log *elog.Component,
) *Gateway {
	g := &Gateway{
		cfg: cfg, deps: deps, packetLimits: cfg.packetLimits(wire.MaxPayload), log: log, m: m, now: time.Now,
		forwarded: forwarded, intern: newInterner(), admission: newAdmission(cfg.Address, time.Now), writeTimeout: wire.WriteTimeout,
		connecting: newLateWatch(cfg.ConnectTimeout), assembling: newLateWatch(cfg.AttachmentTimeout),
	}
	g.policy, g.marks = deps.Policy, maphash.MakeSeed()
	g.revoked = newRevoked(g.policy.Remembered, g.now)
	_, _ = rand.Read(g.traceSeed[:]) // never fails
	n := cfg.Shards
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	g.shards = make([]*shard, n)
	for i := range g.shards {
		g.shards[i] = newShard(cfg.ShardQueue, m)
		g.shards[i].gw, g.shards[i].joinWait = g, cfg.JoinWait
	}
	g.leaver = newLeaver(g)
	g.spread = newSpreader(g.fanOut)
	g.relay = newRelay(g)
	g.transport = transport.NewServer(wire, transport.Hooks{
		NewID: g.newID, Admit: g.admitRequest, Open: g.open, Follow: g.follow, Foreign: g.foreign, Unknown: g.refuseUnknown,
	}, tm, log)
	return g
}

// ServeHTTP serves the Engine.IO requests of clients, and those that other
// gateways forward.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.transport.ServeHTTP(w, r) }

// Run works until ctx ends, or until a part fails for good. It returns when
// every goroutine that it started has ended. Call Drain first to leave in
// order: ending ctx closes what is left at once.
func (g *Gateway) Run(ctx context.Context) error {
	// The sockets end first, then those who settle what they leave behind.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	outer, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var workers, edge sync.WaitGroup
	for _, s := range g.shards {
		workers.Go(func() { s.run(inner) })
	}
	workers.Go(func() { g.leaver.run(inner) })
	edge.Go(func() { g.connecting.run(outer, lateConnect) })
	edge.Go(func() { g.assembling.run(outer, lateAttachments) })
	edge.Go(func() { g.spread.run(outer) })
	edge.Go(func() { g.runExpiry(outer) })
	edge.Go(func() { g.followRevocations(outer) })
	edge.Go(func() { g.keep(outer, fail, "transport", g.transport.Run) })
	edge.Go(func() { g.keep(outer, fail, "stream", g.runStream) })
	edge.Go(func() { g.keep(outer, fail, "relay", g.relay.run) })
	edge.Wait()

	g.settleLeft(context.WithoutCancel(ctx))
	stop()
	workers.Wait()
	if err := context.Cause(outer); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// keep runs one part; its failure ends the others.
func (g *Gateway) keep(ctx context.Context, fail context.CancelCauseFunc, name string, run func(context.Context) error) {
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fail(fmt.Errorf("gateway: %s: %w", name, err))
	}
}

func (g *Gateway) runStream(ctx context.Context) error {
	return g.deps.Stream.Run(ctx, func(e stream.Entry) { g.broadcast(ctx, e) })
}

func (g *Gateway) newID() (uint64, error) {
	s, err := g.deps.IDs.Socket()
	return uint64(s), err
}
