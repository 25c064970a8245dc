package transport

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func withDeflate(f func(*Config)) option {
	return config(func(c *Config) {
		c.Deflate = true
		if f != nil {
			f(c)
		}
	})
}

const extension = "Sec-Websocket-Extensions"

func TestDeflateOffersThatAreTaken(t *testing.T) {
	for header, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		"permessage-deflate; client_max_window_bits":                               true,
		"Permessage-Deflate; client_max_window_bits=15;client_no_context_takeover": true,
		"permessage-deflate; server_no_context_takeover":                           true,
		"permessage-deflate; server_max_window_bits=15":                            true,
		`permessage-deflate; server_max_window_bits="15"`:                          true,
		"permessage-deflate; server_max_window_bits=10":                            false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":        true,
		"permessage-deflate; something":                                            false,
		"x-webkit-deflate-frame":                                                   false,
		"permessage-deflatex":                                                      false,
		strings.Repeat("permessage-deflate; x,", 1000):                             false,
	} {
		r := &http.Request{Header: http.Header{extension: {header}}}
		if got := offersDeflate(r); got != want {
			t.Errorf("%.60q: %v", header, got)
		}
	}
}

// rawDeflate opens a session on a bare connection that offered compression, and
// gives what the server negotiated.
func rawDeflate(w *world, query string) (net.Conn, string, *client) {
	w.t.Helper()
	conn := w.dialRaw()
	fmt.Fprintf(conn, "GET /socket.io/%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n", query)
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one...) {
		if _, err := conn.Read(one); err != nil {
			w.t.Fatal(err)
		}
	}
	_, agreed, _ := strings.Cut(string(head), "Sec-WebSocket-Extensions: ")
	agreed, _, _ = strings.Cut(agreed, "\r\n")
	c := w.next()
	if _, op, text := readFrame(w.t, conn); op != opText || !strings.HasPrefix(text, `0{"sid":"`) {
		w.t.Fatalf("first frame %x %q", op, text)
	}
	return conn, agreed, c
}

// readFrame reads one frame; of a compressed one, what it inflates to.
func readFrame(t *testing.T, conn io.Reader) (packed bool, op byte, payload string) {
	t.Helper()
	var h [2]byte
	if _, err := io.ReadFull(conn, h[:]); err != nil {
		t.Fatal(err)
	}
	n := uint64(h[1])
	if n >= 126 {
		size := make([]byte, 2)
		if n == 127 {
			size = make([]byte, 8)
		}
		if _, err := io.ReadFull(conn, size); err != nil {
			t.Fatal(err)
		}
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(size)), size...))
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(conn, data); err != nil {
		t.Fatal(err)
	}
	if packed = h[0]&rsv1 != 0; packed {
		tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
		out, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(data), tail)))
		if err != nil {
			t.Fatal(err)
		}
		data = out
	}
	return packed, h[0] &^ rsv1, string(data)
}

// noiseOf is what compression makes longer.
func noiseOf(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(b)
	return b
}

// packed is a compressed message as a client sends it.
func packed(op byte, payload string) []byte {
	return masked(op|rsv1, string(appendDeflate(nil, []byte(payload), false)))
}

func TestDeflateIsOffUnlessConfigured(t *testing.T) {
	w := newWorld(t)
	conn, agreed, c := rawDeflate(w, "?EIO=4&transport=websocket")
	if agreed != "" {
		t.Errorf("agreed to %q", agreed)
	}
	conn.Write(packed(0x81, "4"+strings.Repeat("x", 2000)))
	c.wantsClosed(ReasonTransportError)
	if got := closeCode(t, conn); got != 1002 {
		t.Errorf("close code %d", got)
	}
}

func TestDeflateOnTheWire(t *testing.T) {
	w := newWorld(t, withDeflate(nil))
	for _, eio := range []int{3, 4} {
		conn, agreed, c := rawDeflate(w, fmt.Sprintf("?EIO=%d&transport=websocket", eio))
		if agreed != "permessage-deflate; server_no_context_takeover; client_no_context_takeover" {
			t.Errorf("agreed to %q", agreed)
		}
		long, noise := string(document(5000)), string(noiseOf(2000))
		c.s.Send(NewFrame([]byte(long[:1000])))
		c.s.Send(NewFrame([]byte(long)))
		c.s.Send(NewFrame([]byte("small"), []byte(long), []byte(noise)))
		mark := ""
		if eio == 3 {
			mark = "\x04"
		}
		for i, want := range []struct {
			packed bool
			op     byte
			text   string
		}{
			{false, opText, "4" + long[:1000]}, {true, opText, "4" + long},
			{false, opText, "4small"}, {true, opBinary, mark + long}, {false, opBinary, mark + noise},
		} {
			got, op, text := readFrame(t, conn)
			if got != want.packed || op != want.op || text != want.text {
				t.Fatalf("EIO %d, frame %d: packed %v, %x, %d bytes", eio, i, got, op, len(text))
			}
		}
		c.s.Close(ReasonServer)
	}
}

func TestConversationWithDeflate(t *testing.T) {
	for _, o := range []option{{}, overTLSWire()} {
		w := newWorld(t, withDeflate(func(c *Config) { c.BacklogBytes = 1 << 20 }), o)
		for _, eio := range []int{3, 4} {
			d := websocket.Dialer{HandshakeTimeout: patience, TLSClientConfig: insecure, EnableCompression: true}
			conn, resp, err := d.Dial("ws"+strings.TrimPrefix(w.url, "http")+fmt.Sprintf("?EIO=%d&transport=websocket", eio), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			if !strings.HasPrefix(resp.Header.Get(extension), "permessage-deflate") {
				t.Fatalf("%v", resp.Header)
			}
			p, c := &peer{conn, t}, w.next()
			c.s.Proven()
			p.read()
			var want []string
			for _, n := range []int{0, 1, 127, 128, 1023, 1024, 5000, 65_536, 300_000} {
				text := string(document(max(n, 11)))[:n]
				want = append(want, text)
				p.say("4" + text)
				c.s.Send(NewFrame([]byte(text)))
			}
			c.wants(want...)
			for i := range want {
				p.wants("4" + want[i])
			}
			c.s.Send(Join(NewFrame([]byte(want[6])), NewFrame([]byte("x"))))
			p.wants("4"+want[6], "4x")
		}
	}
}

func TestDeflateAfterAnUpgrade(t *testing.T) {
	w := newWorld(t, withDeflate(nil))
	q, c := w.poll(4)
	text := string(document(5000))
	d := websocket.Dialer{HandshakeTimeout: patience, EnableCompression: true}
	conn, _, err := d.Dial("ws"+strings.TrimPrefix(w.url, "http")+strings.Replace(q, "polling", "websocket", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &peer{conn, t}
	p.say("2probe")
	p.wants("3probe")
	c.s.Send(NewFrame([]byte(text)))
	p.say("5")
	p.wants("4" + text)
	p.say("4" + text)
	c.wants(text)
}

func TestAFrameIsCompressedOnceForAllWebSockets(t *testing.T) {
	f := NewFrame(document(5000))
	if &f.wire(wsV4Deflate)[0] != &f.wire(wsV3Deflate)[0] {
		t.Error("text is not the same for both generations")
	}
	sub := NewFrame(document(2000), []byte("x"))
	alone := sub.wire(wsV4Deflate)
	if joined := Join(f, sub).wire(wsV4Deflate); !bytes.HasSuffix(joined, alone) {
		t.Error("a joined frame is not the sum of its parts")
	}
	if n := testing.AllocsPerRun(100, func() { f.wire(wsV4Deflate) }); n != 0 {
		t.Errorf("%v allocations for a form that is there", n)
	}
}

func TestFramesThatEndACompressedWebSocket(t *testing.T) {
	w := newWorld(t, withDeflate(func(c *Config) { c.MaxPayload, c.DeflateUnproven, c.CloseTimeout = 10_000, 100, time.Minute }))
	x := func(n int) string { return strings.Repeat("x", n) }
	first := packed(0x01, "4"+x(50))
	for _, row := range []struct {
		name   string
		proven bool
		bytes  []byte
		code   int
		reason Reason
		got    []string
	}{
		{"compressed before the client is known", false, packed(0x81, "4"+x(50)), 0, "", []string{x(50)}},
		{"at the first limit", false, packed(0x81, "4"+x(99)), 0, "", []string{x(99)}},
		{"above the first limit", false, packed(0x81, "4"+x(100)), 1009, ReasonTooLarge, nil},
		{"far above the first limit", false, packed(0x81, "4"+x(10_000)), 1009, ReasonTooLarge, nil},
		{"above the first limit, not compressed", false, masked(0x81, "4"+x(100)), 1009, ReasonTooLarge, nil},
		{"at the limit", true, packed(0x81, "4"+x(9999)), 0, "", []string{x(9999)}},
		{"above the limit", true, packed(0x81, "4"+x(10_000)), 1009, ReasonTooLarge, nil},
		{"a hundred times the limit", true, packed(0x81, "4"+x(1_000_000)), 1009, ReasonTooLarge, nil},
		{"in fragments", true, append(first, masked(0x80, "")...), 0, "", []string{x(50)}},
		{"later fragment says compressed", true, append(first, masked(0xc0, "")...), 1002, ReasonTransportError, nil},
		{"compressed ping", true, masked(0xc9, ""), 1002, ReasonTransportError, nil},
		{"compressed close", true, masked(0xc8, ""), 1002, ReasonTransportError, nil},
		{"another reserved bit", true, masked(0xa1, "4x"), 1002, ReasonTransportError, nil},
		{"not deflate", true, masked(0xc1, "\xff\xff\xff\xff"), 1007, ReasonTransportError, nil},
		{"inflates to what is not UTF-8", true, packed(0x81, "4\xff"+x(50)), 1007, ReasonText, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, _, c := rawDeflate(w, "?EIO=4&transport=websocket")
			if row.proven {
				c.s.Proven()
			}
			conn.Write(row.bytes)
			c.wants(row.got...)
			c.wantsVerdict(t, conn, row.code, row.reason)
		})
	}
}

// A bomb of a quarter of a gigabyte costs no more than a message at the limit.
func TestAnInflateBombStaysSmall(t *testing.T) {
	var bomb bytes.Buffer
	z, _ := flate.NewWriter(&bomb, 9)
	zeros := make([]byte, 1<<20)
	for range 256 {
		z.Write(zeros)
	}
	z.Flush()
	w := newWorld(t, withDeflate(nil)) // now, as its connections have deadlines
	conn, _, c := rawDeflate(w, "?EIO=4&transport=websocket")
	c.s.Proven()
	if bomb.Len() > w.v.cfg.MaxPayload {
		t.Fatalf("the bomb itself is too large: %d", bomb.Len())
	}
	frame := masked(0xc2, bomb.String())
	bomb.Reset()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	conn.Write(frame)
	c.wantsClosed(ReasonTooLarge)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 12<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
	if got := closeCode(t, conn); got != 1009 {
		t.Errorf("close code %d", got)
	}
}

// BenchmarkPack is what compression of a message costs, once for all receivers.
func BenchmarkPack(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 64 << 10} {
		payload := document(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = appendPacked(out[:0], opText, payload)
			}
			b.ReportMetric(100*float64(len(out))/float64(size), "%size")
		})
	}
}
