package gateway

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/transport"
)

func liveHeap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func seat(b testing.TB, g *Gateway, i int, addr netip.Addr) *Connection {
	socket, err := g.deps.IDs.Socket()
	if err != nil {
		b.Fatal(err)
	}
	c := GetConn()
	c.shard, c.id = g.shardOf(socket), socket
	g.admission.sessions.Enter(addr)
	doc := fmt.Sprintf("0d9f4b2e-6c1a-4f0e-9d3b-%012x", i)
	who := auth.Identity{
		User: id.User(fmt.Sprintf("user-%08d", i)), AuthType: strings.Clone("web"), TokenID: fmt.Sprintf("token-%012d", i),
		Docs: []string{strings.Clone(doc)}, ExpiresAt: time.Now().Add(time.Hour), Issued: time.Now().Unix(),
	}
	who.ClientVersion, who.Locale = strings.Clone("1.2.3"), strings.Clone("en-GB")
	if c.admit(mainSpace, who.User, g.bearerOf(&who), g.revoked.version()) != entered {
		b.Fatal("not admitted")
	}
	if err := c.join(id.Doc(doc)); err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkHeapPerSocket(b *testing.B) {
	const sockets = 10_000
	for name, addr := range map[string]func(int) netip.Addr{
		"one address": func(int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) },
		"own address": func(i int) netip.Addr {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], uint32(i)|10<<24)
			return netip.AddrFrom4(a)
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w := newWorld(b, func(*Config, *transport.Config) {})
				before := liveHeap()
				for i := range sockets {
					seat(b, w.gateway, i, addr(i))
				}
				b.ReportMetric(float64(liveHeap()-before)/sockets, "heap-B/socket")
				runtime.KeepAlive(w)
			}
		})
	}
}

// The name of a document is in memory once, however many are members of it and
// have it in their tokens.
func TestMembersShareTheNameOfTheirDocument(t *testing.T) {
	s := newShard(1, nil)
	for i := range 3 {
		doc := strings.Clone("a document")
		c := &Connection{shard: s, id: id.Socket(i + 1), who: bearer{grants: grantsOf([]string{doc})}}
		s.joinLocked(c, id.DocTarget("a document"))
		if name := s.docs.find("a document").name; unsafe.StringData(string(c.who.grants)) != unsafe.StringData(name) {
			t.Errorf("member %d has a copy", i)
		}
	}
}

// What there is one of per connection must not grow unnoticed: 8 bytes here are
// 4 MB with 500,000 clients.
func TestWhatEveryConnectionHasIsSmall(t *testing.T) {
	for name, c := range map[string]struct{ size, want uintptr }{
		"connection": {unsafe.Sizeof(Connection{}), 144},
		"room":       {unsafe.Sizeof(room{}), 32},
	} {
		if c.size != c.want {
			t.Errorf("a %s takes %d bytes, not %d", name, c.size, c.want)
		}
	}
}

func TestAnIdleConnectionKeepsNothingOfItsHandshake(t *testing.T) {
	for name, spaces := range map[string][]string{"one namespace": {"/"}, "several": {"/", "/a"}} {
		w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = spaces })
		p := w.openWith("&token=ann&documents=open-1")
		p.send("40")
		p.next()
		socket := w.ids()[0]
		s := w.gateway.shardOf(socket)
		s.mu.Lock()
		c := s.conns[socket]
		s.mu.Unlock()
		if kept := c.in != nil; kept != (len(spaces) > 1) { // the next namespace may need it
			t.Errorf("%s: kept is %v", name, kept)
		}
		if len(spaces) > 1 {
			p.send("40/a,")
			if got := p.next(); !strings.HasPrefix(got, `40/a,{"sid"`) {
				t.Errorf("%s: answered %s", name, got)
			}
		}
		if c.out != nil && len(spaces) == 1 {
			t.Errorf("%s: an idle connection has an outbox", name)
		}
	}
}

// BenchmarkJoinAndLeave is a member that comes to a room and goes, in rooms of any
// size: it must not cost more in a large one.
func BenchmarkJoinAndLeave(b *testing.B) {
	for _, members := range []int{2, 1000, 100_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			s := newShard(1, nil)
			all := make([]*Connection, members)
			for i := range all {
				all[i] = &Connection{id: id.Socket(i + 1), shard: s}
				s.joinLocked(all[i], id.DocTarget("d"))
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				c := all[n%members]
				n += 7919
				s.leaveLocked(c, id.DocTarget("d"))
				s.joinLocked(c, id.DocTarget("d"))
			}
		})
	}
}
