package transport

import (
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"
)

// barely answers with a bare descriptor, as a client port does.
type barely struct {
	http.ResponseWriter
	of *guests
}

// TakeSocket implements giver.
func (b barely) TakeSocket() (fd int, closed func()) {
	conn, _, err := http.NewResponseController(b.ResponseWriter).Hijack()
	if err != nil {
		return -1, nil
	}
	return bareGuest{conn.(*guest)}.TakeSocket()
}

// A connection that is nothing but a descriptor is read, written and counted to
// its end; where there is no reactor it is taken as a net.Conn.
func TestABareDescriptorIsTakenOver(t *testing.T) {
	for _, reader := range []string{readerAuto, readerGoroutine} {
		t.Run(reader, func(t *testing.T) {
			var l guests
			w := newWorld(t, config(func(c *Config) { c.Reader, c.CloseTimeout = reader, 50*time.Millisecond }), option{serve: func(_ *world, ts *httptest.Server) {
				l.Listener = ts.Listener
				ts.Listener = &l
				inner := ts.Config.Handler
				ts.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					inner.ServeHTTP(barely{w, &l}, r)
				})
				ts.Start()
			}})
			is := func(n int32) {
				t.Helper()
				eventually(t, "the right count", func() bool { return l.inside.Load() == n })
			}
			p, c := w.websocket(4)
			is(1)
			p.say("4hello")
			c.wants("hello")
			if err := c.s.Send(NewFrame([]byte("back"))); err != nil {
				t.Fatal(err)
			}
			p.wants("4back")
			if reader == readerAuto {
				if _, bare := c.s.link.Load().conn.(*polled); !bare {
					t.Error("it is not in the reactor")
				}
			}
			p.Close()
			c.wantsClosed(ReasonTransportClose)
			is(0)
			_, d := w.websocket(4)
			is(1)
			d.s.Close(ReasonServer)
			d.wantsClosed(ReasonServer)
			is(0)
		})
	}
}

func (b barely) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// bareGuest is a guest that can be taken as a descriptor.
type bareGuest struct{ *guest }

// TakeSocket implements giver.
func (g bareGuest) TakeSocket() (fd int, closed func()) {
	tcp, closed := g.Detach()
	defer tcp.Close()
	raw, err := tcp.SyscallConn()
	if err == nil {
		err = raw.Control(func(from uintptr) { fd, _ = syscall.Dup(int(from)) })
	}
	if err != nil {
		return -1, nil
	}
	return fd, closed
}

type bareGuests struct{ guests }

func (l *bareGuests) Accept() (net.Conn, error) {
	conn, err := l.guests.Accept()
	if err != nil {
		return nil, err
	}
	return bareGuest{conn.(*guest)}, nil
}

// Below TLS it is the same.
func TestABareDescriptorBelowTLSIsTakenOver(t *testing.T) {
	var l bareGuests
	w := newWorld(t, config(func(c *Config) { c.Reader, c.CloseTimeout = readerAuto, 50*time.Millisecond }), option{serve: func(_ *world, ts *httptest.Server) {
		l.Listener = ts.Listener
		ts.Listener = Listen(&l)
		ts.StartTLS()
	}})
	p, c := w.websocket(4)
	if _, bare := c.s.link.Load().wire().carrier.(*polled); !bare {
		t.Error("it is not in the reactor")
	}
	p.say("4hello")
	c.wants("hello")
	if err := c.s.Send(NewFrame([]byte("back"))); err != nil {
		t.Fatal(err)
	}
	p.wants("4back")
	p.Close()
	c.wantsClosed(ReasonTransportClose)
	eventually(t, "the right count", func() bool { return l.inside.Load() == 0 })
}

// A descriptor that cannot be watched is closed, and its end told to who wants to
// know.
func TestADescriptorThatCannotBeWatchedIsClosed(t *testing.T) {
	r, err := newReactor()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	ends := 0
	for _, closed := range []func(){nil, func() { ends++ }} {
		fd, err := syscall.Open("/dev/zero", syscall.O_RDONLY|syscall.O_CLOEXEC, 0) // epoll does not take it
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.adopt(&link{}, fd, closed); err == nil {
			t.Fatal("it is watched")
		}
		if err := syscall.Close(fd); err != syscall.EBADF {
			t.Errorf("still open: %v", err)
		}
	}
	if ends != 1 {
		t.Errorf("told %d times", ends)
	}
}
