package session

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func TestRefreshKeepsEntriesAliveAndTheirTimesCurrent(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		// Without the refresh everything would be gone after this.
		ttl := 3 * time.Second
		if raceDetector {
			ttl = 6 * time.Second
		}
		h := p.open(Node{1, "b"}, func(c *Config) {
			c.TTL, c.RefreshEvery = ttl, 20*time.Millisecond
		})
		var all []id.Socket
		for n := range 20 {
			all = append(all, h.connect(id.User(fmt.Sprint("u", n%4)), "d", "e").Socket)
		}
		for end := time.Now().Add(5 * ttl / 2); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if got := ofDoc(t, h.i, "e"); !same(got, all...) {
				t.Fatalf("members %v", got)
			}
			if got := ofUser(t, h.i, "u1"); len(got) != 5 {
				t.Fatalf("of the user: %v", got)
			}
			if got := must[[]Client](t)(h.i.GetMany(ctxT(t), all)); len(got) != len(all) {
				t.Fatalf("%d records", len(got))
			}
		}
		now := time.Now().Add(time.Hour) // ahead of this clock: what is written is capped
		h.mu.Lock()
		c := h.sockets[all[0]]
		c.Seen = now
		h.sockets[all[0]] = c
		h.mu.Unlock()
		start := time.Now()
		eventually(t, "the new time is in Redis", func() bool {
			got, err := h.i.Get(ctxT(t), all[0])
			return err == nil && !got.Seen.Before(start)
		})
		if got := must[Client](t)(h.i.Get(ctxT(t), all[0])); got.Seen.After(time.Now()) {
			t.Errorf("seen in the future: %v", got.Seen)
		}
	})
}

func TestEveryKeyHasItsTurn(t *testing.T) {
	sc := scope{turns: 10}
	last := make([]uint64, 25) // the turn in which a hash had its turn last
	for _, step := range []uint64{0, 1, 1, 2, 0, 1, 3, 5, 1, 9, 1, 10, 1, 40, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1} {
		sc.from, sc.to = sc.to, sc.to+step
		for hash := range last {
			if sc.turn(uint64(hash)) {
				last[hash] = sc.to
			}
			if sc.to-last[hash] > 10 {
				t.Errorf("hash %d was left out since %d, now %d", hash, last[hash], sc.to)
			}
		}
	}
	count := 0
	sc.from, sc.to = 7, 8
	for hash := range uint64(1000) {
		if sc.turn(hash) {
			count++
		}
	}
	if count != 100 {
		t.Errorf("%d of 1000 have their turn in one of ten", count)
	}
}

// Each kind of list, lost one by one, comes back, and with a life. It does not
// wait for its turn, which comes after twenty minutes.
func TestRefreshBringsBackListsThatWereLost(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.TTL, c.RefreshEvery = time.Hour, 50*time.Millisecond })
		eventually(t, "the first rebuild is over", func() bool {
			return counterOf(t, h.i.m.rebuilds.WithLabelValues(string(reasonStart))) == 1
		})
		h.connect("u", "d")
		for _, key := range []string{"user:clients:u", "guid:clients:d", "node:clients:1:b", "nodes"} {
			key = p.Prefix + ":" + key
			if n := must[int64](t)(p.Client().Del(ctxT(t), key).Result()); n != 1 {
				t.Fatalf("no key %s", key)
			}
			eventually(t, key+" comes back", func() bool {
				return must[time.Duration](t)(p.Client().PTTL(ctxT(t), key).Result()) > 0
			})
		}
	})
}

// still returns an index without Run, whose writer and repair are called by
// hand.
func (p *place) still(change ...func(*Config)) (*hall, *local, *writer) {
	i := p.index(change...)
	h := &hall{t: p.T, node: Node{1, "b"}, i: i, sockets: make(map[id.Socket]Client)}
	self := &local{Node: h.node, tag: tagOf("b"), truth: h}
	i.self.Store(self)
	if err := i.beat(ctxT(p.T), &lease{self: self}, make(chan reason, 1)); err != nil {
		p.T.Fatal(err)
	}
	return h, self, newWriter(i, self)
}

func TestRecordsAreComparedInTheirTurn(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h, self, w := p.still()
		turn := scope{turns: 1, from: 0, to: 1}
		c := h.connect("u", "d")
		key := p.Prefix + ":client:" + c.Socket.String()
		for name, damage := range map[string]func() error{
			"lost":             func() error { return p.Client().Del(ctxT(t), key).Err() },
			"not left":         func() error { return p.Client().HSet(ctxT(t), key, "doc:e", 1).Err() },
			"not joined":       func() error { return p.Client().HDel(ctxT(t), key, "doc:d").Err() },
			"of somebody else": func() error { return p.Client().HSet(ctxT(t), key, "boot", "x").Err() },
		} {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			if err := w.write(ctxT(t), held(self), turn); err != nil {
				t.Fatal(err)
			}
			h.i.repair(ctxT(t), self)
			if got, err := h.i.Get(ctxT(t), c.Socket); err != nil || got.User != "u" || !slices.Equal(got.Docs, []id.Doc{"d"}) {
				t.Errorf("%s: %+v %v", name, got, err)
			}
			if ttl := must[time.Duration](t)(p.Client().PTTL(ctxT(t), key).Result()); ttl <= 0 {
				t.Errorf("%s: lives for %v", name, ttl)
			}
		}
	})
}

// What a change of unknown outcome, or an older state of Redis, can leave: a
// socket that is not here, and a membership that has ended.
func TestRefreshRemovesWhatIsNotTrue(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h, self, w := p.still()
		c := h.connect("u", "d")
		other := p.index() // writes without looking at what is true
		ghost := Client{Socket: newSocket(1), User: "ghost", Docs: []id.Doc{"d", "g"}, Replica: 1, Boot: "b", Seen: time.Now()}
		if err := other.Add(ctxT(t), ghost); err != nil {
			t.Fatal(err)
		}
		if err := other.Join(ctxT(t), c.Socket, "left"); err != nil {
			t.Fatal(err)
		}
		if err := w.write(ctxT(t), held(self), scope{turns: 1, to: 1}); err != nil {
			t.Fatal(err)
		}
		if err := h.i.dropForgotten(ctxT(t), self, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		h.i.repair(ctxT(t), self)
		var want []string
		for _, key := range []string{"nodes", "node:1", "node:clients:1:b", "client:" + c.Socket.String(), "user:clients:u", "guid:clients:d", "guid:nodes:d"} {
			want = append(want, p.Prefix+":"+key)
		}
		slices.Sort(want)
		if got := p.Keys(); !slices.Equal(got, want) {
			t.Errorf("keys %q, want %q", got, want)
		}
		if got := ofDoc(t, h.i, "d"); !same(got, c.Socket) {
			t.Errorf("members %v", got)
		}
	})
}

// A socket that is held stays, however long it has given no sign of life.
func TestSilentSocketIsNotForgotten(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h, self, w := p.still()
		c := h.connect("u", "d")
		h.mu.Lock()
		c.Seen = time.Now().Add(-time.Hour)
		h.sockets[c.Socket] = c
		h.mu.Unlock()
		p.wipe()
		for range 3 {
			if err := w.write(ctxT(t), held(self), scope{turns: 1, to: 1}); err != nil {
				t.Fatal(err)
			}
			limit := h.i.now().Add(-h.i.cfg.TTL)
			old := must[[]string](t)(p.Client().ZRangeByScore(ctxT(t), p.Prefix+":guid:clients:d", &redis.ZRangeBy{Min: "-inf", Max: formatScore(limit)}).Result())
			if len(old) != 0 {
				t.Errorf("%q looks forgotten", old)
			}
		}
	})
}

// What has no owner goes, but not what belongs to a replica whose clock is wrong.
func TestOldMembersOfOthersGoOnlyWhenNobodyHasThem(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	quick := func(c *Config) { c.TTL, c.RefreshEvery = 2*time.Second, 50*time.Millisecond }
	h := p.open(Node{1, "b"}, quick)
	h.connect("u", "d")
	other := p.open(Node{2, "b2"}, func(c *Config) { c.TTL, c.RefreshEvery = time.Hour, 10*time.Minute })
	theirs := other.connect("u", "d")
	ownerless := member(newSocket(3), tagOf("gone"))
	past := float64(time.Now().Add(-time.Hour).UnixMicro())
	for key, members := range map[string][]string{
		"ws:guid:clients:d": {member(theirs.Socket, tagOf("b2")), ownerless, "junk"},
		"ws:guid:nodes:d":   {nodeMember(2, tagOf("b2")), nodeMember(3, tagOf("gone")), "junk"},
	} {
		for _, m := range members {
			if _, err := p.Mini.ZAdd(key, past, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, key := range []string{"ws:guid:clients:d", "ws:guid:nodes:d"} {
		eventually(t, "two are left in "+key, func() bool { left, _ := p.Mini.ZMembers(key); return len(left) == 2 })
	}
	if n := len(must[[]id.Replica](t)(h.i.Nodes(ctxT(t), "d"))); n != 2 {
		t.Errorf("%d replicas", n)
	}
	if n := len(ofDoc(t, h.i, "d")); n != 2 {
		t.Errorf("%d members", n)
	}
}

func TestRefreshWritesADocumentWithOneCommand(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	h := p.open(Node{1, "b"}, func(c *Config) { c.Batch, c.RefreshEvery = 100, time.Minute; c.TTL = time.Hour })
	for range 50 {
		h.hold("", "hot")
	}
	w := newWriter(h.i, h.i.self.Load())
	all := held(h.i.self.Load())
	if err := w.write(ctxT(t), all, everything); err != nil {
		t.Fatal(err)
	}
	before := p.Mini.CommandCount()
	if err := w.write(ctxT(t), all, scope{turns: 1 << 30, from: 1, to: 1}); err != nil {
		t.Fatal(err)
	}
	// The document, the own set and its life; a few beats of the lease besides.
	if n := p.Mini.CommandCount() - before; n > 40 {
		t.Errorf("%d commands for 50 members of one document", n)
	}
	if n := must[int](t)(h.i.CountDoc(ctxT(t), "hot")); n != 50 {
		t.Errorf("%d members", n)
	}
}

// What an idle socket costs Redis: the command for its user, a tenth of those
// that prolong lives, and its share of one command per document and batch.
func TestRefreshOfIdleSocketsCostsFewCommands(t *testing.T) {
	const sockets = 1000
	p := open(t, redistest.EmbeddedKind)
	p.Mini.ClockTTL(false) // looks at every key for every command
	h := p.crowd(p.index(asDefault), sockets)
	self := &local{Node: h.node, tag: tagOf(h.node.Boot), truth: h}
	h.i.self.Store(self)
	must[int](t)(h.i.rebuild(ctxT(t), self))
	commands := 0
	p.Mini.Server().SetPreHook(func(*server.Peer, string, ...string) bool {
		commands++ // from one connection at a time
		return false
	})
	w, sc := newWriter(h.i, self), scope{turns: 10}
	const cycles = 10
	for range cycles {
		sc.from, sc.to = sc.to, sc.to+1
		for _, batch := range split(held(self), h.i.cfg.Batch) {
			h.ok(w.write(ctxT(t), batch, sc))
		}
	}
	if each := float64(commands) / cycles / sockets; each > 1.6 {
		t.Errorf("%.2f commands for each socket", each)
	} else {
		t.Logf("%.2f commands for each socket", each)
	}
}
