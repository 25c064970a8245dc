package transport

import (
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// guests counts the connections of a listener, like a client port that bounds
// them.
type guests struct {
	net.Listener
	inside atomic.Int32
}

type guest struct {
	*net.TCPConn
	of   *guests
	gone atomic.Bool // closed, or detached
}

func (l *guests) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.inside.Add(1)
	return &guest{TCPConn: conn.(*net.TCPConn), of: l}, nil
}

func (l *guests) left() { l.inside.Add(-1) }

func (g *guest) Close() error {
	if !g.gone.Swap(true) {
		g.of.left()
	}
	return g.TCPConn.Close()
}

func (g *guest) Detach() (*net.TCPConn, func()) {
	g.gone.Store(true)
	return g.TCPConn, g.of.left
}

// A connection that is counted where it was accepted is so until it is closed,
// whoever has it by then, and once.
func TestAConnectionIsCountedUntilItIsClosed(t *testing.T) {
	for _, reader := range []string{readerAuto, readerGoroutine} {
		for _, secure := range []bool{false, true} {
			t.Run(reader+map[bool]string{true: ", TLS"}[secure], func(t *testing.T) {
				var l guests
				w := newWorld(t, config(func(c *Config) { c.Reader, c.CloseTimeout = reader, 50*time.Millisecond }), option{serve: func(_ *world, ts *httptest.Server) {
					l.Listener = ts.Listener
					ts.Listener = Listen(&l)
					if secure {
						ts.StartTLS()
					} else {
						ts.Start()
					}
				}})
				is := func(n int32) {
					t.Helper()
					eventually(t, "the right count", func() bool { return l.inside.Load() == n })
				}
				p, c := w.websocket(4)
				is(1)
				_, d := w.websocket(4)
				is(2)
				p.say("4hello")
				c.wants("hello")
				d.s.Close(ReasonServer) // the gateway ends one
				d.wantsClosed(ReasonServer)
				p.Close() // its client the other
				c.wantsClosed(ReasonTransportClose)
				is(0)
			})
		}
	}
}
