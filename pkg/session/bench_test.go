package session

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

// benchPlace is the real Redis if there is one, for miniredis says nothing about
// times.
func benchPlace(b *testing.B) *place {
	if os.Getenv("SLUICE_TEST_REAL") != "" {
		return open(b, redistest.RealKind)
	}
	p := open(b, redistest.EmbeddedKind)
	p.Mini.Server().SetPreHook(nil)
	p.Mini.ClockTTL(false)
	return p
}

// crowd is a hall with many sockets: each of its own user, in one of a tenth as
// many documents, and every tenth in one large document too.
func (p *place) crowd(i *Index, n int) *hall {
	h := &hall{t: p.T, node: Node{1, "boot"}, i: i, sockets: make(map[id.Socket]Client, n)}
	for k := range n {
		docs := []id.Doc{id.Doc(fmt.Sprint("doc-", k%(n/10)))}
		if k%10 == 0 {
			docs = append(docs, "large")
		}
		h.hold(id.User(fmt.Sprint("user-", k)), docs...)
	}
	return h
}

func asDefault(c *Config) {
	prefix := c.Prefix
	*c = DefaultConfig()
	c.Prefix = prefix
}

// cpu returns the time that the process has been computing.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const crowdSize = 100_000

// BenchmarkRefresh writes the times of 100,000 sockets once, as happens every
// RefreshEvery, a tenth of them with their keys' lives.
func BenchmarkRefresh(b *testing.B) {
	p := benchPlace(b)
	h := p.crowd(p.index(asDefault), crowdSize)
	self := &local{Node: h.node, tag: tagOf(h.node.Boot), truth: h}
	h.i.self.Store(self)
	if _, err := h.i.rebuild(context.Background(), self); err != nil {
		b.Fatal(err)
	}
	w := newWriter(h.i, self)
	batches := split(held(self), h.i.cfg.Batch)
	used, sc := cpu(), scope{turns: 10}
	b.ReportAllocs()
	for b.Loop() {
		sc.from, sc.to = sc.to, sc.to+1
		for _, batch := range batches {
			if err := w.write(context.Background(), batch, sc); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((cpu()-used).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// BenchmarkRebuild writes everything of 100,000 sockets to an empty Redis.
func BenchmarkRebuild(b *testing.B) {
	p := benchPlace(b)
	h := p.crowd(p.index(asDefault), crowdSize)
	self := &local{Node: h.node, tag: tagOf(h.node.Boot), truth: h}
	h.i.self.Store(self)
	used := cpu()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		stopped := cpu()
		p.wipe()
		used += cpu() - stopped
		b.StartTimer()
		if _, err := h.i.rebuild(context.Background(), self); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-used).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// BenchmarkConnect does what Redis is asked at a connect, and what it is told at
// the end, with many clients at once.
func BenchmarkConnect(b *testing.B) {
	for _, clients := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			p := benchPlace(b)
			h := p.crowd(p.index(asDefault), 10)
			h.i.self.Store(&local{Node: h.node, tag: tagOf(h.node.Boot), truth: h})
			r := h.i.Revocations()
			before, used := p.commands(), cpu()
			b.ReportAllocs()
			var n atomic.Int64
			b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
			work := func(next func() bool) {
				for next() {
					k := n.Add(1)
					c := h.hold(id.User(fmt.Sprint("user-", k)), id.Doc(fmt.Sprint("doc-", k%1000)))
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					if yes, err := r.Revoked(ctx, Token{User: c.User, AuthType: "web"}); yes || err != nil {
						b.Error(yes, err)
					}
					if err := h.i.Add(ctx, c); err != nil {
						b.Error(err)
					}
					cancel()
				}
			}
			if clients == 1 {
				work(b.Loop)
			} else {
				b.RunParallel(func(pb *testing.PB) { work(pb.Next) })
			}
			b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-us/op")
			b.ReportMetric(float64(p.commands()-before)/float64(b.N), "commands/op")
		})
	}
}

// commands counts what a real Redis was told until now.
func (p *place) commands() (n int) {
	if p.Mini != nil {
		return 0
	}
	info := must[string](p.T)(p.Client().Info(context.Background(), "stats").Result())
	_, info, _ = strings.Cut(info, "total_commands_processed:")
	_, _ = fmt.Sscan(info, &n)
	return n
}

// BenchmarkRemove takes sockets out as a gateway's leaver does, in batches.
func BenchmarkRemove(b *testing.B) {
	const batch = 256
	p := benchPlace(b)
	h := p.crowd(p.index(asDefault), 10)
	h.i.self.Store(&local{Node: h.node, tag: tagOf(h.node.Boot), truth: h})
	var used time.Duration
	var commands, n int
	b.ReportAllocs()
	for n < b.N {
		b.StopTimer()
		var gone []Client
		for range min(batch, b.N-n) {
			gone = append(gone, h.connect(id.User(fmt.Sprint("user-", n)), id.Doc(fmt.Sprint("doc-", n%1000))))
			n++
		}
		for k := range gone {
			h.drop(gone[k].Socket)
		}
		before, start := p.commands(), cpu()
		b.StartTimer()
		h.ok(h.i.Remove(context.Background(), gone...))
		used += cpu() - start
		commands += p.commands() - before
	}
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(commands)/float64(b.N), "commands/op")
}

func BenchmarkAddRemove(b *testing.B) {
	p := benchPlace(b)
	h := p.crowd(p.index(asDefault), 10)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := h.hold("u", "d1", "d2")
			if err := h.i.Add(context.Background(), c); err != nil {
				b.Error(err)
			}
			if err := h.i.Remove(context.Background(), h.drop(c.Socket)); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkLargeDocument looks up a document of 100,000 members, read from Redis
// and answered from the cache.
func BenchmarkLargeDocument(b *testing.B) {
	for name, keep := range map[string]time.Duration{"redis": 0, "cache": 10 * time.Second} {
		b.Run(name, func(b *testing.B) {
			p := benchPlace(b)
			i := p.index(asDefault, func(c *Config) { c.CacheFor = keep })
			h := p.crowd(i, 10)
			for range crowdSize {
				h.hold("", "huge")
			}
			self := &local{Node: h.node, tag: tagOf(h.node.Boot), truth: h}
			i.self.Store(self)
			if _, err := i.rebuild(context.Background(), self); err != nil {
				b.Fatal(err)
			}
			rebuild := make(chan reason, 1)
			if err := i.beat(context.Background(), &lease{self: self}, rebuild); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			b.ReportAllocs()
			for b.Loop() {
				if b.N%1000 == 0 {
					_ = i.beat(context.Background(), &lease{self: self}, rebuild)
				}
				page, _, err := i.OfDoc(context.Background(), "huge", "", 100)
				if err != nil || len(page) != 100 {
					b.Fatal(len(page), err)
				}
			}
		})
	}
}
