package transport

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"runtime"
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

// rawWebSocket opens a session on a bare connection and reads up to the end of
// the open packet.
func rawWebSocket(w *world) (net.Conn, *client) {
	w.t.Helper()
	conn := w.dialRaw()
	fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	var got []byte
	buf := make([]byte, 1)
	for !strings.HasSuffix(string(got), "}") {
		if _, err := conn.Read(buf); err != nil {
			w.t.Fatalf("%v after %q", err, got)
		}
		got = append(got, buf[0])
	}
	const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81"
	if !strings.HasPrefix(string(got), answer) {
		w.t.Fatalf("answer %q", got)
	}
	return conn, w.next()
}

// masked makes a client's frame from its first byte and payload.
func masked(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i := range len(payload) { // bytes, not characters
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func unhexed(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestFramesThatEndAWebSocket(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.MaxPayload = 1000; c.CloseTimeout = time.Minute }))
	fragments := func(n int, payload string) []byte {
		b := masked(0x01, "4")
		for range n - 2 {
			b = append(b, masked(0x00, payload)...)
		}
		return append(b, masked(0x80, "")...)
	}
	for _, row := range []struct {
		name   string
		bytes  []byte
		code   int // of the close frame
		reason Reason
		got    []string
	}{
		{"reserved bit", masked(0xc1, "4x"), 1002, ReasonTransportError, nil},
		{"compressed", masked(0xc1, "\xaa"), 1002, ReasonTransportError, nil},
		{"bad opcode", masked(0x83, "4x"), 1002, ReasonTransportError, nil},
		{"bad control opcode", masked(0x8b, ""), 1002, ReasonTransportError, nil},
		{"unmasked", []byte{0x81, 2, '4', 'x'}, 1002, ReasonTransportError, nil},
		{"length with the top bit", unhexed("81ff 8000000000000000 01020304"), 1002, ReasonTransportError, nil},
		{"huge length", unhexed("81ff 7fffffffffffffff 01020304"), 1009, ReasonTooLarge, nil},
		{"long control frame", masked(0x89, strings.Repeat("x", 126)), 1002, ReasonTransportError, nil},
		{"fragmented control frame", masked(0x09, "x"), 1002, ReasonTransportError, nil},
		{"continuation of nothing", masked(0x80, "4x"), 1002, ReasonTransportError, nil},
		{"message within a message", append(masked(0x01, "4x"), masked(0x81, "4y")...), 1002, ReasonTransportError, nil},
		{"half a close code", masked(0x88, "\x03"), 1002, ReasonTransportError, nil},
		{"bad close code", masked(0x88, "\x03\xed"), 1002, ReasonTransportError, nil},
		{"bad close reason", masked(0x88, "\x03\xe8\xff"), 1002, ReasonTransportError, nil},
		{"largest message", masked(0x81, "4"+strings.Repeat("x", 999)), 0, "", []string{strings.Repeat("x", 999)}},
		{"too large, announced", masked(0x81, "4"+strings.Repeat("x", 1000))[:8], 1009, ReasonTooLarge, nil},
		{"too large by far", masked(0x81, "4"+strings.Repeat("x", 100000)), 1009, ReasonTooLarge, nil},
		{"too large in fragments", fragments(22, strings.Repeat("x", 50)), 1009, ReasonTooLarge, nil},
		{"64 fragments", fragments(64, "x"), 0, "", []string{strings.Repeat("x", 62)}},
		{"65 fragments", fragments(65, "x"), 1008, ReasonFlood, nil},
		{"65 empty fragments", fragments(65, ""), 1008, ReasonFlood, nil},
		{"6400 empty fragments", fragments(6400, ""), 1008, ReasonFlood, nil},
		{"controls between fragments", append(append(masked(0x01, "4a"), masked(0x89, "")...), masked(0x80, "b")...), 0, "", []string{"ab"}},
		{"flood of pings", repeat(string(masked(0x89, "")), 500), 1008, ReasonFlood, nil},
		{"flood of pongs", repeat(string(masked(0x8a, "")), 500), 1008, ReasonFlood, nil},
		{"text that is not UTF-8", masked(0x81, "4\xff"), 1007, ReasonText, nil},
		{"character split by fragments", append(masked(0x01, "4\xe2\x82"), masked(0x80, "\xac")...), 0, "", []string{"€"}},
		{"broken character split by fragments", append(masked(0x01, "4\xe2\x82"), masked(0x80, "x")...), 1007, ReasonText, nil},
		{"messages before", append(masked(0x81, "4a"), masked(0x83, "")...), 1002, ReasonTransportError, []string{"a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, c := rawWebSocket(w)
			conn.Write(row.bytes)
			c.wants(row.got...)
			if row.code == 0 {
				c.isOpen()
				conn.Close()
				return
			}
			c.wantsClosed(row.reason)
			if got := frameCode(t, conn); got != row.code {
				t.Errorf("close code %d, want %d", got, row.code)
			}
			conn.(*net.TCPConn).CloseWrite() // or the server may wait for it
			ends(t, conn)
		})
	}
}

// What a header announces costs nothing until it comes.
func TestNothingIsAllocatedFromADeclaredLength(t *testing.T) {
	w := newWorld(t)
	const clients = 50
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i], _ = rawWebSocket(w)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	head := unhexed("81ff 00000000000f423f 01020304 35") // 999,999 bytes, of which one comes: a 4
	for _, conn := range conns {
		conn.Write(head)
		conn.(*net.TCPConn).CloseWrite()
	}
	eventually(t, "the end of all", func() bool { return w.v.Len() == 0 })
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / clients; n > 64<<10 {
		t.Errorf("%d bytes were allocated for each", n)
	}
}

// closeCode reads frames until a close frame, 1005 for one without a code, and
// then the end of the connection.
func closeCode(t *testing.T, conn net.Conn) (code int) {
	t.Helper()
	code = frameCode(t, conn)
	ends(t, conn)
	return code
}

// frameCode is that without waiting for the end of the connection.
func frameCode(t *testing.T, conn net.Conn) (code int) {
	t.Helper()
	for {
		var h [2]byte
		if _, err := io.ReadFull(conn, h[:]); err != nil {
			t.Fatalf("before a close frame: %v", err)
		}
		payload := make([]byte, h[1])
		if _, err := io.ReadFull(conn, payload); err != nil {
			t.Fatal(err)
		}
		if h[0] != opClose {
			continue
		}
		code = 1005
		if len(payload) > 0 {
			code = int(binary.BigEndian.Uint16(payload))
		}
		return code
	}
}

// ends waits for the end of a connection that has been closed with a frame.
func ends(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 10)); err != io.EOF {
		t.Errorf("after the close frame: %d bytes, %v", n, err)
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

// Who broke the rules sees the end of the connection at once, and does not have
// to wait for it to be cut.
func TestBrokenWebSocketEndsSoon(t *testing.T) {
	for _, o := range []option{{}, overTLSWire()} {
		w := newWorld(t, o, config(func(c *Config) { c.CloseTimeout = time.Minute }))
		p, c := w.websocket(4)
		p.NetConn().Write(masked(0x83, ""))
		c.wantsClosed(ReasonTransportError)
		p.wantsClose(1002)
		if _, err := p.NetConn().Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%v", err)
		}
	}
}
