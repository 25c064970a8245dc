package mesh

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"sluice/pkg/id"
)

// edge is the caller's client port: it forwards everything to one replica.
type edge struct {
	*httptest.Server
	errs chan error // what Forward returned
}

func newEdge(t *testing.T, c *Client, to id.Replica) *edge {
	e := &edge{errs: make(chan error, 64)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := c.Forward(w, r, to)
		if err != nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "not forwarded", http.StatusServiceUnavailable)
		}
		e.errs <- err
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *edge) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-e.errs:
		return err
	case <-time.After(patience):
		t.Fatal("Forward does not return")
		return nil
	}
}

// pair is an edge in front of one callee.
func pair(t *testing.T, cfg Config, h http.HandlerFunc) (*edge, *process, *Client) {
	p := start(t, cfg, 1, "boot", "", &fake{http: h})
	c := dial(t, cfg, newBook(p.Member))
	return newEdge(t, c, 1), p, c
}

func TestAForwardedRequestIsTheClientsOwn(t *testing.T) {
	var got *http.Request
	var body []byte
	e, _, _ := pair(t, testConfig(), func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("X-Private", "hop")
		w.Header().Set("Connection", "x-private")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "the status is out")
		_, _ = w.Write([]byte("o"))
		_, _ = w.Write([]byte("k"))
	})
	nc, err := net.Dial("tcp", e.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprint(nc, "POST /socket.io/?EIO=4&transport=polling&sid=a%2Fb HTTP/1.1\r\nHost: chat.example:8080\r\n"+
		"Origin: https://app.example\r\nCookie: c=1\r\nAccept: a\r\nAccept: b\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"+
		"Proxy-Authorization: secret\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"+
		"Content-Length: 5\r\n\r\nhello")
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	if err := e.result(t); err != nil {
		t.Fatal(err)
	}

	if !Forwarded(got) {
		t.Error("Forwarded is false")
	}
	if got.Method != "POST" || got.Host != "chat.example:8080" || got.RemoteAddr != nc.LocalAddr().String() ||
		got.RequestURI != "/socket.io/?EIO=4&transport=polling&sid=a%2Fb" || got.URL.Query().Get("sid") != "a/b" ||
		got.TLS != nil || got.ContentLength != 5 || string(body) != "hello" || got.Proto != "HTTP/1.1" {
		t.Errorf("callee got %+v with body %q", got, body)
	}
	want := http.Header{"Origin": {"https://app.example"}, "Cookie": {"c=1"}, "Accept": {"a", "b"}, "Content-Length": {"5"}}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) {
		t.Errorf("headers %v, want %v", got.Header, want)
	}

	if resp.StatusCode != http.StatusTeapot || string(answer) != "ok" || resp.ContentLength != 2 ||
		len(resp.Header["Set-Cookie"]) != 2 || resp.Header.Get("Content-Type") != "text/plain; charset=UTF-8" {
		t.Errorf("client got %+v with body %q", resp, answer)
	}
	if resp.Header.Get("X-Late") != "" || resp.Header.Get("Keep-Alive") != "" || resp.Header.Get("X-Private") != "" {
		t.Errorf("headers came that should not: %v", resp.Header)
	}
}

func TestThatTheClientUsedTLSIsPassedOn(t *testing.T) {
	var secure bool
	p := start(t, testConfig(), 1, "boot", "", &fake{http: func(_ http.ResponseWriter, r *http.Request) { secure = r.TLS != nil }})
	c := dial(t, testConfig(), newBook(p.Member))
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	if err := c.Forward(w, r, 1); err != nil || !secure || w.Code != 200 {
		t.Errorf("Forward: %v, secure %v, status %d", err, secure, w.Code)
	}
}

func TestARequestIsForwardedOnce(t *testing.T) {
	cfg := testConfig()
	dir := newBook()
	c := dial(t, cfg, dir)
	var again error
	p := start(t, cfg, 1, "boot", "", &fake{http: func(w http.ResponseWriter, r *http.Request) { again = c.Forward(w, r, 1) }})
	dir.put(p.Member)
	if err := c.Forward(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), 1); err != nil {
		t.Fatal(err)
	}
	if again != ErrForwarded {
		t.Errorf("second Forward: %v", again)
	}
}

func TestTheMarkOfAForwardedRequestCannotBeForged(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, h := range []string{"Forwarded", "Sluice-Forwarded", "X-Forwarded-For"} {
		r.Header.Set(h, "true")
	}
	if Forwarded(r) {
		t.Error("a client's header marks its request")
	}
}

func TestForwardedBodiesAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxForwardBytes = 1000
	seen := make(chan int, 16)
	e, _, c := pair(t, cfg, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen <- len(b)
	})
	for _, tc := range []struct {
		name string
		size int
		body func([]byte) io.Reader
		fits bool
	}{
		{"empty", 0, declared, true},
		{"at the limit", 1000, declared, true},
		{"at the limit, chunked", 1000, chunked, true},
		{"one above", 1001, declared, false},
		{"one above, chunked", 1001, chunked, false},
		{"a hundred times above", 100_000, declared, false},
		{"a hundred times above, chunked", 100_000, chunked, false},
	} {
		resp, err := http.Post(e.URL, "text/plain", tc.body(bytes.Repeat([]byte("x"), tc.size)))
		if err != nil {
			t.Fatal(tc.name, err)
		}
		resp.Body.Close()
		err = e.result(t)
		if tc.fits {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			} else if len(seen) != 1 || <-seen != tc.size {
				t.Errorf("%s: callee did not read %d bytes", tc.name, tc.size)
			}
		} else if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want %v", tc.name, err, ErrTooLarge)
		}
	}
	r := httptest.NewRequest("POST", "/", iotest.ErrReader(errors.New("read")))
	r.ContentLength = 1001
	if err := c.Forward(httptest.NewRecorder(), r, 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a body that is declared too large is read: %v", err)
	}
	r.ContentLength = 1000
	if err := c.Forward(httptest.NewRecorder(), r, 1); !errors.Is(err, ErrClientGone) {
		t.Errorf("a body that breaks off: %v", err)
	}
}

func declared(b []byte) io.Reader { return bytes.NewReader(b) }
func chunked(b []byte) io.Reader  { return struct{ io.Reader }{bytes.NewReader(b)} }

func TestTheDefaultLimitFitsIntoOneMessage(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 1, "boot", "", &fake{http: func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }})
	c := dial(t, cfg, newBook(p.Member))
	w := httptest.NewRecorder()
	body := make([]byte, cfg.MaxForwardBytes)
	if err := c.Forward(w, httptest.NewRequest("POST", "/", bytes.NewReader(body)), 1); err != nil || w.Body.Len() != len(body) {
		t.Errorf("Forward: %v, %d bytes", err, w.Body.Len())
	}
}

func TestTheClientsGoingAwayCancelsAForwardedPoll(t *testing.T) {
	polling, cancelled := make(chan struct{}), make(chan struct{})
	e, _, _ := pair(t, testConfig(), func(_ http.ResponseWriter, r *http.Request) {
		close(polling)
		<-r.Context().Done()
		close(cancelled)
	})
	ctx, cancel := context.WithCancel(timeout(t))
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", e.URL, nil)
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	within(t, "the poll", polling)
	cancel()
	within(t, "the callee to know", cancelled)
	if err := e.result(t); !errors.Is(err, ErrClientGone) {
		t.Errorf("Forward: %v", err)
	}
}

func TestASlowReplicaIsUnreachable(t *testing.T) {
	cfg := testConfig()
	cfg.ForwardTimeout = 30 * time.Millisecond
	_, _, c := pair(t, cfg, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w := httptest.NewRecorder()
	if err := c.Forward(w, httptest.NewRequest("GET", "/", nil), 1); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Forward: %v", err)
	}
}

func TestAForwardThatFailsWritesNothing(t *testing.T) {
	cfg := testConfig()
	cfg.MaxForwardBytes = 100
	p := start(t, cfg, 1, "boot", "", &fake{http: func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/panic":
			panic("a bug")
		case "/large":
			_, _ = w.Write(make([]byte, 101))
		}
	}})
	c := dial(t, cfg, newBook(p.Member, Member{Replica: 2, Boot: "x", Address: "127.0.0.1:1"}))
	for _, tc := range []struct {
		path string
		to   id.Replica
		want error
	}{
		{"/abort", 1, ErrUnreachable},
		{"/panic", 1, ErrUnreachable},
		{"/large", 1, ErrTooLarge},
		{"/", 2, ErrUnreachable},
		{"/", 3, ErrUnknown},
	} {
		for _, upgrade := range []bool{false, true} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", tc.path, nil)
			if upgrade {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "websocket")
				if tc.path == "/large" {
					continue // answered in HTTP, over the tunnel
				}
			}
			if err := c.Forward(w, r, tc.to); !errors.Is(err, tc.want) {
				t.Errorf("%s, replica %d, upgrade %v: %v, want %v", tc.path, tc.to, upgrade, err, tc.want)
			}
			if w.Body.Len() > 0 || len(w.Header()) > 0 {
				t.Errorf("%s, replica %d, upgrade %v: something was written", tc.path, tc.to, upgrade)
			}
		}
	}
}

func TestASessionYoungerThanTheDirectoryIsFound(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 1, "boot-b", "", &fake{http: func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "served %s", b)
	}})
	c := dial(t, cfg, newBook(Member{Replica: 1, Boot: "boot-a", Address: p.Address}))
	w := httptest.NewRecorder()
	if err := c.Forward(w, httptest.NewRequest("POST", "/", strings.NewReader("this")), 1); err != nil || w.Body.String() != "served this" {
		t.Errorf("Forward: %v, %q", err, w.Body)
	}
}
