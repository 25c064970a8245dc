package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/pkg/id"
)

// hall is a gateway as the index sees it: it holds sockets and tells the index
// of what happens to them.
type hall struct {
	t    testing.TB
	node Node
	i    *Index
	kill func()

	mu      sync.Mutex
	sockets map[id.Socket]Client
	fences  int
	lost    []Client
	refuse  func(Client) error
	block   func()
	err     error
	ended   chan struct{}
}

var sockets atomic.Int64

// newSocket returns an id of the replica that was never used.
func newSocket(r id.Replica) id.Socket {
	n := sockets.Add(1)
	return id.Socket(uint64(1<<30+n/1024)<<22 | uint64(r)<<10 | uint64(n%1024))
}

// open starts a gateway. The end of the test kills it.
func (p *place) open(node Node, change ...func(*Config)) *hall {
	return p.openWith(p.index(change...), node)
}

func (p *place) openWith(i *Index, node Node) *hall {
	h := &hall{t: p.T, node: node, i: i, sockets: make(map[id.Socket]Client), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	h.kill = func() {
		cancel()
		select {
		case <-h.ended:
		case <-time.After(patience):
			p.T.Error("Run does not end")
		}
	}
	go func() {
		defer close(h.ended)
		h.err = i.Run(ctx, node.Replica, node.Boot, h, h.report)
	}()
	p.T.Cleanup(h.kill)
	eventually(p.T, "the replica lives", func() bool {
		living, err := i.Living(context.Background())
		return err == nil && slices.Contains(living, node)
	})
	return h
}

func (h *hall) Each(f func(id.Socket) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sockets {
		if !f(s) {
			return
		}
	}
}

func (h *hall) Lookup(s id.Socket) (Client, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.sockets[s]
	return c, ok
}

func (h *hall) Holds(d id.Doc) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.sockets {
		if contains(c.Docs, d) {
			return true
		}
	}
	return false
}

func (h *hall) Fenced() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fences++
}

func (h *hall) report(_ context.Context, c Client) error {
	h.mu.Lock()
	block := h.block
	h.mu.Unlock()
	if block != nil {
		block()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		if err := h.refuse(c); err != nil {
			return err
		}
	}
	h.lost = append(h.lost, c)
	return nil
}

func (h *hall) reported() []Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Client(nil), h.lost...)
}

// hold makes a socket exist, here only.
func (h *hall) hold(u id.User, docs ...id.Doc) Client {
	c := Client{
		Socket: newSocket(h.node.Replica), User: u, Docs: docs, Replica: h.node.Replica, Boot: h.node.Boot,
		AuthType: "web", ClientVersion: "1.2.3", Locale: "de", Since: time.UnixMilli(time.Now().UnixMilli()), Seen: time.Now(),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets[c.Socket] = c
	return c
}

func (h *hall) drop(s id.Socket) Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.sockets[s]
	delete(h.sockets, s)
	return c
}

// change gives a socket other documents, here only.
func (h *hall) change(s id.Socket, f func(docs []id.Doc) []id.Doc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.sockets[s]; ok {
		c.Docs = f(slices.Clone(c.Docs))
		h.sockets[s] = c
	}
}

func (h *hall) connect(u id.User, docs ...id.Doc) Client {
	h.t.Helper()
	c := h.hold(u, docs...)
	h.ok(h.i.Add(context.Background(), c))
	return c
}

func (h *hall) disconnect(s id.Socket) {
	h.t.Helper()
	h.ok(h.i.Remove(context.Background(), h.drop(s)))
}

func (h *hall) join(s id.Socket, d id.Doc) {
	h.t.Helper()
	h.change(s, with(d))
	h.ok(h.i.Join(context.Background(), s, d))
}

func (h *hall) leave(s id.Socket, d id.Doc) {
	h.t.Helper()
	h.change(s, except(d))
	h.ok(h.i.Leave(context.Background(), s, d))
}

func (h *hall) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Error(err)
	}
}

func with(d id.Doc) func([]id.Doc) []id.Doc {
	return func(docs []id.Doc) []id.Doc { return append(docs, d) }
}

func except(d id.Doc) func([]id.Doc) []id.Doc {
	return func(docs []id.Doc) []id.Doc {
		return slices.DeleteFunc(docs, func(x id.Doc) bool { return x == d })
	}
}

// ofDoc lists a document's members with small pages.
func ofDoc(t testing.TB, i *Index, d id.Doc) []id.Socket {
	t.Helper()
	return listed(t, func(after string) ([]Seen, string, error) { return i.OfDoc(ctxT(t), d, after, 3) })
}

func ofUser(t testing.TB, i *Index, u id.User) []id.Socket {
	t.Helper()
	return listed(t, func(after string) ([]Seen, string, error) { return i.OfUser(ctxT(t), u, after, 3) })
}

func listed(t testing.TB, page func(after string) ([]Seen, string, error)) []id.Socket {
	t.Helper()
	var all []id.Socket
	for after := ""; ; {
		seen, next, err := page(after)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) > 3 {
			t.Fatalf("a page of %d, asked for 3", len(seen))
		}
		for _, s := range seen {
			all = append(all, s.Socket)
		}
		if after = next; after == "" {
			return all
		}
	}
}

func same(a []id.Socket, b ...id.Socket) bool {
	slices.Sort(b)
	return slices.Equal(a, b)
}

// nothingBut fails when there are other keys than these.
func (p *place) nothingBut(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	eventually(t, "only the expected keys are left", func() bool {
		got = p.Keys()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Logf("keys %q, want %q", got, want)
		}
		return slices.Equal(got, want)
	})
}

// counterOf reads a counter.
func counterOf(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

var errNotNow = errors.New("not now")
