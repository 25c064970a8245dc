package edge

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// line is a visitor as a net.Conn, for its TLS handshake and its first request.
// The door wakes who waits on it, so that it need not be in Go's poller, nor be
// taken out of it. Deadlines are the door's. What goes on with net/http becomes a
// Conn, and the line passes all on to it.
//
// It shares nothing with the connections of a reactor, which are bare descriptors,
// too: those are closed while others write to them, and count who does; read
// without waiting for their next message; and are as small as can be. A line has
// one goroutine, a time that ends, and is gone after its first request.
type line struct {
	slot
	v     *visitor
	early []byte        // has been read already
	ready chan struct{} // something has come, or it is late
	late  atomic.Bool
	gone  bool  // closed, or given away
	made  *Conn // what it has become
}

func newLine(v *visitor, early []byte) *line {
	v.line = &line{slot: slot{port: v.d.l.Port}, v: v, early: early, ready: make(chan struct{}, 1)}
	return v.line
}

func (x *line) signal() {
	select {
	case x.ready <- struct{}{}:
	default: // it is known
	}
}

// become makes it a Conn.
func (x *line) become() error {
	if x.made != nil || x.gone {
		return net.ErrClosed
	}
	x.v.d.leave(x.v.fd, x.v.number)
	x.leave()
	made, err := x.v.known(x.early)
	if err != nil {
		x.gone = true
		return err
	}
	made.due = x.v.due
	x.made, x.early = made, nil
	return nil
}

// TakeSocket gives the descriptor away, as that of a reply; -1 when it is not
// the line's any more.
func (x *line) TakeSocket() (fd int, closed func()) {
	if x.made != nil || x.gone || len(x.early) > 0 {
		return -1, nil
	}
	x.gone = true
	x.v.d.leave(x.v.fd, x.v.number)
	x.v.forget()
	x.leave()
	return x.v.take()
}

// Detach is that of Conn.
func (x *line) Detach() (tcp *net.TCPConn, closed func()) {
	if x.made == nil && x.become() != nil {
		return nil, nil
	}
	return x.made.Detach()
}

// Read implements net.Conn.
func (x *line) Read(p []byte) (int, error) {
	if x.made != nil {
		return x.made.Read(p)
	}
	if len(x.early) > 0 {
		n := copy(p, x.early)
		x.early = x.early[n:]
		return n, nil
	}
	for !x.gone {
		n, err := syscall.Read(x.v.fd, p)
		switch {
		case err == nil && n == 0:
			return 0, io.EOF
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EAGAIN):
			<-x.ready
		case !errors.Is(err, syscall.EINTR):
			return 0, os.NewSyscallError("read", err)
		}
		if x.late.Load() {
			return 0, os.ErrDeadlineExceeded
		}
	}
	return 0, net.ErrClosed
}

// Write implements net.Conn. The kernel takes all that a handshake says, unless
// its chain of certificates is very long.
func (x *line) Write(p []byte) (n int, err error) {
	x.leave()
	if x.made != nil {
		return x.made.Write(p)
	}
	for n < len(p) && !x.gone {
		m, err := syscall.Write(x.v.fd, p[n:])
		switch {
		case err == nil:
			n += m
		case errors.Is(err, syscall.EAGAIN):
			time.Sleep(time.Millisecond)
		case !errors.Is(err, syscall.EINTR):
			return n, os.NewSyscallError("write", err)
		}
		if x.late.Load() {
			return n, os.ErrDeadlineExceeded
		}
	}
	if n < len(p) {
		return n, net.ErrClosed
	}
	return n, nil
}

// Close implements net.Conn.
func (x *line) Close() error {
	x.leave()
	switch {
	case x.made != nil:
		return x.made.Close()
	case x.gone:
		return net.ErrClosed
	}
	x.gone = true
	x.v.d.leave(x.v.fd, x.v.number)
	x.v.close()
	return nil
}

// RemoteAddr implements net.Conn: the client's address.
func (x *line) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(x.v.client) }

// LocalAddr implements net.Conn: that of the listener.
func (x *line) LocalAddr() net.Addr { return x.v.d.l.Addr() }

// SetDeadline implements net.Conn.
func (x *line) SetDeadline(t time.Time) error {
	return errors.Join(x.SetReadDeadline(t), x.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (x *line) SetReadDeadline(t time.Time) error {
	if x.made == nil {
		return nil
	}
	return x.made.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (x *line) SetWriteDeadline(t time.Time) error {
	if x.made == nil {
		return nil
	}
	return x.made.SetWriteDeadline(t)
}

// CloseWrite is that of net.TCPConn.
func (x *line) CloseWrite() error {
	if x.made != nil {
		return x.made.CloseWrite()
	}
	return x.set(func() error { return syscall.Shutdown(x.v.fd, syscall.SHUT_WR) })
}

// SetLinger is that of net.TCPConn.
func (x *line) SetLinger(sec int) error {
	if x.made != nil {
		return x.made.SetLinger(sec)
	}
	l := syscall.Linger{Onoff: 1, Linger: int32(sec)}
	return x.set(func() error { return syscall.SetsockoptLinger(x.v.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &l) })
}

// SetWriteBuffer is that of net.TCPConn.
func (x *line) SetWriteBuffer(n int) error {
	if x.made != nil {
		return x.made.SetWriteBuffer(n)
	}
	return x.set(func() error { return syscall.SetsockoptInt(x.v.fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, n) })
}

func (x *line) set(option func() error) error {
	if x.gone {
		return net.ErrClosed
	}
	return option()
}
