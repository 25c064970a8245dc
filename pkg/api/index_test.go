package api

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
	"sluice/pkg/session"
	"sluice/pkg/stream"
)

// house is a world with a session index in a Redis and gateways that are in it.
type house struct {
	*world
	mini  *miniredis.Miniredis
	index *session.Index
}

func newHouse(t testing.TB, change ...func(w *world)) *house {
	t.Helper()
	mini, redis := newRedis(t)
	h := &house{mini: mini}
	h.index = newIndex(redis)
	h.world = newWorld(t, append([]func(w *world){func(w *world) {
		w.deps.Index = h.index
		w.deps.Keys = stream.New(stream.DefaultConfig(), redis, quiet, stream.NewMetrics(prometheus.NewRegistry()))
	}}, change...)...)
	return h
}

func newIndex(redis *eredis.Component) *session.Index {
	cfg := session.DefaultConfig()
	cfg.NodesFor, cfg.CacheFor = 10*time.Millisecond, 0
	return session.New(cfg, redis, quiet, session.NewMetrics(prometheus.NewRegistry()), time.Now)
}

// resident is a fake gateway with its part of the session index.
type resident struct {
	*fakeGateway
	h     *house
	index *session.Index
	leave func()

	mu      sync.Mutex
	clients map[id.Socket]session.Client
}

// resident starts a gateway and waits until the index knows it.
func (h *house) resident(r id.Replica) *resident {
	h.t.Helper()
	g := &resident{fakeGateway: h.mesh.gateway(r), h: h, clients: map[id.Socket]session.Client{}}
	g.index = newIndex(newClient(h.t, h.mini))
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() {
		ran <- g.index.Run(ctx, r, g.boot, g, func(context.Context, session.Client) error { return nil })
	}()
	var once sync.Once
	g.leave = func() {
		once.Do(func() {
			cancel()
			if err := <-ran; err != nil {
				h.t.Errorf("index of replica %d: %v", r, err)
			}
		})
	}
	h.t.Cleanup(g.leave)
	eventually(h.t, "the lease", func() bool {
		nodes, err := h.index.Living(context.Background())
		return err == nil && slices.ContainsFunc(nodes, func(n session.Node) bool { return n.Replica == r })
	})
	return g
}

// connect gives the gateway a socket.
func (g *resident) connect(s id.Socket, user id.User, docs ...id.Doc) id.Socket {
	g.h.t.Helper()
	c := session.Client{
		Socket: s, User: user, Docs: docs, Replica: g.replica, Boot: g.boot, AuthType: "jwt", ClientVersion: "1.2",
		Locale: "en", Since: time.Now(), Seen: time.Now(),
	}
	g.mu.Lock()
	g.clients[s] = c
	g.mu.Unlock()
	g.fakeGateway.mu.Lock()
	g.sockets[s] = true
	g.fakeGateway.mu.Unlock()
	if err := g.index.Add(context.Background(), c); err != nil {
		g.h.t.Fatal(err)
	}
	return s
}

// disconnect takes a socket away without telling the index.
func (g *resident) disconnect(s id.Socket) {
	g.fakeGateway.mu.Lock()
	defer g.fakeGateway.mu.Unlock()
	delete(g.sockets, s)
}

func (g *resident) Each(f func(id.Socket) bool) {
	g.mu.Lock()
	sockets := slices.Collect(func(yield func(id.Socket) bool) {
		for s := range g.clients {
			if !yield(s) {
				return
			}
		}
	})
	g.mu.Unlock()
	for _, s := range sockets {
		if !f(s) {
			return
		}
	}
}

func (g *resident) Lookup(s id.Socket) (session.Client, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.clients[s]
	return c, ok
}

func (g *resident) Holds(d id.Doc) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.clients {
		if slices.Contains(c.Docs, d) {
			return true
		}
	}
	return false
}

// sid makes the n-th socket id that replica r mints.
func sid(r id.Replica, n int) id.Socket { return id.Socket(uint64(n)<<22 | uint64(r)<<10) }
