package edge

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func fromLoopback(c *Config) { c.ProxyProtocol = []string{"127.0.0.0/8"} }

func TestAProxyIsBelievedAboutItsClient(t *testing.T) {
	w := newWorld(t, fromLoopback, nil)
	for _, c := range goodHeaders {
		if strings.HasPrefix(c.text, "PROXY UNKNOWN ") { // spaces up to the bound, see the parser's test
			continue
		}
		conn := w.dial()
		status, body := ask(t, conn, c.text+simple)
		want := c.client
		if want == "" {
			want = conn.LocalAddr().String()
		}
		if status != 200 || body != want {
			t.Errorf("%q: %d %q, want %q", c.text, status, body, want)
		}
	}
}

func TestAHeaderThatComesByteByByteIsRead(t *testing.T) {
	w := newWorld(t, fromLoopback, nil)
	for _, text := range []string{goodHeaders[0].text, string(v2(v2Proxy, v2TCP6, six, tlv(2, "x")))} {
		conn := w.dial()
		for i := range text {
			io.WriteString(conn, text[i:i+1])
			if i%8 == 0 {
				time.Sleep(time.Millisecond) // so that they come apart
			}
		}
		if status, body := ask(t, conn, simple); status != 200 || body == conn.LocalAddr().String() {
			t.Errorf("%q: %d %q", text, status, body)
		}
	}
}

func TestAConnectionWithoutItsHeaderIsClosed(t *testing.T) {
	w := newWorld(t, fromLoopback, nil)
	for i, text := range []string{badHeaders[0], badHeaders[1], badHeaders[3], badHeaders[20], badHeaders[22], string(v2(v2Proxy, v2TCP4, four[:11]))} {
		if status, _ := ask(t, w.dial(), text+simple); status != 0 {
			t.Errorf("%.40q: answered %d", text, status)
		}
		if n := w.refused(BadHeader); n != i+1 {
			t.Errorf("%.40q: counted %d times of %d", text, n, i+1)
		}
	}
	conn := w.dial()
	io.WriteString(conn, goodHeaders[0].text[:20])
	conn.Close() // in the middle
	eventually(t, "the half header to be counted", func() bool { return w.refused(BadHeader) == 7 })
}

func TestAHeaderThatDoesNotComeEndsTheConnection(t *testing.T) {
	w := newWorld(t, func(c *Config) { fromLoopback(c); c.HeaderTimeout = 50 * time.Millisecond }, nil)
	conn := w.dial()
	io.WriteString(conn, "PROXY TCP4 ")
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("something is said")
	}
	if n := w.refused(SlowHeader); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func TestAHeaderFromOthersIsGarbage(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ProxyProtocol = []string{"10.0.0.0/8"} }, nil)
	if status, body := ask(t, w.dial(), goodHeaders[0].text+simple); status != 400 {
		t.Errorf("answered %d %q", status, body)
	}
	conn := w.dial()
	if status, body := ask(t, conn, simple); status != 200 || body != conn.LocalAddr().String() {
		t.Errorf("without one: %d %q", status, body)
	}
}

// hold opens connections until one is refused, at most n; a request tells that
// one was taken.
func (w *world) hold(n int, before string) (held int) {
	for range n {
		if w.once(before+simple) != 200 {
			return held
		}
		held++
	}
	return held
}

func TestAnAddressHasSoManyConnections(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxConnsPerAddress = 3 }, nil)
	first := w.dial()
	ask(t, first, simple)
	if n := w.hold(2, ""); n != 2 {
		t.Fatalf("only %d more", n)
	}
	for range 300 {
		if status := w.once(simple); status != 0 {
			t.Fatalf("one more is answered %d", status)
		}
	}
	if n := w.refused(TooMany); n != 300 {
		t.Errorf("%d are counted", n)
	}
	if status, _ := ask(t, first, simple); status != 200 {
		t.Errorf("one that was there is answered %d", status)
	}
	first.Close()
	eventually(t, "room for another", func() bool { return w.port.table.Total() == 2 })
	if n := w.hold(1, ""); n != 1 {
		t.Error("none with room again")
	}
}

func TestAnAddressOpensThemSoFast(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ConnsPerSecond, c.ConnsBurst = 0.001, 3 }, nil)
	if n := w.hold(300, ""); n != 3 {
		t.Errorf("%d at once", n)
	}
	if n := w.refused(TooFast); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

func TestThePortHasSoManyConnections(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxConns = 3; c.TrustedProxies = []string{"127.0.0.1"} }, nil)
	if n := w.hold(300, ""); n != 3 || !w.port.Full() {
		t.Errorf("%d at once, full %v", n, w.port.Full())
	}
	if n := w.refused(Full); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

func TestLimitsHoldForTheClientBehindAProxy(t *testing.T) {
	w := newWorld(t, func(c *Config) { fromLoopback(c); c.MaxConnsPerAddress = 2 }, nil)
	from := func(client string) string { return fmt.Sprintf("PROXY TCP4 %s 198.51.100.1 1 443\r\n", client) }
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		if n := w.hold(200, from(client)); n != 2 {
			t.Errorf("%s has %d", client, n)
		}
	}
	if n := w.refused(TooMany); n != 2 {
		t.Errorf("%d are counted", n)
	}
	// The balancer's own, as its health checks, are not limited.
	if n := w.hold(5, "PROXY UNKNOWN\r\n"); n != 5 {
		t.Errorf("the proxy itself has %d", n)
	}
}

func TestLimitsDoNotHoldForProxiesThatForward(t *testing.T) {
	limit := func(c *Config) { c.MaxConnsPerAddress = 2; c.TrustedProxies = []string{"127.0.0.1", "10.0.0.0/8"} }
	if n := newWorld(t, limit, nil).hold(5, ""); n != 5 {
		t.Errorf("it has %d", n)
	}
	w := newWorld(t, func(c *Config) { limit(c); fromLoopback(c) }, nil)
	if n := w.hold(5, "PROXY TCP4 10.0.0.1 198.51.100.1 1 443\r\n"); n != 5 {
		t.Errorf("behind another it has %d", n)
	}
}

func TestAConnectionThatIsTakenOverIsCountedToItsEnd(t *testing.T) {
	w := newWorld(t, func(c *Config) { fromLoopback(c) }, nil)
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := w.port.Listen(inner.(*net.TCPListener))
	defer ln.Close()
	near, err := net.Dial("tcp4", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	io.WriteString(near, goodHeaders[0].text+"hello")
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := far.RemoteAddr().String(); got != goodHeaders[0].client {
		t.Errorf("it comes from %s", got)
	}
	kept, closed := far.(*Conn).Detach()
	buf := make([]byte, 5)
	if _, err := io.ReadFull(kept, buf); err != nil || string(buf) != "hello" {
		t.Errorf("behind the header comes %q, %v", buf, err)
	}
	if n := w.port.table.Total(); n != 1 {
		t.Errorf("%d are counted", n)
	}
	far.Close() // it is not its connection any more
	if n := w.port.table.Total(); n != 1 {
		t.Errorf("%d are counted after that", n)
	}
	closed()
	if n := w.port.table.Total(); n != 0 {
		t.Errorf("%d are counted at the end", n)
	}
}
