package edge

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// header makes a request with n header lines and so many bytes in all.
func header(lines, size int) string {
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nHost: x\r\n")
	for i := 1; i < lines; i++ {
		fmt.Fprintf(&b, "X-%d: y\r\n", i%7) // also repeated ones
	}
	if pad := size - b.Len() - len("Z: \r\n\r\n"); pad > 0 {
		fmt.Fprintf(&b, "Z: %s\r\n", strings.Repeat("z", pad))
	}
	return b.String() + "\r\n"
}

func TestAHeaderIsBounded(t *testing.T) {
	w := newWorld(t, nil, nil)
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"64 lines", header(64, 0), 200},
		{"65 lines", header(65, 0), 431},
		{"6400 lines", header(6400, 0), 431},
		{"8192 bytes", header(1, 8192), 200},
		{"8193 bytes", header(1, 8193), 431},
		{"819200 bytes", header(1, 819200), 431},
	} {
		if len(c.text) == 8192+1 && c.want == 200 {
			t.Fatal("not what it says")
		}
		status, _ := ask(t, w.dial(), c.text)
		if status != c.want && !(len(c.text) > 1<<16 && status == 0) { // the answer may be lost behind what was not read
			t.Errorf("%s: answered %d, want %d", c.name, status, c.want)
		}
	}
	if n := counted(t, w.port.m.requests.WithLabelValues(requestHeaders)); n != 1 && n != 2 {
		t.Errorf("%d are counted", n)
	}
}

func TestHTTP2IsNotOffered(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.CertFile, c.KeyFile = pairFor(t, dir, "a", "127.0.0.1") }, nil)
	only := trusting()
	only.NextProtos = []string{"h2"}
	if s, err := w.shake(only); err == nil {
		t.Errorf("a client of HTTP/2 is served %q", s.NegotiatedProtocol)
	}
	both := &http.Transport{TLSClientConfig: trusting(), ForceAttemptHTTP2: true}
	defer both.CloseIdleConnections()
	r, err := (&http.Client{Transport: both, Timeout: patience}).Get("https://" + w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.ProtoMajor != 1 {
		t.Errorf("a client of both is served %s", r.Proto)
	}
}

func TestHTTP2WithoutTLSIsRefused(t *testing.T) {
	w := newWorld(t, nil, nil)
	if status, _ := ask(t, w.dial(), http2.ClientPreface); status != http.StatusHTTPVersionNotSupported {
		t.Errorf("the preface is answered %d", status)
	}
	if status, body := ask(t, w.dial(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"); status != 200 {
		t.Errorf("the upgrade is answered %d %q instead of being ignored", status, body)
	}
}

func TestAnUpgradeWithABodyIsRefused(t *testing.T) {
	w := newWorld(t, nil, nil)
	if status, _ := ask(t, w.dial(), "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nhello"); status != 400 {
		t.Errorf("answered %d", status)
	}
}

// gone waits until the server closes.
func gone(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is held")
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	dir := t.TempDir()
	short := func(c *Config) {
		c.HeaderTimeout, c.BodyTimeout, c.IdleTimeout, c.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	}
	plain := newWorld(t, short, nil)
	over := newWorld(t, func(c *Config) { short(c); c.CertFile, c.KeyFile = pairFor(t, dir, "a", "127.0.0.1") }, nil)
	for name, c := range map[string]struct {
		w    *world
		text string
	}{
		"a handshake that does not begin": {over, ""},
		"a handshake that stops":          {over, "\x16\x03\x01\x02\x00\x01\x00"},
		"no request":                      {plain, ""},
		"a header that stops":             {plain, "GET / HTTP/1.1\r\nHost: x\r\nX-"},
		"a body that stops":               {plain, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"},
		"a chunk that stops":              {plain, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
		"a refused body that stops":       {plain, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n" + strings.Repeat("X-A: b\r\n", 70) + "\r\nabc"},
		"an upgrade's body that stops":    {plain, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nContent-Length: 10\r\n\r\nabc"},
		"a connection that idles":         {plain, simple},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now() // a time that begins with the connection may be over before all is said
			conn := c.w.dial()
			io.WriteString(conn, c.text)
			gone(t, conn)
			if took := time.Since(start); took < 50*time.Millisecond {
				t.Errorf("closed after %v already", took)
			}
		})
	}
}

func TestADripOfAHeaderEndsInTime(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.HeaderTimeout = 100 * time.Millisecond }, nil)
	conn := w.dial()
	io.WriteString(conn, "GET / HTTP/1.1\r\n")
	start := time.Now()
	for i := 0; ; i++ {
		if _, err := fmt.Fprintf(conn, "X-%d: y\r\n", i); err != nil {
			break
		}
		if time.Since(start) > patience/2 {
			t.Fatal("a byte now and then holds the connection")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestWhoReadsNoAnswersIsCutOff(t *testing.T) {
	big := strings.Repeat("x", 2000)
	w := newWorld(t, func(c *Config) { c.WriteTimeout = 100 * time.Millisecond },
		func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, big) })
	conn := w.dial()
	start := time.Now()
	for {
		conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, strings.Repeat(simple, 100)); err != nil {
			break
		}
		if time.Since(start) > patience {
			t.Fatal("it may go on")
		}
	}
	eventually(t, "the connection to be closed", func() bool { return w.port.table.Total() == 0 })
}

func TestForwardedForIsBelievedFromProxiesOnly(t *testing.T) {
	request := "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1, 192.0.2.1\r\nForwarded: for=2.2.2.2\r\nX-Real-Ip: 3.3.3.3\r\n\r\n"
	conn := newWorld(t, nil, nil).dial()
	if _, body := ask(t, conn, request); body != conn.LocalAddr().String() {
		t.Errorf("from anybody: %s", body)
	}
	if _, body := ask(t, newWorld(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} }, nil).dial(), request); body != "192.0.2.1:0" {
		t.Errorf("from a proxy: %s", body)
	}
	if _, body := ask(t, newWorld(t, func(c *Config) {
		c.TrustedProxies, c.ForwardedHeader = []string{"127.0.0.1"}, Forwarded
	}, nil).dial(), request); body != "2.2.2.2:0" {
		t.Errorf("from a proxy of the other kind: %s", body)
	}
	behind := newWorld(t, func(c *Config) { fromLoopback(c); c.TrustedProxies = []string{"10.0.0.0/8"} }, nil)
	if _, body := ask(t, behind.dial(), "PROXY TCP4 10.0.0.1 198.51.100.1 1 443\r\n"+request); body != "192.0.2.1:0" {
		t.Errorf("from a proxy behind a balancer: %s", body)
	}
	if _, body := ask(t, behind.dial(), "PROXY TCP4 192.0.2.7 198.51.100.1 1 443\r\n"+request); body != "192.0.2.7:1" {
		t.Errorf("from a client behind a balancer: %s", body)
	}
}

func TestARequestMayHangLongerThanTheOneBeforeItMayBeWritten(t *testing.T) {
	const within = 500 * time.Millisecond // a machine that is busy has to write within it
	w := newWorld(t, func(c *Config) { c.WriteTimeout = within }, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/poll" {
			time.Sleep(3 * within)
		}
		io.WriteString(w, strings.Repeat("x", 1<<16)) // more than net/http keeps
	})
	conn := w.dial()
	for i, path := range []string{"/", "/poll", "/poll"} {
		if status, body := ask(t, conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); status != 200 || len(body) != 1<<16 {
			t.Fatalf("request %d: %d with %d bytes", i, status, len(body))
		}
	}
}

// A handler that has set a time of its own for the body, and given up on it,
// leaves the rest to nobody's time.
func TestTheRestOfABodyHasATime(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.BodyTimeout = 100 * time.Millisecond }, func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).SetReadDeadline(time.Time{})
	})
	conn := w.dial()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	gone(t, conn)
}
