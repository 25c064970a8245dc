package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/gotomicro/ego-component/eredis"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

// gate is a Redis that can be held: what comes waits.
type gate struct {
	*place
	held chan struct{} // has something when a command waits
}

func newGate(t *testing.T) *gate {
	return &gate{place: open(t, redistest.EmbeddedKind), held: make(chan struct{}, 1)}
}

// hold makes everything wait from here on, until the function is called.
func (g *gate) hold() (release func()) {
	gate := make(chan struct{})
	g.Mini.Server().SetPreHook(func(*server.Peer, string, ...string) bool {
		select {
		case g.held <- struct{}{}:
		default:
		}
		<-gate
		return false
	})
	var once sync.Once
	release = func() { once.Do(func() { close(gate) }) }
	g.T.Cleanup(release)
	return release
}

// blocked is an index without Run whose lane is busy with a first operation. No
// repair and no lease is in the way.
func (g *gate) blocked(change ...func(*Config)) (h *hall, release func()) {
	i := g.index(append([]func(*Config){func(c *Config) { c.GroupLanes = 1 }}, change...)...)
	h = &hall{t: g.T, node: Node{1, "b"}, i: i, sockets: make(map[id.Socket]Client)}
	i.self.Store(&local{Node: h.node, tag: tagOf(h.node.Boot), truth: h})
	release = g.hold()
	first := h.hold("first")
	done := make(chan error, 1)
	go func() { done <- i.Add(context.Background(), first) }()
	g.T.Cleanup(func() {
		release()
		if err := <-done; err != nil {
			g.T.Error(err)
		}
		i.group.wait()
	})
	<-g.held
	return h, release
}

// waiting returns when so many operations wait in the lane.
func waiting(t testing.TB, i *Index, ops int) {
	t.Helper()
	l := &i.group.lanes[0]
	eventually(t, fmt.Sprint(ops, " operations wait"), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.ops == ops
	})
}

// pipelines tells how many were sent, and how many operations they had.
func pipelines(t testing.TB, m *Metrics) (count, ops int) {
	t.Helper()
	var out dto.Metric
	if err := m.groupSize.Write(&out); err != nil {
		t.Fatal(err)
	}
	return int(out.GetHistogram().GetSampleCount()), int(out.GetHistogram().GetSampleSum())
}

func gaugeOf(t testing.TB, g prometheus.Gauge) float64 {
	t.Helper()
	var m dto.Metric
	if err := g.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

func TestWhatWaitsSharesAPipelineUpToTheLimit(t *testing.T) {
	const most = 4
	for ops, want := range map[int]int{1: 1, most: 1, most + 1: 2, 100 * most: 100} {
		t.Run(fmt.Sprint(ops), func(t *testing.T) {
			t.Parallel()
			h, release := newGate(t).blocked(func(c *Config) { c.GroupMost = most })
			var wg sync.WaitGroup
			for n := range ops {
				c := h.hold(id.User(fmt.Sprint("u", n)), "d")
				wg.Go(func() { h.ok(h.i.Add(context.Background(), c)) })
			}
			waiting(t, h.i, ops)
			if got := gaugeOf(t, h.i.m.groupWaiting); int(got) != ops {
				t.Errorf("%v wait according to the metric", got)
			}
			release()
			wg.Wait()
			h.i.group.wait()
			if count, sum := pipelines(t, h.i.m); count != 1+want || sum != 1+ops {
				t.Errorf("%d operations in %d pipelines, want %d", sum-1, count-1, want)
			}
			if got := gaugeOf(t, h.i.m.groupWaiting); got != 0 {
				t.Errorf("%v wait at the end", got)
			}
			if n, err := h.i.redis.Client().ZCard(ctxT(t), h.i.keys.doc("d", 0)).Result(); int(n) != ops || err != nil {
				t.Errorf("%d members, want %d, %v", n, ops, err)
			}
		})
	}
}

func TestWhatIsSentTogetherIsBoundedInBytes(t *testing.T) {
	g := newGroup(DefaultConfig(), nil, NewMetrics(prometheus.NewRegistry()))
	g.cfg.GroupBytes, g.cfg.GroupMost = 64<<10, 1_000_000
	l := &g.lanes[0]
	l.busy = true // nobody sends
	sized := func(bytes int) {
		p := g.part()
		p.do("set", strings.Repeat("x", bytes-perCommand-2*8-len("set")))
		if p.bytes != bytes {
			t.Fatalf("a part of %d bytes, want %d", p.bytes, bytes)
		}
		if err := l.put(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, bytes := range []int{
		32 << 10, 32 << 10, // at the limit together
		32 << 10, 32<<10 + 1, // above it
		100 * 64 << 10, 100, // alone, for it cannot be divided
	} {
		sized(bytes)
	}
	var got []int
	for l.take() {
		got = append(got, len(l.convoy.parts))
		l.convoy.parts = l.convoy.parts[:0]
	}
	if want := []int{2, 1, 1, 1, 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("parts per pipeline %v, want %v", got, want)
	}
}

func TestQueueForRedisIsBounded(t *testing.T) {
	const most = 10
	h, release := newGate(t).blocked(func(c *Config) { c.GroupQueue = most })
	var wg sync.WaitGroup
	add := func(want error) {
		c := h.hold("u", "d")
		wg.Go(func() {
			if err := h.i.Add(context.Background(), c); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
	for range most {
		add(nil)
	}
	waiting(t, h.i, most)
	for range 100*most - most {
		add(ErrBusy)
	}
	eventually(t, "what is too much has failed", func() bool {
		return counterOf(t, h.i.m.groupRefused) == 99*most
	})
	if _, err := h.i.Revocations().Revoked(ctxT(t), Token{User: "u"}); !errors.Is(err, ErrBusy) {
		t.Errorf("a question that is too much: %v", err)
	}
	release()
	wg.Wait()
	// What was refused is in doubt, and a repair brings it in.
	h.i.repair(context.Background(), h.i.self.Load())
	if n, err := h.i.redis.Client().ZCard(ctxT(t), h.i.keys.doc("d", 0)).Result(); n != 100*most || err != nil {
		t.Errorf("%d members, want %d, %v", n, 100*most, err)
	}
}

// Removals count each socket, so that a batch of a leaver's does not pass for
// one operation.
func TestRemovalsCountEachSocket(t *testing.T) {
	h, release := newGate(t).blocked(func(c *Config) { c.GroupMost = 10 })
	var wg sync.WaitGroup
	var gone []Client
	for range 10 {
		c := h.hold("u", "d")
		gone = append(gone, h.drop(c.Socket))
	}
	wg.Go(func() { h.ok(h.i.Remove(context.Background(), gone...)) })
	waiting(t, h.i, 10)
	c := h.hold("v", "d")
	wg.Go(func() { h.ok(h.i.Add(context.Background(), c)) })
	waiting(t, h.i, 11)
	release()
	wg.Wait()
	h.i.group.wait()
	if count, ops := pipelines(t, h.i.m); count != 3 || ops != 12 {
		t.Errorf("%d operations in %d pipelines", ops, count)
	}
}

func TestErrorBelongsToItsCaller(t *testing.T) {
	g := newGate(t)
	for _, key := range []string{"user:clients:bad", "guid:clients:bad"} {
		if err := g.Client().Set(ctxT(t), g.Prefix+":"+key, "not a list", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	h, release := g.blocked()
	results := make(map[id.User]chan error)
	for _, c := range []Client{h.hold("bad", "d"), h.hold("good", "d"), h.hold("also bad", "bad"), h.hold("well", "e")} {
		done := make(chan error, 1)
		results[c.User] = done
		go func() { done <- h.i.Add(context.Background(), c) }()
	}
	waiting(t, h.i, 4)
	release()
	for u, done := range results {
		if err, want := <-done, strings.Contains(string(u), "bad"); (err != nil) != want {
			t.Errorf("%s: %v", u, err)
		}
	}
	h.i.group.wait()
	if count, _ := pipelines(t, h.i.m); count != 2 {
		t.Errorf("%d pipelines", count)
	}
}

// Who gives up before the pipeline leaves is not in it; who gives up while it is
// under way does not take the others along.
func TestWhoGivesUpLeavesTheOthersAlone(t *testing.T) {
	h, release := newGate(t).blocked()
	early := h.hold("early", "d")
	ctx, cancel := context.WithCancel(context.Background())
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- h.i.Add(ctx, early) }()
	waiting(t, h.i, 1)
	c := h.hold("patient", "d")
	stayed := make(chan error, 1)
	go func() { stayed <- h.i.Add(context.Background(), c) }()
	waiting(t, h.i, 2)
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	if err := <-stayed; err != nil {
		t.Error(err)
	}
	h.i.group.wait()
	if members := must[[]string](t)(h.i.redis.Client().ZRange(ctxT(t), h.i.keys.doc("d", 0), 0, -1).Result()); len(members) != 1 {
		t.Errorf("members %v", members)
	}
	if count, ops := pipelines(t, h.i.m); count != 2 || ops != 2 {
		t.Errorf("%d operations in %d pipelines", ops, count)
	}
	if h.i.mu.Lock(); len(h.i.dirty) != 1 {
		t.Errorf("in doubt: %v", h.i.dirty)
	}
	h.i.mu.Unlock()
}

// Redis goes away with a pipeline under way and others waiting: everybody hears
// of it within his own time, and everything is repaired when it is back.
func TestRedisLostUnderABatchIsRepaired(t *testing.T) {
	g := newGate(t)
	proxy := redistest.NewProxy(t, g.Addr)
	i := g.indexAt(redistest.Connect(t, proxy.Addr(), eredis.WithStub()), func(c *Config) {
		c.GroupLanes, c.RefreshEvery = 1, 6*time.Second // the refresh must not help
	})
	h := g.openWith(i, Node{1, "b"})
	leaver := h.connect("leaver", "d", "e")
	gone := h.connect("gone", "d")
	release := g.hold()
	var wg sync.WaitGroup
	fails := func(do func(context.Context) error) {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			if err := do(ctx); err == nil {
				t.Error("nothing failed")
			}
			if took := time.Since(start); took > patience/2 {
				t.Errorf("it took %v", took)
			}
		})
	}
	var all []id.Socket
	for n := range 50 {
		c := h.hold(id.User(fmt.Sprint("u", n)), "d")
		all = append(all, c.Socket)
		fails(func(ctx context.Context) error { return i.Add(ctx, c) })
	}
	h.change(leaver.Socket, except("d"))
	fails(func(ctx context.Context) error { return i.Leave(ctx, leaver.Socket, "d") })
	h.drop(gone.Socket)
	fails(func(ctx context.Context) error { return i.Remove(ctx, gone) })
	fails(func(ctx context.Context) error {
		_, err := i.Revocations().Revoked(ctx, Token{User: "u"})
		return err
	})
	<-g.held
	proxy.Cut()
	wg.Wait()
	release()
	proxy.Mend()
	eventually(t, "the index is true", func() bool {
		_, err := i.Get(ctxT(t), gone.Socket)
		return errors.Is(err, ErrNotFound) && same(ofDoc(t, i, "d"), all...) && same(ofDoc(t, i, "e"), leaver.Socket)
	})
}

// A Redis that takes everything and answers nothing holds a lane no longer than
// those who wait for it.
func TestSilentRedisHoldsALaneNoLongerThanItsCallers(t *testing.T) {
	g := newGate(t)
	h := &hall{t: t, node: Node{1, "b"}, sockets: make(map[id.Socket]Client)}
	h.i = g.index(func(c *Config) { c.GroupLanes, c.Timeout = 1, patience })
	h.i.self.Store(&local{Node: h.node, tag: tagOf(h.node.Boot), truth: h})
	release := g.hold()
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := h.i.Add(ctx, h.hold("u", "d")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	h.i.group.wait()
	// The client tries again three times, after breaks of half a second at most.
	if took := time.Since(start); took > patience/2 {
		t.Errorf("the lane was held for %v", took)
	}
	release()
	h.connect("v", "e")
}

// Joins and leaves of one socket, each document in an order of its own and all
// at once, end as they ended in Local.
func TestJoinThenLeaveOfOneSocketEndsRight(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery, c.GroupLanes = 6*time.Second, 3 }) // must not help
		c := h.connect("u")
		var wg sync.WaitGroup
		var want []id.Doc
		for n := range 24 {
			d := id.Doc(fmt.Sprint("d", n))
			if n%2 == 1 {
				want = append(want, d)
			}
			wg.Go(func() {
				for range 5 {
					h.join(c.Socket, d)
					h.leave(c.Socket, d)
				}
				if n%2 == 1 {
					h.join(c.Socket, d)
				}
			})
		}
		wg.Wait()
		got := must[Client](t)(h.i.Get(ctxT(t), c.Socket))
		if len(got.Docs) != len(want) {
			t.Errorf("documents %v, want %v", got.Docs, want)
		}
		for n := range 24 {
			d := id.Doc(fmt.Sprint("d", n))
			if members := ofDoc(t, h.i, d); len(members) != n%2 || contains(got.Docs, d) != contains(want, d) {
				t.Errorf("members of %s: %v", d, members)
			}
		}
		h.disconnect(c.Socket)
		p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:1")
	})
}

func TestJoinOfManyDocumentsKeepsTheirOrder(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second }) // must not help
		c := h.connect("u", "z")
		docs := []id.Doc{"y", "b", "x", "a"}
		h.change(c.Socket, func(old []id.Doc) []id.Doc { return append(old, docs...) })
		h.ok(h.i.Join(ctxT(t), c.Socket, docs...))
		if got := must[Client](t)(h.i.Get(ctxT(t), c.Socket)); fmt.Sprint(got.Docs) != "[z y b x a]" {
			t.Errorf("documents %v", got.Docs)
		}
		h.change(c.Socket, func([]id.Doc) []id.Doc { return []id.Doc{"z", "x"} })
		h.ok(h.i.Leave(ctxT(t), c.Socket, "y", "b", "a", "x")) // x was joined again since
		if got := must[Client](t)(h.i.Get(ctxT(t), c.Socket)); fmt.Sprint(got.Docs) != "[z x]" {
			t.Errorf("documents %v", got.Docs)
		}
	})
}
