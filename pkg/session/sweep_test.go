package session

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotomicro/ego-component/eredis"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func TestSweepReportsEachSocketOnceAndLeavesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		few := func(c *Config) { c.SweepWorkers = 3 }
		dying := p.open(Node{1, "b1"}, few)
		survivors := []*hall{p.open(Node{2, "b2"}, few), p.open(Node{3, "b3"}, few)}
		want := make(map[id.Socket]Client)
		for n := range 40 {
			c := dying.connect(id.User(fmt.Sprint("u", n%5)), id.Doc(fmt.Sprint("d", n%3)), "all")
			want[c.Socket] = c
		}
		kept := survivors[0].connect("u0", "all")
		dying.kill()
		eventually(t, "all are reported", func() bool {
			return len(survivors[0].reported())+len(survivors[1].reported()) >= len(want)
		})
		keys := []string{":nodes", ":node:2", ":node:3", ":client:" + kept.Socket.String(), ":user:clients:u0", ":guid:clients:all",
			":guid:nodes:all", ":node:clients:2:b2"}
		for n := range keys {
			keys[n] = p.Prefix + keys[n]
		}
		p.nothingBut(t, keys...)
		for _, h := range survivors {
			for _, got := range h.reported() {
				c, ok := want[got.Socket]
				if !ok {
					t.Errorf("reported twice, or not its socket: %+v", got)
					continue
				}
				delete(want, got.Socket)
				if got.User != c.User || !slices.Equal(got.Docs, c.Docs) || got.Replica != 1 || got.Boot != "b1" || got.AuthType != "web" || got.Seen.IsZero() {
					t.Errorf("reported %+v, want %+v", got, c)
				}
			}
		}
		if len(want) != 0 {
			t.Errorf("not reported: %v", want)
		}
		if got := ofDoc(t, survivors[0].i, "all"); !same(got, kept.Socket) {
			t.Errorf("members %v", got)
		}
	})
}

func TestSweepKeepsWhatCouldNotBeReported(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		survivor := p.open(Node{2, "b2"}, func(c *Config) { c.SweepWorkers = 2 })
		dying := p.open(Node{1, "b1"})
		stuck := dying.connect("stuck", "d")
		survivor.mu.Lock()
		survivor.refuse = func(c Client) error {
			if c.Socket == stuck.Socket {
				return errNotNow
			}
			return nil
		}
		survivor.mu.Unlock()
		for range 20 {
			dying.connect("u", "d")
		}
		dying.kill()
		eventually(t, "the others are reported", func() bool { return len(survivor.reported()) == 20 })
		if n := must[int64](t)(p.Client().ZCard(ctxT(t), p.Prefix+":user:clients:stuck").Result()); n != 1 {
			t.Fatalf("the entry of what was not reported is gone")
		}
		survivor.mu.Lock()
		survivor.refuse = nil
		survivor.mu.Unlock()
		eventually(t, "the last is reported", func() bool { return len(survivor.reported()) == 21 })
		p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:2")
		if got := survivor.reported(); got[20].Socket != stuck.Socket {
			t.Errorf("reported %+v", got[20])
		}
	})
}

// A sleeper that wakes during its sweep keeps what was not swept.
func TestSweepStopsWhenTheReplicaIsAwake(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	line := redistest.NewProxy(t, p.Addr)
	sleeper := p.openWith(p.indexAt(redistest.Connect(t, line.Addr(), eredis.WithStub())), Node{1, "b1"})
	var all []id.Socket
	for range 10 {
		all = append(all, sleeper.connect("u", "d").Socket)
	}
	witness := p.open(Node{2, "b2"}, func(c *Config) { c.SweepWorkers = 1 })
	began, goOn := make(chan struct{}, 100), make(chan struct{})
	witness.mu.Lock()
	witness.block = func() { began <- struct{}{}; <-goOn }
	witness.mu.Unlock()
	line.Cut()
	<-began
	line.Mend()
	eventually(t, "the sleeper is awake", func() bool {
		living, err := witness.i.Living(ctxT(t))
		return err == nil && slices.Contains(living, sleeper.node)
	})
	close(goOn)
	eventually(t, "the sweep has ended", func() bool { return !p.Mini.Exists("ws:node:sweep:1:b1") })
	eventually(t, "all are back", func() bool { return same(ofDoc(t, witness.i, "d"), all...) })
	if n := len(witness.reported()); n > 2 {
		t.Errorf("%d sockets reported, of a page of 2", n)
	}
	sleeper.mu.Lock()
	defer sleeper.mu.Unlock()
	if sleeper.fences != 1 {
		t.Errorf("told %d times that it was taken for dead", sleeper.fences)
	}
}

func TestSweepReportsSocketsWhoseRecordsAreGone(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	dying, survivor := p.open(Node{1, "b1"}), p.open(Node{2, "b2"})
	c := dying.connect("u", "d")
	dying.kill()
	p.Mini.Del("ws:client:" + c.Socket.String())
	eventually(t, "it is reported", func() bool { return len(survivor.reported()) == 1 })
	if got := survivor.reported()[0]; got.Socket != c.Socket || got.Replica != 1 || got.Boot != "b1" || got.User != "" {
		t.Errorf("reported %+v", got)
	}
	eventually(t, "the node is forgotten", func() bool { ok, _ := p.Mini.ZMembers("ws:nodes"); return len(ok) == 1 })
}

// A dead replica's own set outlives the records, so that nothing is forgotten
// silently.
func TestOwnSetLivesLongest(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second })
		c := h.connect("u", "d")
		life := func(key string) time.Duration {
			return must[time.Duration](t)(p.Client().PTTL(ctxT(t), p.Prefix+key).Result())
		}
		eventually(t, "the set lives longer than the record", func() bool {
			record := life(":client:" + c.Socket.String())
			return record > 0 && life(":node:clients:1:b") > record
		})
	})
}
