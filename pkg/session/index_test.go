package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func TestSocketIsFoundUntilItIsRemoved(t *testing.T) {
	for _, parts := range []int{1, 4} {
		t.Run(fmt.Sprint("parts=", parts), func(t *testing.T) {
			eachPlace(t, func(t *testing.T, p *place) {
				split := func(c *Config) { c.Parts = parts }
				h := p.open(Node{7, "boot:1"}, split)
				api := p.index(split) // another process
				a := h.connect("ann", "d1", "d:2")
				b := h.connect("ann", "d1")
				c := h.connect("", "d1") // anonymous
				got := must[Client](t)(api.Get(ctxT(t), a.Socket))
				if d := got.Seen.Sub(a.Seen); d < -time.Second || d > time.Second {
					t.Errorf("seen at %v, is %v", a.Seen, got.Seen)
				}
				if got.Seen = a.Seen; !reflect.DeepEqual(got, a) {
					t.Errorf("got %+v, want %+v", got, a)
				}
				if got := ofUser(t, api, "ann"); !same(got, a.Socket, b.Socket) {
					t.Errorf("of the user: %v", got)
				}
				if got := ofDoc(t, api, "d1"); !same(got, a.Socket, b.Socket, c.Socket) {
					t.Errorf("of the document: %v", got)
				}
				for want, n := range map[int]func() (int, error){
					3: func() (int, error) { return api.CountDoc(ctxT(t), "d1") },
					1: func() (int, error) { return api.CountDoc(ctxT(t), "d:2") },
					2: func() (int, error) { return api.CountUser(ctxT(t), "ann") },
					0: func() (int, error) { return api.CountDoc(ctxT(t), "none") },
				} {
					if got, err := n(); got != want || err != nil {
						t.Errorf("count %d %v, want %d", got, err, want)
					}
				}
				if got := must[[]id.Replica](t)(api.Nodes(ctxT(t), "d1")); !slices.Equal(got, []id.Replica{7}) {
					t.Errorf("replicas %v", got)
				}
				h.leave(a.Socket, "d:2")
				h.join(b.Socket, "d3")
				if got := must[Client](t)(api.Get(ctxT(t), b.Socket)); !slices.Equal(got.Docs, []id.Doc{"d1", "d3"}) {
					t.Errorf("documents %v", got.Docs)
				}
				if got := must[[]id.Replica](t)(api.Nodes(ctxT(t), "d:2")); len(got) != 0 {
					t.Errorf("replicas of a document without members: %v", got)
				}
				many := must[[]Client](t)(api.GetMany(ctxT(t), []id.Socket{c.Socket, 12345, b.Socket, a.Socket}))
				if len(many) != 3 || many[0].Socket != c.Socket || many[1].Socket != b.Socket || !slices.Equal(many[2].Docs, []id.Doc{"d1"}) {
					t.Errorf("many: %+v", many)
				}
				for _, s := range []id.Socket{a.Socket, b.Socket, c.Socket} {
					h.disconnect(s)
					if _, err := api.Get(ctxT(t), s); !errors.Is(err, ErrNotFound) {
						t.Errorf("after the end: %v", err)
					}
				}
				p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:7")
				h.kill()
				if err := h.i.Release(ctxT(t), 7); err != nil {
					t.Fatal(err)
				}
				p.nothingBut(t)
			})
		})
	}
}

func TestReplicaStaysListedWhileItHasMembers(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second }) // must not help
		a, b, c := h.connect("u", "d"), h.connect("u", "d"), h.connect("u", "d")
		for n, want := range []int{1, 1, 0} {
			switch n {
			case 0:
				h.leave(a.Socket, "d")
			case 1:
				h.disconnect(b.Socket)
			case 2:
				h.leave(c.Socket, "d")
			}
			if got := must[[]id.Replica](t)(h.i.Nodes(ctxT(t), "d")); len(got) != want {
				t.Errorf("after %d have left: replicas %v", n+1, got)
			}
		}
	})
}

func TestEveryKeyExpires(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"})
		h.connect("ann", "d1", "d2")
		keys := p.Keys()
		if len(keys) != 9 {
			t.Errorf("keys %q", keys)
		}
		for _, k := range keys {
			if ttl := must[time.Duration](t)(p.Client().PTTL(ctxT(t), k).Result()); ttl <= 0 || ttl > h.i.cfg.TTL {
				t.Errorf("%s lives for %v", k, ttl)
			}
		}
	})
}

func TestPagesListEachSocketOnce(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		i := p.index(func(c *Config) { c.Parts = 3 })
		h := p.openWith(i, Node{1, "b"})
		var all []id.Socket
		for range 40 {
			all = append(all, h.connect("u", "d").Socket)
		}
		if got := ofDoc(t, i, "d"); !same(got, all...) {
			t.Errorf("%d of %d: %v", len(got), len(all), got)
		}
		// A page does not change what the next one has, even when the order in
		// Redis does.
		page, next, err := i.OfDoc(ctxT(t), "d", "", 10)
		if err != nil || len(page) != 10 || next != page[9].Socket.String() {
			t.Fatalf("%v %q %v", page, next, err)
		}
		h.disconnect(page[9].Socket)
		rest, next, err := i.OfDoc(ctxT(t), "d", next, 1000)
		if err != nil || len(rest) != 30 || next != "" || rest[0].Socket <= page[9].Socket {
			t.Fatalf("%d of 30, next %q, %v", len(rest), next, err)
		}
		if d := time.Since(rest[0].At); d < 0 || d > time.Minute {
			t.Errorf("seen %v ago", d)
		}
		for _, bad := range []string{"x", "0000000000000", page[0].Socket.String() + "0"} {
			if _, _, err := i.OfUser(ctxT(t), "u", bad, 1); !errors.Is(err, ErrCursor) {
				t.Errorf("cursor %q: %v", bad, err)
			}
		}
	})
}

func TestLateLeaveDoesNotUndoANewerJoin(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second }) // must not help
		c := h.connect("u", "d")
		late := h.i.group.part()
		h.change(c.Socket, except("d"))
		left := c
		left.Docs = []id.Doc{"d"}
		h.i.leaveDocs(late, &left, h.i.version()) // called, and on its way
		h.join(c.Socket, "d")
		h.ok(h.i.group.run(context.Background(), 0, late))
		check := func() {
			t.Helper()
			if got := ofDoc(t, h.i, "d"); !same(got, c.Socket) {
				t.Errorf("members %v", got)
			}
			if got := must[[]id.Replica](t)(h.i.Nodes(ctxT(t), "d")); len(got) != 1 {
				t.Errorf("replicas %v", got)
			}
			if got := must[Client](t)(h.i.Get(ctxT(t), c.Socket)); !slices.Equal(got.Docs, []id.Doc{"d"}) {
				t.Errorf("documents %v", got.Docs)
			}
		}
		check()
		h.ok(h.i.Leave(context.Background(), c.Socket, "d")) // called late itself
		check()
	})
}

func TestLateJoinOrAddDoesNotBringBack(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second }) // must not help
		c := h.connect("u", "d")
		h.join(c.Socket, "e")
		h.leave(c.Socket, "e")
		h.ok(h.i.Join(context.Background(), c.Socket, "e")) // overtaken by its leave
		if got := ofDoc(t, h.i, "e"); len(got) != 0 {
			t.Errorf("members %v", got)
		}
		h.disconnect(c.Socket)
		h.ok(h.i.Join(context.Background(), c.Socket, "d"))
		h.ok(h.i.Add(context.Background(), c))
		p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:1")
	})
}

// Everything at once, with the refresh running all the time: in the end Redis
// has what is true, and nothing when nothing is left.
func TestIndexEndsUpTrueUnderConcurrency(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		h := p.open(Node{1, "b"}, func(c *Config) {
			c.RefreshEvery, c.Batch, c.CacheFor = 5*time.Millisecond, 3, 0
		})
		docs := []id.Doc{"d0", "d1", "d2"}
		var all []id.Socket
		for n := range 6 {
			all = append(all, h.connect(id.User(fmt.Sprint("u", n%2)), docs[n%3]).Socket)
		}
		var wg sync.WaitGroup
		for w := range 6 {
			rnd := rand.New(rand.NewSource(int64(w)))
			wg.Go(func() {
				for n := range 60 {
					s, d := all[rnd.Intn(len(all))], docs[rnd.Intn(len(docs))]
					switch c, ok := h.Lookup(s); {
					case ok && contains(c.Docs, d):
						h.leave(s, d)
					case ok:
						h.join(s, d)
					}
					if n%20 == 19 {
						h.disconnect(h.connect("u9", docs...).Socket)
						h.i.doubt(Client{Socket: s})
					}
				}
			})
		}
		wg.Wait()
		for _, d := range docs {
			var want []id.Socket
			for _, s := range all {
				if c, _ := h.Lookup(s); contains(c.Docs, d) {
					want = append(want, s)
				}
			}
			if got := ofDoc(t, h.i, d); !same(got, want...) {
				t.Errorf("members of %s: %v, want %v", d, got, want)
			}
		}
		for _, s := range all {
			wg.Go(func() { h.disconnect(s) })
		}
		wg.Wait()
		p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:1")
	})
}

func TestFailedChangesAreRepaired(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second }) // must not help
	ctx := context.Background()
	a, b := h.connect("ann", "d1"), h.connect("bob", "d1", "d2")
	p.Mini.SetError("LOADING away")
	h.drop(a.Socket)
	h.change(b.Socket, func([]id.Doc) []id.Doc { return []id.Doc{"d2", "d3"} })
	c := h.hold("cid", "d1")
	for n, err := range []error{h.i.Remove(ctx, a), h.i.Leave(ctx, b.Socket, "d1"), h.i.Join(ctx, b.Socket, "d3"), h.i.Add(ctx, c)} {
		if err == nil {
			t.Errorf("change %d has not failed", n)
		}
	}
	p.Mini.SetError("")
	eventually(t, "the index is true", func() bool {
		_, err := h.i.Get(ctx, a.Socket)
		got, _ := h.i.Get(ctx, b.Socket)
		return errors.Is(err, ErrNotFound) && slices.Equal(got.Docs, []id.Doc{"d2", "d3"}) &&
			same(ofDoc(t, h.i, "d1"), c.Socket) && same(ofDoc(t, h.i, "d3"), b.Socket) &&
			same(ofUser(t, h.i, "cid"), c.Socket) && len(ofUser(t, h.i, "ann")) == 0
	})
	h.disconnect(b.Socket)
	h.disconnect(c.Socket)
	p.nothingBut(t, p.Prefix+":nodes", p.Prefix+":node:1")
}

func TestTooManyFailedChangesLeadToARebuild(t *testing.T) {
	p := open(t, redistest.EmbeddedKind)
	h := p.open(Node{1, "b"}, func(c *Config) { c.RefreshEvery = 6 * time.Second })
	c := h.hold("u", "d")
	h.i.mu.Lock()
	for n := range maxDirty {
		h.i.dirty[id.Socket(n+1)] = Client{}
	}
	h.i.doubtLocked(c)
	clear(h.i.dirty)
	h.i.mu.Unlock()
	eventually(t, "the socket is in the index", func() bool { return same(ofDoc(t, h.i, "d"), c.Socket) })
}

func TestChangesWorkBeforeRun(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		i := p.index()
		c := Client{Socket: newSocket(3), User: "u", Docs: []id.Doc{"d"}, Replica: 3, Boot: "b"}
		if err := i.Add(ctxT(t), c); err != nil {
			t.Fatal(err)
		}
		if err := i.Join(ctxT(t), c.Socket, "e"); err != nil {
			t.Fatal(err)
		}
		if err := i.Leave(ctxT(t), c.Socket, "d"); err != nil {
			t.Fatal(err)
		}
		if err := i.Join(ctxT(t), newSocket(3), "e"); !errors.Is(err, ErrNotFound) {
			t.Errorf("join of nobody: %v", err)
		}
		if err := i.Leave(ctxT(t), newSocket(3), "e"); err != nil {
			t.Errorf("leave of nobody: %v", err)
		}
		// It counts as alive as soon as its replica does.
		if got := ofDoc(t, i, "e"); len(got) != 0 {
			t.Errorf("members %v", got)
		}
		h := p.open(Node{3, "b"})
		h.mu.Lock()
		c.Docs = []id.Doc{"e"}
		h.sockets[c.Socket] = c
		h.mu.Unlock()
		eventually(t, "the socket is found", func() bool { return same(ofDoc(t, i, "e"), c.Socket) })
		if got := ofDoc(t, i, "d"); len(got) != 0 {
			t.Errorf("members %v", got)
		}
	})
}
