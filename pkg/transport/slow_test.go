package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// opaque hides what a connection is, like that of a tunnel.
type opaque struct{ net.Conn }

type opaqueListener struct{ net.Listener }

func (l opaqueListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return opaque{c}, nil
}

func overTunnel() option {
	return option{serve: func(_ *world, ts *httptest.Server) {
		ts.Listener = opaqueListener{ts.Listener}
		ts.Start()
	}}
}

func overPlainTLS() option {
	return option{serve: func(_ *world, ts *httptest.Server) { ts.StartTLS() }}
}

func overPlainWire() option {
	return option{serve: func(_ *world, ts *httptest.Server) {
		ts.Listener = Listen(ts.Listener)
		ts.Start()
	}}
}

// carriers are all kinds of connections below a WebSocket.
var carriers = map[string]struct {
	option
	kind linkKind
}{
	"tcp":                {option{}, overTCP},
	"tcp through Listen": {overPlainWire(), overTCP},
	"tls":                {overTLSWire(), overTLS},
	"tls without Listen": {overPlainTLS(), overAny},
	"tunnel":             {overTunnel(), overAny},
}

// small makes the kernel's buffers small, so that a client that does not read
// is soon noticed.
func small(c *Config) {
	c.SendBuffer = 16 << 10
	c.CloseTimeout = 200 * time.Millisecond
}

// dialSlow opens a session whose client reads only what the test reads.
func (w *world) dialSlow() (*peer, *client) {
	w.t.Helper()
	d := websocket.Dialer{TLSClientConfig: insecure, NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err == nil {
			conn.(*net.TCPConn).SetReadBuffer(32 << 10)
		}
		return conn, err
	}}
	conn, _, err := d.Dial("ws"+strings.TrimPrefix(w.url, "http")+"?EIO=4&transport=websocket", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	p := &peer{conn, w.t}
	p.read()
	return p, w.next()
}

// stall sends more than any kernel takes for a client that does not read.
func (c *client) stall() {
	c.w.t.Helper()
	f := NewFrame(repeat("x", 100_000))
	for range 300 {
		if err := c.s.Send(f); err != nil {
			c.w.t.Fatal(err)
		}
	}
}

func TestCarrierKinds(t *testing.T) {
	for name, carrier := range carriers {
		w := newWorld(t, carrier.option)
		_, c := w.websocket(4)
		if got := c.s.link.Load().kind; got != carrier.kind {
			t.Errorf("%s: kind %d, want %d", name, got, carrier.kind)
		}
	}
}

func TestStalledClientNeverBlocksSend(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, carrier.option, config(small))
			_, c := w.dialSlow()
			_, other := w.websocket(4)
			f := NewFrame(repeat("x", 10_000))
			var longest time.Duration
			sent, err := 0, error(nil)
			for err == nil && sent < 10_000 {
				start := time.Now()
				err = c.s.Send(f)
				longest = max(longest, time.Since(start))
				sent++
			}
			if err != ErrSlow {
				t.Fatalf("after %d frames: %v", sent, err)
			}
			if longest > w.v.cfg.WriteTimeout/2 { // had it waited for the client, it would be all of that
				t.Errorf("a Send took %v", longest)
			}
			c.wantsClosed(ReasonSlow)
			if err = other.s.Send(f); err != nil {
				t.Errorf("another session: %v", err)
			}
		})
	}
}

func TestVolatileIsDroppedWhenBehind(t *testing.T) {
	w := newWorld(t, config(small))
	p, c := w.dialSlow()
	f := NewFrame(repeat("x", 10_000))
	n := 0
	for c.s.Pending() == 0 {
		if err := c.s.Send(f); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := c.s.SendVolatile(f); err != ErrBehind {
		t.Errorf("while behind: %v", err)
	}
	for range n {
		p.read()
	}
	eventually(t, "nothing pending", func() bool { return c.s.SendVolatile(NewFrame([]byte("late"))) == nil })
	p.wants("4late")
}

// What a slow client gets is whole and in order, whoever sends it meanwhile:
// several goroutines, and the WebSocket library with its pongs.
func TestSlowClientGetsEverythingInOrder(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, carrier.option, config(small), config(func(c *Config) {
				c.BacklogBytes, c.BacklogTotal = 1<<30, 1<<30
				c.MaxControls = 255
			}))
			p, c := w.dialSlow()
			const senders, each = 4, 400
			var wg sync.WaitGroup
			for i := range senders {
				wg.Go(func() {
					for k := range each {
						text := fmt.Sprintf("%d %d %s", i, k, repeat("x", k*37%4000))
						f := NewFrame([]byte(text))
						if k%10 == 0 {
							f = NewFrame([]byte(text), repeat("b", k))
						}
						if err := c.s.Send(f); err != nil {
							t.Errorf("Send: %v", err)
							return
						}
					}
				})
			}
			pongs := 0
			p.SetPongHandler(func(string) error { pongs++; return nil })
			next := [senders]int{}
			attached := -1 // the message whose attachment must come next
			for n := 0; n < senders*each; {
				if n%100 == 0 {
					p.WriteControl(websocket.PingMessage, []byte("hey"), time.Now().Add(time.Second))
					time.Sleep(time.Millisecond)
				}
				got := p.read()
				if attached >= 0 {
					if want := "b" + strings.Repeat("62", attached); got != want {
						t.Fatalf("attachment of message %d is %.40q", attached, got)
					}
					attached = -1
					continue
				}
				fields := strings.SplitN(got[1:], " ", 3)
				i, _ := strconv.Atoi(fields[0])
				k, _ := strconv.Atoi(fields[1])
				if k != next[i] || len(fields[2]) != k*37%4000 {
					t.Fatalf("sender %d: message %d of %d bytes, want %d", i, k, len(fields[2]), next[i])
				}
				if k%10 == 0 {
					attached = k
				}
				next[i]++
				n++
			}
			wg.Wait()
			eventually(t, "a pong", func() bool { // it may come behind everything
				c.s.Send(NewFrame([]byte("end")))
				p.read()
				return pongs > 0
			})
			eventually(t, "nothing pending", func() bool { return c.s.Pending() == 0 })
		})
	}
}

func TestStalledClientIsClosedAfterWriteTimeout(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, carrier.option, config(small), config(func(c *Config) {
				c.WriteTimeout = 100 * time.Millisecond
				c.BacklogBytes, c.BacklogTotal = 1<<30, 1<<30
			}))
			_, c := w.dialSlow()
			c.stall()
			c.wantsClosed(ReasonSlow)
		})
	}
}

func TestCloseOfStalledClient(t *testing.T) {
	for name, carrier := range carriers {
		for _, graceful := range []bool{false, true} {
			t.Run(fmt.Sprint(name, graceful), func(t *testing.T) {
				w := newWorld(t, carrier.option, config(small), config(func(c *Config) {
					c.FlushTimeout = 200 * time.Millisecond
					c.BacklogBytes, c.BacklogTotal = 1<<30, 1<<30
				}))
				_, c := w.dialSlow()
				c.stall()
				if graceful {
					c.s.CloseAfterFlush(ReasonDrain)
					c.wantsClosed(ReasonDrain)
				} else {
					c.s.Close(ReasonKicked)
					c.wantsClosed(ReasonKicked)
				}
			})
		}
	}
}

// Closing from everywhere at once, while sending from everywhere: every way of
// ending must leave one Closed, no goroutine, no bytes counted as waiting.
func TestCloseRaces(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, carrier.option, config(small), config(func(c *Config) { c.CloseTimeout = 20 * time.Millisecond }))
			f := NewFrame(repeat("x", 3000))
			var wg sync.WaitGroup
			for round := range rounds {
				p, c := w.websocket(4)
				for i := range 3 {
					wg.Go(func() {
						for c.s.Send(f) == nil {
							if i == 0 {
								c.s.SendVolatile(f)
							}
						}
					})
				}
				wg.Go(func() {
					switch time.Sleep(time.Duration(round%5) * time.Millisecond); round % 6 {
					case 0:
						p.NetConn().Close()
					case 1:
						c.s.Close(ReasonKicked)
					case 2:
						c.s.CloseAfterFlush(ReasonDrain)
					case 3:
						p.WriteMessage(websocket.CloseMessage, nil)
					case 4:
						p.WriteMessage(websocket.TextMessage, []byte("1"))
					case 5:
						go c.s.Close(ReasonServer)
						p.NetConn().Close()
					}
				})
				wg.Go(func() { io.Copy(io.Discard, p.NetConn()) })
				wg.Go(func() { c.until("Closed", func() bool { return len(c.closed) == 1 }) })
			}
			wg.Wait()
		})
	}
}

// A TLS session that stalls must not hold up what crypto/tls reads or writes by
// itself, and ends cleanly.
func TestTLSEndsWithCloseNotify(t *testing.T) {
	w := newWorld(t, overTLSWire())
	p, c := w.websocket(4)
	c.s.Close(ReasonServer)
	p.wantsClose(1005)
	c.wantsClosed(ReasonServer)
	p.NetConn().SetReadDeadline(time.Now().Add(patience))
	if _, err := p.NetConn().(*tls.Conn).Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection ends with %v", err)
	}
}

// What the kernel holds for a client that is closed as slow is dropped with it.
func TestSlowClientIsReset(t *testing.T) {
	for _, name := range []string{"tcp", "tls"} {
		for _, timeout := range []bool{false, true} {
			w := newWorld(t, carriers[name].option, config(small), config(func(c *Config) {
				if timeout {
					c.WriteTimeout, c.BacklogBytes, c.BacklogTotal = 100*time.Millisecond, 1<<30, 1<<30
				}
			}))
			p, c := w.dialSlow()
			f := NewFrame(repeat("x", 100_000))
			for range 300 {
				c.s.Send(f)
			}
			c.wantsClosed(ReasonSlow)
			p.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, p.NetConn()); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s %v: the client reads %v", name, timeout, err)
			}
		}
	}
}
