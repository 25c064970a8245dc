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
)

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
			c.wantsVerdict(t, conn, row.code, row.reason)
		})
	}
}

// wantsVerdict waits for what becomes of a client that speaks frames on conn: closed
// with code and reason, or with code 0 still open. conn is at its end then.
func (c *client) wantsVerdict(t *testing.T, conn net.Conn, code int, reason Reason) {
	t.Helper()
	if code == 0 {
		c.isOpen()
		conn.Close()
		return
	}
	c.wantsClosed(reason)
	if got := frameCode(t, conn); got != code {
		t.Errorf("close code %d, want %d", got, code)
	}
	conn.(*net.TCPConn).CloseWrite() // or the server may wait for it
	ends(t, conn)
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
