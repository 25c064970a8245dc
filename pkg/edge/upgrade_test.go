package edge

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const plainHead = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:9000\r\nUpgrade: websocket\r\n" +
	"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// changed is plainHead with the first occurrence of old replaced.
func changed(old, with string) string { return strings.Replace(plainHead, old, with, 1) }

// more is plainHead with more lines.
func more(lines string) string { return strings.TrimSuffix(plainHead, "\r\n") + lines + "\r\n" }

var plainHeads = []string{
	plainHead,
	"GET / HTTP/1.1\r\nhost: [::1]\r\nupgrade: x\r\n\r\n",
	changed("websocket HTTP", "websocket&token=aGVs.bG8_-&t=%20+x HTTP"),
	changed("&transport=websocket", "&"), changed("=4&transport=websocket", ""),
	changed("/socket.io/", "//a//b"),
	changed("Host:", "hOST:"),
	changed("Host: localhost:9000", "Host:   a-b_c.example   "),
	more("User-Agent: Mozilla/5.0 (X11; Linux x86_64) \"quoted\" {}\r\nCookie: a=b; sid=c\r\n"),
	more("Origin: https://example.com\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"),
	more("Sec-WebSocket-Key: again\r\n"),
	more("Connection: close\r\n"),
}

var oddHeads = []string{
	"", "\r\n", "GET", "\r\n" + plainHead, plainHead[:len(plainHead)-1], plainHead[:len(plainHead)-2], plainHead[:100],
	plainHead + "x", plainHead + "\r\n", plainHead + plainHead, plainHead + "\x81\x80abcd",
	strings.ReplaceAll(plainHead, "\r\n", "\n"), changed("\r\nHost", "\nHost"), changed("\r\nHost", "\r\r\nHost"), changed("\r\nHost", "\rHost"),
	changed("GET", "POST"), changed("GET", "get"), changed("GET ", "GET  "), changed("GET ", " GET "), changed("GET /", "GET http://a/"),
	changed("GET /socket.io/", "GET "), changed("GET /socket.io/", "GET *"), changed("/socket.io/", "/socket.io/%2e"),
	changed("/socket.io/", "/so\x00cket"), changed("/socket.io/", "/so cket"), changed("/socket.io/", "/so\tcket"), changed("/socket.io/", "/\xc3\xa9"),
	changed("EIO=4", "EIO=4#"), changed("EIO=4", "sid=4"), changed("EIO=4", "EIO=4&sid=x"), changed("EIO=4", "s%69d=4"), changed("EIO=4", ";sid=4"),
	changed("EIO=4", "=4"), changed("EIO=4", "&&"), changed("&transport", "&"), changed("EIO=4", "a=\""),
	changed("HTTP/1.1", "HTTP/1.0"), changed("HTTP/1.1", "HTTP/2.0"), changed("HTTP/1.1", "http/1.1"), changed(" HTTP/1.1", ""), changed("HTTP/1.1", "HTTP/1.1 "),
	changed("Host: localhost:9000\r\n", ""), changed("Host: localhost:9000", "Host:"), changed("Host: localhost:9000", "Host: "),
	changed("localhost:9000", "a b"), changed("localhost:9000", "a/b"), changed("localhost:9000", "a@b"), changed("localhost:9000", "a,b"), changed("localhost:9000", "\xff"),
	more("Host: localhost:9000\r\n"), more("host: other\r\n"), more("Host : other\r\n"), more("Host\r\n"), more(" Host: other\r\n"), more("\tfolded\r\n"), more(" folded\r\n"),
	changed("Upgrade: websocket\r\n", ""), more("Upgrade: h2c\r\n"),
	more("Content-Length: 0\r\n"), more("content-length: 5\r\n"), more("Transfer-Encoding: chunked\r\n"), more("transfer-encoding: identity\r\n"),
	more("Trailer: x\r\n"), more("Expect: 100-continue\r\n"), more(": x\r\n"), more("A:\r\n"), more("A b: x\r\n"), more("A\x00: x\r\n"), more("\xc3\xa9: x\r\n"),
	more("A: \x00\r\n"), more("A: \x7f\r\n"), more("A: a\tb\r\n"), more("A: \xff\r\n"), more("A: a\rb\r\n"), more("A: a\nb\r\n"), more("A.b: x\r\n"),
}

func TestPlainRequestsAreToldFromOdd(t *testing.T) {
	for _, b := range plainHeads {
		if !plainUpgrade([]byte(b)) {
			t.Errorf("%q goes the longer way", b)
		}
	}
	for _, b := range oddHeads {
		if plainUpgrade([]byte(b)) {
			t.Errorf("%q does not go through net/http", b)
		}
	}
}

// What is served without net/http is what net/http would have served, and
// nothing of it is left for a second request.
func TestAPlainRequestIsThatOfNetHTTP(t *testing.T) {
	for _, b := range plainHeads {
		compare(t, []byte(b))
	}
}

func FuzzAPlainRequestIsThatOfNetHTTP(f *testing.F) {
	for _, b := range slices.Concat(plainHeads, oddHeads) {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if plainUpgrade(b) && len(b) < headBytes {
			compare(t, b)
		}
	})
}

// compare gives b to both.
func compare(t *testing.T, b []byte) {
	t.Helper()
	h := heads.Get().(*head)
	defer heads.Put(h)
	mine := h.request(b, len(b))
	theirs, left := throughHTTP(t, b)
	if mine == nil || theirs == nil {
		if mine != nil || theirs != nil && plainUpgrade(b) {
			t.Errorf("%q: served %v, by net/http %v", b, mine != nil, theirs != nil)
		}
		return
	}
	if left > 0 {
		t.Errorf("%q: net/http sees %d bytes behind it", b, left)
	}
	for _, c := range []struct {
		what         string
		mine, theirs any
	}{
		{"method", mine.Method, theirs.Method}, {"target", mine.RequestURI, theirs.RequestURI}, {"path", mine.URL.Path, theirs.URL.Path},
		{"query", mine.URL.RawQuery, theirs.URL.RawQuery}, {"url", mine.URL.String(), theirs.URL.String()}, {"host", mine.Host, theirs.Host},
		{"version", mine.Proto, theirs.Proto}, {"length", mine.ContentLength, theirs.ContentLength}, {"close", mine.Close, theirs.Close},
		{"encodings", len(mine.TransferEncoding), len(theirs.TransferEncoding)}, {"body", mine.Body, theirs.Body},
	} {
		if c.mine != c.theirs {
			t.Errorf("%q: %s is %v, by net/http %v", b, c.what, c.mine, c.theirs)
		}
	}
	if !maps.EqualFunc(mine.Header, theirs.Header, slices.Equal) {
		t.Errorf("%q: headers are %q, by net/http %q", b, mine.Header, theirs.Header)
	}
}

// onlyOne is a listener of one connection.
type onlyOne struct{ conn chan net.Conn }

func (l onlyOne) Accept() (net.Conn, error) {
	if c, ok := <-l.conn; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (onlyOne) Close() error   { return nil }
func (onlyOne) Addr() net.Addr { return &net.TCPAddr{} }

// throughHTTP is the request that net/http makes of b, nil if none, and how much
// it leaves.
func throughHTTP(t *testing.T, b []byte) (got *http.Request, left int) {
	t.Helper()
	near, far := net.Pipe()
	l := onlyOne{make(chan net.Conn, 1)}
	l.conn <- far
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		got, left = r, rw.Reader.Buffered()
		conn.Close()
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(l)
	}()
	go near.Write(b) // ends when the other side is closed
	if _, err := http.ReadResponse(bufio.NewReader(near), nil); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Logf("%q: %v", b, err)
	}
	near.Close()
	close(l.conn)
	<-ended
	return got, left
}

func TestTellingPlainFromOddDoesNotAllocate(t *testing.T) {
	b := []byte(plainHead)
	if n := testing.AllocsPerRun(100, func() { plainUpgrade(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
