package gateway

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

// closedSession is a session that takes nothing: what is measured with it is the
// gateway's own part.
func closedSession(w *world) *transport.Session {
	p := w.dial(`{"token":"ann"}`)
	s := w.gateway.shardOf(p.id)
	s.mu.Lock()
	session := s.conns[p.id].session
	s.mu.Unlock()
	session.Close(reason.ServerClose)
	eventually(w.t, "the session to be gone, and its Disconnect event told", func() bool {
		w.mu.Lock()
		told := len(w.up) == 2
		w.mu.Unlock()
		return told && w.gateway.leaver.pending() == 0
	})
	return session
}

// crowd makes a shard of its own with members of one document.
func crowd(session *transport.Session, members int) *shard {
	s := newShard(1, NewMetrics(prometheus.NewRegistry()))
	for i := range members {
		c := GetConn()
		c.shard, c.session, c.id, c.main, c.member = s, session, id.Socket(i+1), true, true
		s.conns[c.id] = c
		s.joinLocked(c, id.DocTarget("d"))
	}
	return s
}

// The gateway's own part of a push to 10,000 members: no session takes it.
func BenchmarkWalk(b *testing.B) {
	w := newWorld(b, nil)
	s := crowd(closedSession(w), 10_000)
	for name, target := range map[string]id.Target{"document": id.DocTarget("d"), "all": id.AllTarget()} {
		p, err := newPush(&bus.Push{Mid: 1, Target: target, Event: "e", Args: []byte("[1]")}, true, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.deliver(job{push: p})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/receiver")
		})
	}
}

func TestWhatIsDoneForEachSocketAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	w := newWorld(t, nil)
	s := crowd(closedSession(w), 3*passChunk)
	c := &Connection{shard: s, id: 1 << 40}
	s.joinLocked(&Connection{shard: s}, id.DocTarget("own"))
	small, err := newPush(&bus.Push{Mid: 1, Target: id.SocketTarget(1), Event: "e", Args: []byte("[1]")}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := newPush(&bus.Push{Mid: 1, Target: id.DocTarget("d"), Event: "e", Args: []byte("[1]")}, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	// One for the list of the frames of a pass, however many receivers it has.
	deliver := func(p *push) func() { return func() { s.deliver(job{push: p}) } }
	if n, many := testing.AllocsPerRun(50, deliver(small)), testing.AllocsPerRun(50, deliver(all)); n > 1 || many > n {
		t.Errorf("%v allocations for one receiver, %v for %d", n, many, 3*passChunk)
	}
	for name, do := range map[string]func(){
		"join and leave": func() {
			if !s.joinLocked(c, id.DocTarget("d")) || !s.leaveLocked(c, id.DocTarget("d")) {
				t.Error("not joined, or not left")
			}
		},
		"a socket":   func() { s.find(7) },
		"a user":     func() { s.users.find("nobody") },
		"a document": func() { s.docs.find("own") },
		"a grant":    func() { grants("a\x00b*\x00c").mayJoin("c") },
		"traits":     func() { w.gateway.intern.of(traits{authType: "web"}) },
	} {
		if n := testing.AllocsPerRun(100, do); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
