package edge

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

func secureWorld(t *testing.T, change func(*Config), handler http.HandlerFunc) *world {
	t.Helper()
	dir := t.TempDir()
	return newWorld(t, func(c *Config) {
		c.CertFile, c.KeyFile = pairFor(t, dir, "a", "one")
		if change != nil {
			change(c)
		}
	}, handler)
}

// secured dials over TLS; before is sent in front of it.
func (w *world) secured(before string) *tls.Conn {
	w.t.Helper()
	conn := w.dial()
	io.WriteString(conn, before)
	c := tls.Client(conn, trusting())
	if err := c.Handshake(); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func tellState(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%v %v %s", isFast(w), r.TLS != nil && r.TLS.HandshakeComplete, r.RemoteAddr)
}

func TestUpgradesOverTLSPassNetHTTPByAsWell(t *testing.T) {
	w := secureWorld(t, nil, tellState)
	for _, b := range plainHeads {
		conn := w.secured("")
		if status, body := ask(t, conn, b); status != 200 || body != "true true "+conn.LocalAddr().String() {
			t.Errorf("%q: %d %q", b, status, body)
		}
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%q: after the answer come %d bytes, %v", b, n, err)
		}
	}
	for _, b := range oddHeads {
		conn := w.secured("")
		io.WriteString(conn, b)
		conn.CloseWrite()
		answer, _ := io.ReadAll(conn)
		if strings.Contains(string(answer), "true true") {
			t.Errorf("%q: answered %q", b, answer)
		}
	}
}

// What goes on with net/http knows that it is secure, from whom it comes, and
// serves more than one request.
func TestOtherRequestsOverTLSGoThroughNetHTTP(t *testing.T) {
	w := secureWorld(t, nil, tellState)
	for name, pieces := range map[string][]string{
		"no upgrade":    {simple},
		"in pieces":     {plainHead[:3], plainHead[3:40], plainHead[40:]},
		"with more":     {plainHead + "x"},
		"odd, and long": {oddly(more("A: " + strings.Repeat("x", 4000) + "\r\n"))},
	} {
		conn := w.secured("")
		for i, piece := range pieces[:len(pieces)-1] {
			if i == 0 {
				w.tell(conn, piece) // so that it is read alone
			} else {
				io.WriteString(conn, piece)
			}
		}
		want := "false true " + conn.LocalAddr().String()
		if status, body := ask(t, conn, pieces[len(pieces)-1]); status != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", name, status, body, want)
		}
		if name != "no upgrade" {
			continue
		}
		for range 3 {
			if status, body := ask(t, conn, simple); status != 200 || body != want {
				t.Errorf("once more: %d %q", status, body)
			}
		}
	}
	conn := w.dial() // not secure at all
	if status, _ := ask(t, conn, simple); status != 400 {
		t.Errorf("without TLS: %d", status)
	}
}

func TestAHandshakeMayComeInPieces(t *testing.T) {
	w := secureWorld(t, fromLoopback, tellState)
	for _, c := range []struct {
		header, client string
		size           int
	}{{goodHeaders[0].text, goodHeaders[0].client, 1 << 20}, {goodHeaders[0].text, goodHeaders[0].client, 50}, {"PROXY UNKNOWN\r\n", "127.0.0.1", 300}} {
		conn := tls.Client(&pieces{Conn: w.dial(), first: c.header, size: c.size}, trusting())
		if status, body := ask(t, conn, plainHead); status != 200 || !strings.Contains(body, " true "+c.client) {
			t.Errorf("%q by %d: %d %q", c.header, c.size, status, body)
		}
	}
	for _, before := range []string{badHeaders[0], ""} {
		conn := w.dial()
		io.WriteString(conn, before)
		if err := tls.Client(conn, trusting()).Handshake(); err == nil {
			t.Errorf("%.30q: shaken", before)
		}
	}
}

// pieces writes in pieces.
type pieces struct {
	net.Conn
	first string
	size  int
}

func (c *pieces) Write(p []byte) (n int, err error) {
	all := append([]byte(c.first), p...)
	c.first = ""
	for len(all) > 0 && err == nil {
		var m int
		m, err = c.Conn.Write(all[:min(c.size, len(all))])
		all = all[m:]
		time.Sleep(time.Millisecond) // so that it comes alone
	}
	return len(p), err
}

func TestASecureConnectionIsHijackedFromADoor(t *testing.T) {
	w := secureWorld(t, nil, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if c, ok := conn.(*secured); ok {
			conn = c.Bare()
		}
		x := conn.(*tls.Conn).NetConn().(*line)
		tcp, closed := x.Detach()
		if tcp == nil {
			t.Error("it is not to be had")
			return
		}
		defer closed()
		defer tcp.Close()
		io.WriteString(conn, "hello") // it is the same connection yet
		io.Copy(io.Discard, tcp)
	})
	for _, b := range []string{plainHead, oddly(plainHead)} {
		conn := w.secured("")
		io.WriteString(conn, b)
		buf := make([]byte, 5)
		if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello" {
			t.Errorf("%q, %v", buf, err)
		}
		conn.Close()
	}
}

// Whoever stops anywhere on the way to a request is cut in time, and waits with
// no goroutine before a handshake has begun.
func TestWhoStopsInAHandshakeIsCutOff(t *testing.T) {
	w := secureWorld(t, nil, tellState)
	before := runtime.NumGoroutine()
	for range 100 {
		w.dial()
	}
	eventually(t, "all to have come", func() bool { return w.port.table.Total() == 100 })
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d goroutines for who says nothing", more)
	}

	w = secureWorld(t, func(c *Config) { c.HeaderTimeout = time.Second }, tellState) // enough for a handshake
	hello := helloBytes()
	for name, stop := range map[string]func() net.Conn{
		"nowhere":          func() net.Conn { return w.dial() },
		"in the hello":     func() net.Conn { c := w.dial(); c.Write(hello[:100]); return c },
		"after the hello":  func() net.Conn { c := w.dial(); c.Write(hello); return c },
		"before a request": func() net.Conn { return w.secured("") },
		"in the request":   func() net.Conn { c := w.secured(""); io.WriteString(c, plainHead[:50]); return c },
	} {
		t.Run(name, func(t *testing.T) {
			conn := stop()
			gone(t, conn)
			conn.Close()
		})
	}
	eventually(t, "all to have left", func() bool { return w.port.table.Total() == 0 })
}

// A port that closes ends handshakes, too.
func TestAPortThatClosesEndsHandshakes(t *testing.T) {
	var w *world
	t.Run("open", func(t *testing.T) {
		w = secureWorld(t, nil, tellState)
		conn := w.dial()
		conn.Write(helloBytes())
		if _, err := conn.Read(make([]byte, 1)); err != nil { // it is answered, and goes on
			t.Fatal(err)
		}
	}) // ends with its cleanup, which waits for all to have left
	if n := w.port.table.Total(); n != 0 {
		t.Errorf("%d are left", n)
	}
}
