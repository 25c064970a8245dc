package transport

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestWebSocketConversation(t *testing.T) {
	for _, o := range []option{{}, overTLSWire()} {
		w := newWorld(t, o)
		p := w.dial("?EIO=4&transport=websocket")
		c := w.next()
		p.wants(`0{"sid":"` + c.s.SID() + `","upgrades":[],"pingInterval":600000,"pingTimeout":20000,"maxPayload":1000000}`)
		p.say("4hello")
		p.sayBinary(1, 2, 3)
		p.say("bAQID")
		p.say("3")
		c.wants("hello", "b010203", "b010203")
		c.s.Send(NewFrame([]byte("one"), []byte{1}, []byte{2}))
		c.s.Send(NewBinaryFrame([]byte{255}))
		c.s.SendVolatile(NewFrame([]byte("v")))
		p.wants("4one", "b01", "b02", "bff", "4v")
		if c.s.Transport() != "websocket" || c.s.Pending() != 0 {
			t.Errorf("session is %s, %d pending", c.s.Transport(), c.s.Pending())
		}
		c.s.Close(ReasonKicked)
		c.wantsClosed(ReasonKicked)
		p.wantsClose(1005)
		if err := c.s.Send(NewFrame(nil)); err != ErrClosed {
			t.Errorf("Send after Close: %v", err)
		}
		if err := c.s.SendVolatile(NewFrame(nil)); err != ErrClosed {
			t.Errorf("SendVolatile after Close: %v", err)
		}
	}
}

func TestWebSocketConversationV3(t *testing.T) {
	w := newWorld(t)
	p, c := w.websocket(3)
	p.say("4hello")
	p.sayBinary(4, 1, 2, 3)
	p.say("b4AQID")
	p.say("2")
	p.wants("3")
	p.say("2data")
	p.wants("3data")
	c.wants("hello", "b010203", "b010203")
	c.s.Send(NewFrame([]byte("one"), []byte{1}))
	p.wants("4one", "b0401")

	p = w.dial("?EIO=3&transport=websocket&b64=1")
	w.next().s.Send(NewFrame([]byte("one"), []byte{1, 2, 3}))
	p.read()
	p.wants("4one", "b4AQID")
	p = w.dial("?EIO=4&transport=websocket&b64=1")
	w.next().s.Send(NewFrame([]byte("one"), []byte{1, 2, 3}))
	p.read()
	p.wants("4one", "bAQID")
}

// What the session sends while it is being opened follows the open packet.
func TestSendWhileOpening(t *testing.T) {
	w := newWorld(t, clients(func(c *client) {
		c.onOpen = func(c *client) {
			for i := range 20 {
				c.s.Send(NewFrame(fmt.Appendf(nil, "%d", i)))
			}
		}
	}))
	p, _ := w.websocket(4)
	for i := range 20 {
		p.wants(fmt.Sprintf("4%d", i))
	}
}

func TestCloseWhileOpening(t *testing.T) {
	for _, graceful := range []bool{false, true} {
		w := newWorld(t, clients(func(c *client) {
			c.onOpen = func(c *client) {
				c.s.Send(NewFrame([]byte("no")))
				if graceful {
					c.s.CloseAfterFlush(ReasonExpired)
				} else {
					c.s.Close(ReasonExpired)
				}
			}
		}))
		p, c := w.websocket(4)
		p.wants("4no")
		p.wantsClose(1005)
		c.wantsClosed(ReasonExpired)

		r := w.ask("GET", "?EIO=4&transport=polling", "")
		c = w.next()
		if !strings.HasSuffix(r.body, "}") {
			t.Errorf("handshake %q", r.body)
		}
		q := "?EIO=4&transport=polling&sid=" + c.s.SID()
		if graceful {
			w.ask("GET", q, "").wants(t, 200, "4no")
			w.ask("GET", q, "").wants(t, 200, "1")
		} else {
			w.ask("GET", q, "").wants(t, 200, "4no\x1e1")
		}
		c.wantsClosed(ReasonExpired)
	}
}

func TestClientEndsWebSocket(t *testing.T) {
	w := newWorld(t)
	for name, end := range map[string]func(*peer){
		"close packet": func(p *peer) { p.say("1"); p.wantsClose(1005) },
		"close frame":  func(p *peer) { p.WriteMessage(websocket.CloseMessage, nil); p.wantsClose(1005) },
		"close frame with a code": func(p *peer) {
			p.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "bye"))
			p.wantsClose(1001)
		},
	} {
		p, c := w.websocket(4)
		end(p)
		c.until(name, func() bool { return len(c.closed) > 0 })
		c.wantsClosed(ReasonClientClose)
	}
	p, c := w.websocket(4)
	p.NetConn().(*net.TCPConn).SetLinger(0)
	p.NetConn().Close()
	c.wantsClosed(ReasonTransportClose)
	p, c = w.websocket(4)
	p.NetConn().Close()
	c.wantsClosed(ReasonTransportClose)
}

func TestPacketsThatEndAWebSocket(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		eio  int
		text string
		bin  []byte
	}{
		{4, "abc", nil}, {4, "", nil}, {4, "7", nil}, {4, "2", nil}, {4, "2probe", nil}, {4, "0", nil}, {4, "5", nil}, {4, "b!", nil},
		{3, "3", nil}, {3, "0{}", nil}, {3, "", []byte{7}}, {3, "bAQID", nil},
	} {
		p, c := w.websocket(row.eio)
		p.say("4before")
		if row.bin != nil {
			p.sayBinary(row.bin...)
		} else {
			p.say(row.text)
		}
		p.say("4after")
		p.wantsClose(1005)
		c.wantsClosed(ReasonParse)
		c.wants("before")
	}
}

func TestPingsOfTheWebSocketAreAnswered(t *testing.T) {
	w := newWorld(t)
	conn, c := rawWebSocket(w)
	conn.Write(masked(0x89, "hey"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\x8a\x03hey" {
		t.Errorf("answer %q %v", got, err)
	}
	c.isOpen()
}

// Messages of all sizes, in all kinds of pieces.
func TestMessagesInPieces(t *testing.T) {
	// All of it is on its way before any is read, and the kernel may hold little.
	roomy := config(func(c *Config) { c.BacklogBytes = 1 << 20 })
	for _, o := range []option{{}, overTLSWire()} {
		w := newWorld(t, roomy, o)
		p, c := w.websocket(4)
		var want []string
		for _, n := range []int{0, 1, 124, 125, 126, 4090, 4096, 5000, 65535, 65536, 300_000} {
			text := strings.Repeat("x", n)
			want = append(want, text)
			p.say("4" + text)
			c.s.Send(NewFrame([]byte(text)))
		}
		c.wants(want...)
		for _, text := range want {
			p.wants("4" + text)
		}
	}
	w := newWorld(t)
	conn, c := rawWebSocket(w)
	stream := append(masked(0x81, "4first"), append(masked(0x01, "4sec"), masked(0x80, "ond")...)...)
	for _, b := range stream {
		conn.Write([]byte{b})
	}
	c.wants("first", "second")
	// Many in one piece.
	conn.Write(repeat(string(masked(0x81, "4x")), 2000))
	c.until("all messages", func() bool { return len(c.got) == 2002 })
}

func TestCloseAfterFlushOverWebSocket(t *testing.T) {
	w := newWorld(t)
	p, c := w.websocket(4)
	for range 100 {
		c.s.Send(NewFrame(repeat("x", 1000)))
	}
	c.s.CloseAfterFlush(ReasonDrain)
	if err := c.s.Send(NewFrame(nil)); err != ErrClosed {
		t.Errorf("Send: %v", err)
	}
	c.s.CloseAfterFlush(ReasonKicked)
	for range 100 {
		if got := p.read(); len(got) != 1001 {
			t.Fatalf("%d bytes", len(got))
		}
	}
	p.wantsClose(1005)
	c.wantsClosed(ReasonDrain)
}

// A client that does not answer the close frame is cut off.
func TestClosedWebSocketIsCutOff(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.CloseTimeout = 50 * time.Millisecond }))
	conn, c := rawWebSocket(w)
	c.s.Close(ReasonServer)
	c.wantsClosed(ReasonServer)
	if got := closeCode(t, conn); got != 1005 {
		t.Errorf("close code %d", got)
	}
}
