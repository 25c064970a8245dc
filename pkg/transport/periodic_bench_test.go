package transport

import (
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/engineio"
)

// These report what is done again and again for sessions that do nothing, for
// 100,000 of them and each second.
const idleSessions = 100_000

// idleCrowd is a server with sessions that are on its wheels and have no
// connection: the clocks' own work, without the kernel's.
func idleCrowd(tb testing.TB, n int) (*Server, []*Session) {
	v := newServer(&world{t: new(testing.T), opened: make(chan *client, n)}, nil)
	q := &engineio.Query{Version: engineio.V4, Carrier: engineio.WebSocket}
	all := make([]*Session, n)
	for i := range all {
		s := v.newSession(uint64(i+1)<<22, q, "127.0.0.1:1")
		// Begun at different times, as they are on a server that runs.
		begun := int64(i) * v.policy.Start / int64(n)
		if !v.insert(s, 0, s.beat.Begin(&v.policy, s.version(), false, begun)) {
			tb.Fatal("a session is not taken")
		}
		v.opened(s, silent{})
		all[i] = s
	}
	return v, all
}

// usedCPU is that of this process.
func usedCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// second turns all wheels through a second that begins at now, and lets each
// client that is woken answer. It returns how many were.
func second(v *Server, now int64, woken []*Session) (beats int, kept []*Session) {
	for range 1000 / wheelTick {
		now += wheelTick
		for i := range v.shards {
			h := &v.shards[i]
			h.mu.Lock()
			woken = h.wheel.advance(now, woken[:0])
			h.mu.Unlock()
			for _, s := range woken {
				s.tick(now)
				s.seen.Store(now + 5)
			}
			beats += len(woken)
		}
	}
	return beats, woken
}

// BenchmarkIdleHeartbeat is the clocks' work in a second, at the first interval
// and at the one that proven sessions have. What a ping costs on a connection is
// not in it; BenchmarkPing has that.
func BenchmarkIdleHeartbeat(b *testing.B) {
	for _, when := range []struct {
		name   string
		warmUp int64 // seconds
	}{{"new", 20}, {"proven", 300}} {
		b.Run(when.name, func(b *testing.B) {
			v, _ := idleCrowd(b, idleSessions)
			var woken []*Session
			now := int64(0)
			for ; now < when.warmUp*1000; now += 1000 {
				_, woken = second(v, now, woken)
			}
			beats := 0
			before := usedCPU()
			b.ReportAllocs()
			for b.Loop() {
				var n int
				n, woken = second(v, now, woken)
				now += 1000
				beats += n
			}
			used := usedCPU() - before
			if n := v.Len(); n != idleSessions {
				b.Fatalf("%d sessions are left", n)
			}
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/s")
			b.ReportMetric(float64(beats)/float64(b.N), "beats/s")
		})
	}
}

// BenchmarkPing is a ping to each of 1,000 connections, beside a bare write of as
// many bytes, and what 100,000 of them take each second at the proven interval.
func BenchmarkPing(b *testing.B) {
	c := newCrowd(b, 1000, false, nil)
	defer c.stop()
	var sessions []*Session
	c.w.v.Each(func(s *Session) bool { sessions = append(sessions, s); return true })
	bytes := pingFrame.wire(wsV4)
	var bare, pings time.Duration
	b.ReportAllocs()
	for b.Loop() {
		bare += cpu(sessions, func(s *Session) { syscall.Write(int(s.link.Load().fd), bytes) })
		pings += cpu(sessions, func(s *Session) { s.control(pingFrame) })
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N*len(sessions)) }
	b.ReportMetric(each(bare), "bare-ns/ping")
	b.ReportMetric(each(pings), "cpu-ns/ping")
	b.ReportMetric(each(pings)*idleSessions/c.w.v.cfg.PingInterval.Seconds(), "cpu-ns/s")
}

// BenchmarkScrape gathers the metrics with one session and with 100,000: it must
// not matter.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{1, idleSessions} {
		b.Run(map[bool]string{true: "full", false: "empty"}[n > 1], func(b *testing.B) {
			_, reg := measured(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reg.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// measured is an idle crowd, and the registry of its metrics.
func measured(tb testing.TB, n int) ([]*Session, *prometheus.Registry) {
	v, all := idleCrowd(tb, n)
	reg := prometheus.NewRegistry()
	v.metrics = NewMetrics(reg)
	for _, s := range all {
		v.metrics.session(s.state.Carrier(), s.version(), 1)
	}
	return all, reg
}

// BenchmarkEach walks along 100,000 sessions, as draining does.
func BenchmarkEach(b *testing.B) {
	v, _ := idleCrowd(b, idleSessions)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		v.Each(func(*Session) bool { n++; return true })
		if n != idleSessions {
			b.Fatal(n)
		}
	}
}

// TestScrapingTouchesNoSession: it goes on while all of them are locked.
func TestScrapingTouchesNoSession(t *testing.T) {
	all, reg := measured(t, 100)
	shards := all[0].srv.shards
	for i := range shards {
		shards[i].mu.Lock()
		defer shards[i].mu.Unlock()
	}
	for _, s := range all {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	done := make(chan error, 1)
	go func() {
		_, err := reg.Gather()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for a session")
	}
}

// TestIdleHeartbeatsDoNotAllocate covers ticks that ping and those that do not.
func TestIdleHeartbeatsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	v, _ := idleCrowd(t, 1000)
	now, beats := int64(0), 0
	woken := make([]*Session, 0, 1000)
	n := testing.AllocsPerRun(60, func() {
		var some int
		some, woken = second(v, now, woken)
		now += 1000
		beats += some
	})
	if n != 0 || beats < 3000 || v.Len() != 1000 {
		t.Errorf("%v allocations for %d beats, %d sessions are left", n, beats, v.Len())
	}
}
