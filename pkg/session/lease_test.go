package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/gotomicro/ego-component/eredis"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func TestDeadReplicasSocketsAreNotReturned(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		noSweep := func(c *Config) { c.SweepGrace = time.Hour }
		dying, living := p.open(Node{1, "b1"}, noSweep), p.open(Node{2, "b2"}, noSweep)
		a, b := dying.connect("u", "d"), living.connect("u", "d")
		api := p.index()
		eventually(t, "both are found", func() bool { return same(ofDoc(t, api, "d"), a.Socket, b.Socket) })
		dying.kill()
		start := time.Now()
		eventually(t, "the dead one is not found", func() bool { return same(ofDoc(t, api, "d"), b.Socket) })
		if took, most := time.Since(start), api.cfg.LeaseTTL+patience/4; took > most {
			t.Errorf("found for %v after its death, want at most %v", took, most)
		}
		// Its entries are there, nobody returns them.
		if n := must[int64](t)(p.Client().ZCard(ctxT(t), p.Prefix+":guid:clients:d").Result()); n != 2 {
			t.Fatalf("%d entries, want 2", n)
		}
		if got := ofUser(t, api, "u"); !same(got, b.Socket) {
			t.Errorf("of the user: %v", got)
		}
		for name, count := range map[string]func() (int, error){
			"document": func() (int, error) { return api.CountDoc(ctxT(t), "d") },
			"user":     func() (int, error) { return api.CountUser(ctxT(t), "u") },
		} {
			if n, err := count(); n != 1 || err != nil {
				t.Errorf("count of the %s: %d %v", name, n, err)
			}
		}
		if got := must[[]id.Replica](t)(api.Nodes(ctxT(t), "d")); !slices.Equal(got, []id.Replica{2}) {
			t.Errorf("replicas %v", got)
		}
		if _, err := api.Get(ctxT(t), a.Socket); !errors.Is(err, ErrNotFound) {
			t.Errorf("get: %v", err)
		}
		if got := must[[]Node](t)(api.Living(ctxT(t))); !slices.Equal(got, []Node{{2, "b2"}}) {
			t.Errorf("living %v", got)
		}
	})
}

func TestRestartedReplicaDoesNotInheritSockets(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		before := p.open(Node{1, "first"})
		old := before.connect("u", "d")
		before.kill()
		// The successor is there long before the lease has run out. Its sweep
		// must not be what hides the socket, so it is refused.
		i := p.index()
		after := &hall{t: t, node: Node{1, "second"}, i: i, sockets: make(map[id.Socket]Client), ended: make(chan struct{})}
		after.refuse = func(Client) error { return errNotNow }
		ctx, cancel := context.WithCancel(context.Background())
		go func() { defer close(after.ended); after.err = i.Run(ctx, 1, "second", after, after.report) }()
		defer func() { cancel(); <-after.ended }()
		eventually(t, "the successor lives", func() bool {
			living, err := i.Living(ctxT(t))
			return err == nil && slices.Contains(living, after.node)
		})
		young := after.connect("u", "d")
		api := p.index()
		if got := ofDoc(t, api, "d"); !same(got, young.Socket) {
			t.Errorf("members %v", got)
		}
		if n := must[int](t)(api.CountUser(ctxT(t), "u")); n != 1 {
			t.Errorf("count %d", n)
		}
		if _, err := api.Get(ctxT(t), old.Socket); !errors.Is(err, ErrNotFound) {
			t.Errorf("get: %v", err)
		}
		// It reports what its former self left, when it can, and only that.
		if got := after.reported(); len(got) != 0 {
			t.Fatalf("reported %v", got)
		}
		after.mu.Lock()
		after.refuse = nil
		after.mu.Unlock()
		eventually(t, "the old socket is reported", func() bool { return len(after.reported()) > 0 })
		if got := after.reported(); len(got) != 1 || got[0].Socket != old.Socket || got[0].Boot != "first" || got[0].User != "u" {
			t.Errorf("reported %+v", got)
		}
		if got := ofDoc(t, api, "d"); !same(got, young.Socket) {
			t.Errorf("members %v", got)
		}
	})
}

func TestYoungerProcessSupersedes(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		old := p.open(Node{1, "old"})
		young := p.open(Node{1, "young"})
		select {
		case <-old.ended:
		case <-time.After(patience):
			t.Fatal("the older process goes on")
		}
		if !errors.Is(old.err, ErrSuperseded) {
			t.Errorf("ended with %v", old.err)
		}
		if err := old.i.Release(ctxT(t), 1); err != nil {
			t.Fatal(err)
		}
		if got := must[[]Node](t)(p.index().Living(ctxT(t))); !slices.Equal(got, []Node{{1, "young"}}) {
			t.Errorf("living %v", got)
		}
		young.kill()
		if young.err != nil {
			t.Errorf("ended with %v", young.err)
		}
	})
}

func TestReleaseLeavesWhatIsToBeSwept(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		leaving, staying := p.open(Node{1, "b1"}), p.open(Node{2, "b2"})
		c := leaving.connect("u", "d")
		leaving.kill()
		if err := leaving.i.Release(ctxT(t), 1); err != nil {
			t.Fatal(err)
		}
		if got := must[[]Node](t)(p.index().Living(ctxT(t))); !slices.Equal(got, []Node{{2, "b2"}}) {
			t.Errorf("living %v", got)
		}
		eventually(t, "the rest is swept", func() bool { return len(staying.reported()) == 1 })
		if got := staying.reported()[0]; got.Socket != c.Socket {
			t.Errorf("reported %+v", got)
		}
		p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:2")
	})
}

func TestFlushIsNoticedAndTheIndexRebuilt(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		// The refresh must not help, and the lease not run out on a slow machine.
		slow := func(c *Config) {
			c.RefreshEvery, c.LeaseTTL, c.SweepGrace = 6*time.Second, 10*time.Second, 10*time.Second
		}
		h := p.open(Node{1, "b"}, slow)
		rebuilds := func(why reason) float64 { return counterOf(t, h.i.m.rebuilds.WithLabelValues(string(why))) }
		eventually(t, "the first rebuild is over", func() bool { return rebuilds(reasonStart) == 1 })
		var all []id.Socket
		for range 30 {
			all = append(all, h.connect("u", "d", "e").Socket)
		}
		before := p.Keys()
		p.wipe()
		eventually(t, "the index is back", func() bool { return len(p.Keys()) == len(before) })
		eventually(t, "the sockets are found", func() bool { return same(ofDoc(t, h.i, "d"), all...) && same(ofUser(t, h.i, "u"), all...) })
		if got := must[Client](t)(h.i.Get(ctxT(t), all[0])); !slices.Equal(got.Docs, []id.Doc{"d", "e"}) || got.User != "u" {
			t.Errorf("record %+v", got)
		}
		if got := must[[]id.Replica](t)(h.i.Nodes(ctxT(t), "e")); len(got) != 1 {
			t.Errorf("replicas %v", got)
		}
		eventually(t, "one rebuild is counted", func() bool { return rebuilds(reasonFlush) == 1 })
		if h.fences != 0 {
			t.Error("said to have been taken for dead")
		}
		for _, s := range all {
			h.disconnect(s)
		}
		p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:1")
	})
}

func TestRestartOfRedisLeadsToARebuild(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	run := make(chan string, 1)
	run <- "aaaa"
	p.Mini.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		if cmd != "INFO" {
			return false
		}
		is := <-run
		c.WriteBulk("# Server\r\nrun_id:" + is + "\r\n")
		run <- is
		return true
	})
	h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second })
	c := h.connect("u", "d")
	rebuilds := func() float64 { return counterOf(t, h.i.m.rebuilds.WithLabelValues(string(reasonRestart))) }
	// What was written last is lost, the lease is not.
	p.Mini.Del("ws:guid:clients:d")
	p.Mini.Del("ws:client:" + c.Socket.String())
	<-run
	run <- "bbbb"
	eventually(t, "the index is rebuilt", func() bool { return rebuilds() == 1 })
	if got := ofDoc(t, h.i, "d"); !same(got, c.Socket) {
		t.Errorf("members %v", got)
	}
	if _, err := h.i.Get(ctxT(t), c.Socket); err != nil {
		t.Error(err)
	}
}

// A pause longer than the lease: survivors sweep, the sleeper wakes, learns of
// it and is back in the index.
func TestSleeperIsToldThatItWasTakenForDead(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	line := redistest.NewProxy(t, p.Addr)
	sleeper := p.openWith(p.indexAt(redistest.Connect(t, line.Addr(), eredis.WithStub())), Node{1, "b1"})
	c := sleeper.connect("u", "d")
	witness := p.open(Node{2, "b2"})
	line.Cut()
	eventually(t, "its socket is reported", func() bool { return len(witness.reported()) == 1 })
	eventually(t, "it is swept", func() bool { return len(ofDoc(t, witness.i, "d")) == 0 })
	line.Mend()
	eventually(t, "it is back", func() bool { return same(ofDoc(t, witness.i, "d"), c.Socket) })
	eventually(t, "it knows", func() bool {
		sleeper.mu.Lock()
		defer sleeper.mu.Unlock()
		return sleeper.fences == 1
	})
	if got := witness.reported(); len(got) != 1 {
		t.Errorf("reported %v", got)
	}
}

// When Redis was away for longer than all leases, nobody is dead.
func TestOutageOfRedisKillsNobody(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	a, b := p.open(Node{1, "b1"}), p.open(Node{2, "b2"})
	x, y := a.connect("u", "d"), b.connect("u", "d")
	p.Mini.SetError("LOADING away")
	p.Mini.FastForward(2 * a.i.cfg.LeaseTTL)
	time.Sleep(2 * a.i.cfg.LeaseTTL) // the processes must notice that they are late
	p.Mini.SetError("")
	eventually(t, "both are back", func() bool { return same(ofDoc(t, a.i, "d"), x.Socket, y.Socket) })
	time.Sleep(a.i.cfg.SweepGrace + 5*a.i.cfg.RenewEvery) // a sweep would come now
	if n := len(a.reported()) + len(b.reported()); n != 0 {
		t.Errorf("%d sockets reported", n)
	}
	if a.fences+b.fences != 0 {
		t.Errorf("said to have been taken for dead")
	}
	if got := ofDoc(t, a.i, "d"); !same(got, x.Socket, y.Socket) {
		t.Errorf("members %v", got)
	}
}
