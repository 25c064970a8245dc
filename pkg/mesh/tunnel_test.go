package mesh

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// upgrade dials the edge and asks for a WebSocket by hand; extra is sent in the
// same segment.
func upgrade(t testing.TB, e *edge, extra string) (*net.TCPConn, *bufio.Reader, *http.Response) {
	t.Helper()
	nc, err := net.Dial("tcp", e.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	fmt.Fprint(nc, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"+extra)
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn), br, resp
}

// switched is a handler that hijacks, answers 101 and hands the conn over.
func switched(conns chan<- net.Conn) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		nc, brw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = brw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = brw.Flush()
		conns <- nc
	}
}

// open returns both ends of a tunnel.
func open(t *testing.T, cfg Config) (client *net.TCPConn, callee net.Conn, e *edge, p *process, c *Client) {
	conns := make(chan net.Conn, 1)
	e, p, c = pair(t, cfg, switched(conns))
	client, br, resp := upgrade(t, e, "")
	if resp.StatusCode != http.StatusSwitchingProtocols || br.Buffered() > 0 {
		t.Fatalf("status %d, %d bytes more", resp.StatusCode, br.Buffered())
	}
	return client, <-conns, e, p, c
}

func TestBytesSentWithTheUpgradeAreNotLost(t *testing.T) {
	conns := make(chan net.Conn, 1)
	e, _, _ := pair(t, testConfig(), switched(conns))
	early := strings.Repeat("early bird ", 100)
	client, _, _ := upgrade(t, e, early)
	callee := <-conns
	defer callee.Close()
	fmt.Fprint(client, "late")
	got := make([]byte, len(early)+4)
	_ = callee.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(callee, got); err != nil || string(got) != early+"late" {
		t.Errorf("callee read %q, %v", got, err)
	}
}

func TestARefusedUpgradeIsAnsweredInHTTP(t *testing.T) {
	e, _, _ := pair(t, testConfig(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("Session ID unknown"))
	})
	_, br, resp := upgrade(t, e, "")
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 400 || string(body) != "Session ID unknown" || !resp.Close {
		t.Errorf("client got %+v with body %q", resp, body)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("and then %v", err)
	}
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestAHalfCloseLeavesTheOtherHalfOpen(t *testing.T) {
	client, callee, e, _, _ := open(t, testConfig())
	fmt.Fprint(client, "question")
	_ = client.CloseWrite()
	_ = callee.SetDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(callee); string(got) != "question" || err != nil {
		t.Errorf("callee read %q, %v", got, err)
	}
	fmt.Fprint(callee, "answer")
	callee.Close()
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("client read %q, %v", got, err)
	}
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestAClientThatStillSendsGetsTheLastBytesAndNoReset(t *testing.T) {
	client, callee, e, _, _ := open(t, testConfig())
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for err := error(nil); err == nil; {
			_, err = client.Write(make([]byte, 1000))
		}
	}()
	fmt.Fprint(callee, "bye")
	callee.Close()
	if got, err := io.ReadAll(client); string(got) != "bye" || err != nil {
		t.Errorf("client read %q, %v", got, err)
	}
	select {
	case <-flooded:
		t.Error("the client was reset, which may overtake what was sent")
	case <-time.After(50 * time.Millisecond):
	}
	client.Close()
	within(t, "the client's writer", flooded)
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestAStoppingServerCutsItsTunnels(t *testing.T) {
	client, callee, e, p, _ := open(t, testConfig())
	p.stop()
	select {
	case err := <-p.ran:
		p.ran <- err
	case <-time.After(patience):
		t.Fatal("Run waits for a tunnel")
	}
	if _, err := callee.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("callee: %v", err)
	}
	_, _ = io.Copy(io.Discard, client)
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestATunnelThatBeginsBadlyLeavesNothing(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelOpenTimeout = time.Second
	p := start(t, cfg, 1, "boot", "", &fake{}) // a request that came through would crash
	c := dial(t, cfg, newBook(p.Member))
	l, err := c.take(p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.give(l)
	data := []byte("nobody reads this")
	for name, tc := range map[string]struct {
		first *meshv1.Chunk
		want  codes.Code
	}{
		"nothing":    {nil, codes.InvalidArgument},
		"no request": {&meshv1.Chunk{Data: data}, codes.InvalidArgument},
		"wrong boot": {&meshv1.Chunk{Data: data, Request: &meshv1.ForwardRequest{Boot: "other"}}, codes.FailedPrecondition},
		"wrong uri":  {&meshv1.Chunk{Data: data, Request: &meshv1.ForwardRequest{Boot: "boot", Method: "GET", Uri: "::"}}, codes.InvalidArgument},
		"no method":  {&meshv1.Chunk{Data: data, Request: &meshv1.ForwardRequest{Boot: "boot", Uri: "/"}}, codes.InvalidArgument},
	} {
		s, err := meshv1.NewMeshClient(l.cc).Tunnel(timeout(t))
		if err != nil {
			t.Fatal(err)
		}
		if tc.first != nil {
			_ = s.Send(tc.first)
		}
		if _, err := s.Recv(); status.Code(err) != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	p.kill() // waits for all of their goroutines
}

func TestACalleeThatIgnoresAHalfCloseIsCut(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelLinger = 30 * time.Millisecond
	client, callee, e, _, _ := open(t, cfg)
	_ = client.CloseWrite()
	if err := e.result(t); err != nil {
		t.Error(err)
	}
	eventually(t, "the callee's writes to fail", func() bool { _, err := callee.Write([]byte("x")); return err != nil })
}

func TestEveryCutFreesBothSides(t *testing.T) {
	for name, cut := range map[string]func(client *net.TCPConn, callee net.Conn, p *process, c *Client){
		"client closes":   func(client *net.TCPConn, _ net.Conn, _ *process, _ *Client) { client.Close() },
		"client resets":   func(client *net.TCPConn, _ net.Conn, _ *process, _ *Client) { _ = client.SetLinger(0); client.Close() },
		"callee closes":   func(_ *net.TCPConn, callee net.Conn, _ *process, _ *Client) { callee.Close() },
		"callee dies":     func(_ *net.TCPConn, _ net.Conn, p *process, _ *Client) { p.kill() },
		"caller's client": func(_ *net.TCPConn, _ net.Conn, _ *process, c *Client) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, callee, e, p, c := open(t, testConfig())
			// Nothing is on the way, so nothing but the cut itself tells.
			fmt.Fprint(callee, "up")
			if _, err := io.ReadFull(client, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
			ends := make(chan struct{}, 2)
			for _, nc := range []net.Conn{client, callee} {
				go func() {
					_, _ = io.Copy(io.Discard, nc)
					nc.Close()
					ends <- struct{}{}
				}()
			}
			cut(client, callee, p, c)
			if err := e.result(t); err != nil {
				t.Error(err)
			}
			for range 2 {
				select {
				case <-ends:
				case <-time.After(patience):
					t.Fatal("an end still reads")
				}
			}
			for side, m := range map[string]*Metrics{"caller": c.m, "callee": p.m} {
				eventually(t, side+"'s side to be freed", func() bool { return value(m.tunnels.WithLabelValues(side)) == 0 })
			}
		})
	}
}

func TestACutIsNoticedWhileTheCalleeDoesNotRead(t *testing.T) {
	client, callee, e, _, _ := open(t, testConfig())
	defer callee.Close()
	for err := error(nil); err == nil; { // until everything between is full
		_ = client.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		_, err = client.Write(make([]byte, 64<<10))
	}
	_ = client.SetLinger(0)
	client.Close()
	eventually(t, "the callee's writes to fail", func() bool { _, err := callee.Write([]byte("x")); return err != nil })
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestACalleeThatDoesNotAnswerIsUnreachable(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelOpenTimeout = 30 * time.Millisecond
	e, _, _ := pair(t, cfg, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, _, resp := upgrade(t, e, "")
	resp.Body.Close()
	if err := e.result(t); !errors.Is(err, ErrUnreachable) || resp.StatusCode != 503 {
		t.Errorf("Forward: %v, status %d", err, resp.StatusCode)
	}
}

func TestAWriterThatCannotHijackGetsAnError(t *testing.T) {
	conns := make(chan net.Conn, 1)
	_, p, c := pair(t, testConfig(), switched(conns))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	if err := c.Forward(httptest.NewRecorder(), r, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Forward: %v", err)
	}
	nc := <-conns
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("the callee's end stays open")
	}
	nc.Close()
	eventually(t, "the callee's side to be freed", func() bool { return value(p.m.tunnels.WithLabelValues("callee")) == 0 })
}

// told is a response whose owner wants to know what comes through a tunnel.
type told struct {
	http.ResponseWriter
	first chan string
}

func (w told) Tunnelled(first []byte)      { w.first <- string(first) }
func (w told) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestTheFirstBytesOfATunnelAreTold(t *testing.T) {
	p := start(t, testConfig(), 1, "boot", "", &fake{http: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("no such session"))
	}})
	c := dial(t, testConfig(), newBook(p.Member))
	first := make(chan string, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.Forward(told{w, first}, r, 1); err != nil {
			t.Error(err)
		}
	}))
	defer front.Close()
	_, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(front.URL, "http"), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v, %v", resp, err)
	}
	if got := <-first; !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.HasSuffix(got, "no such session") {
		t.Errorf("told %q", got)
	}
}
