package mesh

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/nettest"
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

func TestTheCalleesEndIsANetConn(t *testing.T) {
	// nettest tries most on the first of the two.
	for name, first := range map[string]func(client, callee net.Conn) (net.Conn, net.Conn){
		"callee": func(client, callee net.Conn) (net.Conn, net.Conn) { return callee, client },
		"client": func(client, callee net.Conn) (net.Conn, net.Conn) { return client, callee },
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				client, callee, e, _, _ := open(t, testConfig())
				c1, c2 = first(client, callee)
				return c1, c2, func() {
					client.Close()
					callee.Close()
					if err := e.result(t); err != nil {
						t.Error(err)
					}
				}, nil
			})
		})
	}
}

func TestADeadlineCanBeMovedAndRemoved(t *testing.T) {
	_, callee, _, _, _ := open(t, testConfig())
	defer callee.Close()
	read := func() error { _, err := callee.Read(make([]byte, 1)); return err }
	for range 3 {
		_ = callee.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read: %v", err)
		}
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("and again: %v", err)
		}
	}
	_ = callee.SetReadDeadline(time.Now().Add(-time.Second))
	if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("in the past: %v", err)
	}
	_ = callee.SetReadDeadline(time.Time{})
	ended := make(chan error, 1)
	go func() { ended <- read() }()
	select {
	case err := <-ended:
		t.Errorf("without a deadline: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	callee.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestAnOldDeadlineDoesNotHitANewOne(t *testing.T) {
	_, callee, _, _, _ := open(t, testConfig())
	defer callee.Close()
	c := callee.(*conn)
	// The timer of the first has fired and waits for the lock while the second
	// is set.
	c.mu.Lock()
	c.rdl.setLocked(time.Now().Add(time.Millisecond), &c.readable)
	time.Sleep(20 * time.Millisecond)
	c.rdl.setLocked(time.Now().Add(time.Hour), &c.readable)
	c.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rdl.passed {
		t.Error("the new deadline has passed")
	}
}

func TestTheCalleesEndHasTheClientsAddress(t *testing.T) {
	client, callee, _, _, _ := open(t, testConfig())
	defer callee.Close()
	if got, want := callee.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		t.Errorf("RemoteAddr = %s, want %s", got, want)
	}
	if _, ok := callee.RemoteAddr().(*net.TCPAddr); !ok {
		t.Errorf("RemoteAddr is a %T", callee.RemoteAddr())
	}
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

func TestWhatWasWrittenBeforeCloseArrives(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelLinger = time.Hour
	client, callee, e, p, _ := open(t, cfg)
	const size = 8 << 20
	go func() {
		_, _ = callee.Write(make([]byte, size))
		callee.Close()
	}()
	if n, err := io.Copy(io.Discard, client); n != size || err != nil {
		t.Errorf("client read %d bytes, %v", n, err)
	}
	eventually(t, "the callee's side to be freed", func() bool { return value(p.m.tunnels.WithLabelValues("callee")) == 0 })
	client.Close()
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
	cfg.TunnelOpenTimeout = 30 * time.Millisecond
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

// echo upgrades with gorilla and sends back what comes, like a gateway that
// returns from its handler.
func echo(closed chan<- error) http.HandlerFunc {
	var up = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			closed <- err
			return
		}
		go func() {
			defer ws.Close()
			for {
				kind, b, err := ws.ReadMessage()
				if err == nil {
					err = ws.WriteMessage(kind, b)
				}
				if err != nil {
					closed <- err
					return
				}
			}
		}()
	}
}

func dialWS(t testing.TB, e *edge) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(e.URL, "http")+"/socket.io/", nil)
	if err != nil {
		t.Fatalf("%v, %v", err, resp)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(60 * time.Second))
	_ = ws.SetWriteDeadline(time.Now().Add(60 * time.Second))
	return ws
}

func TestTenThousandMessagesEachWay(t *testing.T) {
	closed := make(chan error, 1)
	e, _, c := pair(t, testConfig(), echo(closed))
	ws := dialWS(t, e)
	const n = 10_000
	sent := make(chan error, 1)
	go func() {
		b := make([]byte, 200)
		for i := range n {
			binary.BigEndian.PutUint32(b, uint32(i))
			if err := ws.WriteMessage(websocket.BinaryMessage, b[:4+i%197]); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range n {
		kind, b, err := ws.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage || len(b) != 4+i%197 || binary.BigEndian.Uint32(b) != uint32(i) {
			t.Fatalf("message %d: %d bytes of kind %d, %v", i, len(b), kind, err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	ws.Close()
	<-closed
	if err := e.result(t); err != nil {
		t.Error(err)
	}
	for _, direction := range []string{"up", "down"} {
		if value(c.m.tunnelBytes.WithLabelValues(direction)) < n*4 {
			t.Errorf("too few bytes counted %s", direction)
		}
	}
}

func TestAMegabyteEachWay(t *testing.T) {
	closed := make(chan error, 1)
	e, _, _ := pair(t, testConfig(), echo(closed))
	ws := dialWS(t, e)
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(i * 7 >> 3)
	}
	go func() { _ = ws.WriteMessage(websocket.BinaryMessage, big) }()
	if _, got, err := ws.ReadMessage(); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	ws.Close()
	<-closed
}

func TestCloseCodesPass(t *testing.T) {
	t.Run("up", func(t *testing.T) {
		closed := make(chan error, 1)
		e, _, _ := pair(t, testConfig(), echo(closed))
		ws := dialWS(t, e)
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "leaving"))
		if err := <-closed; !websocket.IsCloseError(err, 4001) {
			t.Errorf("callee saw %v", err)
		}
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 4001) {
			t.Errorf("client saw %v", err)
		}
	})
	t.Run("down", func(t *testing.T) {
		e, _, _ := pair(t, testConfig(), func(w http.ResponseWriter, r *http.Request) {
			ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
			if err != nil {
				panic(err)
			}
			_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1009, "too large"))
			ws.Close()
		})
		ws := dialWS(t, e)
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 1009) {
			t.Errorf("client saw %v", err)
		}
	})
}

func TestASlowClientHoldsBoundedMemory(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelLinger = 50 * time.Millisecond
	client, callee, e, p, _ := open(t, cfg)
	_ = client.SetReadBuffer(4 << 10)
	before := heap()
	// The kernel's buffers take some megabytes; what counts is that it ends, and
	// that our side does not grow.
	block := make([]byte, 64<<10)
	var written int
	for written < 256<<20 {
		_ = callee.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := callee.Write(block)
		written += n
		if err != nil {
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Fatal(err)
			}
			break
		}
	}
	if written >= 256<<20 {
		t.Fatal("writes to a client that reads nothing never blocked")
	}
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("heap grew by %d bytes while %d were written", grown, written)
	}
	t.Logf("%d bytes taken, heap grew by %d", written, int64(heap())-int64(before))

	// The callee gives up: its close does not wait for the client for ever.
	callee.Close()
	eventually(t, "the callee's side to be freed", func() bool { return value(p.m.tunnels.WithLabelValues("callee")) == 0 })
	client.Close()
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestASlowCalleeHoldsBoundedMemory(t *testing.T) {
	client, callee, e, _, _ := open(t, testConfig())
	before := heap()
	block := make([]byte, 64<<10)
	var written int
	for written < 256<<20 {
		_ = client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := client.Write(block)
		written += n
		if err != nil {
			break
		}
	}
	if written >= 256<<20 {
		t.Fatal("writes to a callee that reads nothing never blocked")
	}
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("heap grew by %d bytes while %d were written", grown, written)
	}
	callee.Close()
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestAStalledTunnelDoesNotStallTheOthers(t *testing.T) {
	conns := make(chan net.Conn, 1)
	e, _, _ := pair(t, testConfig(), switched(conns))
	var stalled []net.Conn
	for range 5 {
		upgrade(t, e, "") // and reads no more
		nc := <-conns
		stalled = append(stalled, nc)
		go func() {
			for err := error(nil); err == nil; {
				_, err = nc.Write(make([]byte, 64<<10))
			}
		}()
	}
	_, br, _ := upgrade(t, e, "")
	callee := <-conns
	go func() { _, _ = callee.Write(make([]byte, 8<<20)) }()
	if n, err := io.CopyN(io.Discard, br, 8<<20); err != nil {
		t.Errorf("%d bytes of the healthy one, then %v", n, err)
	}
	for _, nc := range append(stalled, callee) {
		nc.Close()
	}
}

func TestAClientThatTakesNothingIsCut(t *testing.T) {
	cfg := testConfig()
	cfg.TunnelStall = 100 * time.Millisecond
	_, callee, e, _, _ := open(t, cfg)
	for err := error(nil); err == nil; {
		_, err = callee.Write(make([]byte, 64<<10))
	}
	if err := e.result(t); err != nil {
		t.Error(err)
	}
}

func TestATunnelToABootYoungerThanTheDirectory(t *testing.T) {
	cfg := testConfig()
	closed := make(chan error, 1)
	p := start(t, cfg, 1, "boot-b", "", &fake{http: echo(closed)})
	c := dial(t, cfg, newBook(Member{Replica: 1, Boot: "boot-a", Address: p.Address}))
	ws := dialWS(t, newEdge(t, c, 1))
	_ = ws.WriteMessage(websocket.TextMessage, []byte("hello"))
	if _, b, err := ws.ReadMessage(); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	ws.Close()
	<-closed
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

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
