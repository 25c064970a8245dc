//go:build linux && (amd64 || arm64)

package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// polled is a TCP connection that a reactor waits for. It is a net.Conn, and
// its own syscall.RawConn.
//
// The descriptor is closed by the last of its users: it must not be used again
// for another connection while a system call may be made on it.
type polled struct {
	loop *loop
	link *link
	fd   int
	left func() // told that it was closed; nil when nobody wants to know

	mu      sync.Mutex // guards what follows
	users   int32      // the owner until Close, and who is in a system call
	reading bool       // a goroutine serves the connection
	again   bool       // something has happened since it looked
	ending  bool       // the peer has ended: a short read does not mean that nothing more comes
	closed  bool
	in, out chan struct{} // closed when it is readable or writable; nil when nobody waits
	limit   time.Time     // of waiting writes

	// Owned by the reader.
	drained bool // the last read brought all there was
	now     bool // Read must not wait
}

// start lets the link be read. Until now the one who opens it had the right to.
func (x *polled) start(l *link) {
	x.link = l
	if !x.rest() {
		x.loop.crew.serve(x)
	}
}

// event is called by the loop. It is true when x has to be served.
func (x *polled) event(events uint32) (serve bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if events&(syscall.EPOLLOUT|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		signal(&x.out)
	}
	if events&^syscall.EPOLLOUT != 0 {
		x.again = true
		x.ending = x.ending || events&^(syscall.EPOLLIN|syscall.EPOLLOUT) != 0
		signal(&x.in)
		serve = !x.reading
		x.reading = true
	}
	return serve
}

func signal(c *chan struct{}) {
	if *c != nil {
		close(*c)
		*c = nil
	}
}

// serve reads until there is nothing left to read. Only one goroutine does.
func (x *polled) serve() {
	for {
		err := x.look()
		if err == nil {
			err = x.link.readAvailable()
		}
		if err != nil {
			x.link.over(err)
			return
		}
		if x.rest() {
			return
		}
	}
}

// look begins a round of reading.
func (x *polled) look() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.again, x.drained = false, false
	if x.closed {
		return net.ErrClosed
	}
	return nil
}

// rest ends reading, unless something has happened meanwhile.
func (x *polled) rest() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reading = x.again || x.closed
	return !x.reading
}

// use begins a system call. It is false when the connection is closed.
func (x *polled) use() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	x.users++
	return true
}

func (x *polled) unuse() {
	x.mu.Lock()
	x.users--
	last := x.users == 0
	x.mu.Unlock()
	if last {
		syscall.Close(x.fd)
	}
}

// readNow reads what is there. errAgain means nothing.
func (x *polled) readNow(p []byte) (int, error) {
	if x.drained {
		return 0, errAgain
	}
	if !x.use() {
		return 0, net.ErrClosed
	}
	defer x.unuse()
	n, err := readNow(x.fd, p)
	if err == nil && n < len(p) {
		x.mu.Lock()
		x.drained = !x.ending // saves the call that would find nothing
		x.mu.Unlock()
	}
	return n, err
}

func (x *polled) hurry(now bool) { x.now = now }

func (x *polled) await() error { return nil }

func (x *polled) release() {}

// Read implements net.Conn.
func (x *polled) Read(p []byte) (int, error) {
	for {
		n, err := x.readNow(p)
		if x.now || !errors.Is(err, errAgain) {
			return n, err
		}
		if err = x.awaitInput(); err != nil {
			return 0, err
		}
	}
}

// awaitInput waits until there may be something to read.
func (x *polled) awaitInput() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return net.ErrClosed
	}
	x.drained = false
	if x.again {
		x.again = false
		x.mu.Unlock()
		return nil
	}
	if x.in == nil {
		x.in = make(chan struct{})
	}
	in := x.in
	x.mu.Unlock()
	<-in // Close signals, too
	return nil
}

// Write implements net.Conn. It waits, within the deadline, until all is written.
func (x *polled) Write(p []byte) (n int, err error) {
	var failed error
	err = x.rawConn().Write(func(fd uintptr) bool {
		var m int
		m, failed = writeNow(int(fd), p[n:])
		n += m
		return n == len(p) || failed != nil
	})
	if err == nil {
		err = failed
	}
	return n, err
}

// rawPolled is a polled connection as a syscall.RawConn.
type rawPolled polled

func (x *polled) rawConn() syscall.RawConn { return (*rawPolled)(x) }

// Control implements syscall.RawConn.
func (r *rawPolled) Control(f func(fd uintptr)) error {
	x := (*polled)(r)
	return x.do(func() error { f(uintptr(x.fd)); return nil })
}

// Read implements syscall.RawConn.
func (r *rawPolled) Read(f func(fd uintptr) bool) error {
	return (*polled)(r).until(f, (*polled).awaitInput)
}

// Write implements syscall.RawConn.
func (r *rawPolled) Write(f func(fd uintptr) bool) error {
	return (*polled)(r).until(f, (*polled).awaitRoom)
}

// until calls f until it is done, and waits in between.
func (x *polled) until(f func(fd uintptr) bool, wait func(*polled) error) error {
	for {
		if !x.use() {
			return net.ErrClosed
		}
		done := f(uintptr(x.fd))
		x.unuse()
		if done {
			return nil
		}
		if err := wait(x); err != nil {
			return err
		}
	}
}

// awaitRoom waits, within the deadline, until the kernel may take more. The
// descriptor is watched for that only meanwhile.
func (x *polled) awaitRoom() error {
	out, limit, err := x.wantRoom()
	if err != nil {
		return err
	}
	t := time.NewTimer(time.Until(limit))
	defer t.Stop()
	select {
	case <-out:
		err = nil
	case <-t.C:
		err = os.ErrDeadlineExceeded
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		_ = x.loop.control(syscall.EPOLL_CTL_MOD, x.fd, readable) // at worst it is woken in vain
	}
	return err
}

// noLimit is how long a write without a deadline may wait.
const noLimit = 24 * time.Hour

func (x *polled) wantRoom() (out chan struct{}, limit time.Time, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, limit, net.ErrClosed
	}
	if x.out == nil {
		x.out = make(chan struct{})
	}
	if limit = x.limit; limit.IsZero() {
		limit = time.Now().Add(noLimit)
	}
	return x.out, limit, x.loop.control(syscall.EPOLL_CTL_MOD, x.fd, readable|writable)
}

// Close implements net.Conn. A goroutine that serves the connection, or is lent
// to it now, ends its link.
func (x *polled) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return net.ErrClosed
	}
	x.closed = true
	signal(&x.in)
	signal(&x.out)
	lend := !x.reading
	x.reading = true
	if x.users > 1 {
		_ = syscall.Shutdown(x.fd, syscall.SHUT_RDWR) // the client shall see it now, if it is still there
	}
	x.mu.Unlock()
	x.loop.forget(x)
	x.unuse()
	if x.left != nil {
		x.left()
	}
	if lend {
		x.loop.crew.serve(x)
	}
	return nil
}

// CloseWrite ends the connection's sending half.
func (x *polled) CloseWrite() error {
	return x.do(func() error { return syscall.Shutdown(x.fd, syscall.SHUT_WR) })
}

// SetLinger is that of net.TCPConn.
func (x *polled) SetLinger(sec int) error {
	l := syscall.Linger{Onoff: 1, Linger: int32(sec)}
	if sec < 0 {
		l = syscall.Linger{}
	}
	return x.do(func() error { return syscall.SetsockoptLinger(x.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &l) })
}

// SetWriteBuffer is that of net.TCPConn.
func (x *polled) SetWriteBuffer(n int) error {
	return x.do(func() error { return syscall.SetsockoptInt(x.fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, n) })
}

func (x *polled) do(call func() error) error {
	if !x.use() {
		return net.ErrClosed
	}
	defer x.unuse()
	return call()
}

// SetWriteDeadline implements net.Conn.
func (x *polled) SetWriteDeadline(t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.limit = t
	return nil
}

// SetDeadline and SetReadDeadline implement net.Conn. Reading is ended by
// Close: the heartbeat bounds it.
func (x *polled) SetDeadline(t time.Time) error   { return x.SetWriteDeadline(t) }
func (x *polled) SetReadDeadline(time.Time) error { return nil }

// LocalAddr and RemoteAddr implement net.Conn. The session knows the address.
func (x *polled) LocalAddr() net.Addr  { return polledAddr{} }
func (x *polled) RemoteAddr() net.Addr { return polledAddr{} }

type polledAddr struct{}

func (polledAddr) Network() string { return "tcp" }
func (polledAddr) String() string  { return "" }
