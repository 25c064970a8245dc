//go:build linux && (amd64 || arm64)

package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"sluice/pkg/epoll"
)

// polled is a TCP connection that a reactor waits for. It is a net.Conn.
//
// The descriptor is closed by the last of its users: it must not be used again
// for another connection while a system call may be made on it. None of these
// calls waits, so that this is at once.
type polled struct {
	link *link
	left func() // told that it was closed; nil when nobody wants to know

	mu      sync.Mutex    // guards what follows
	change  chan struct{} // closed when it may be readable or writable again; nil when nobody waits
	fd      int32
	users   int32 // the owner until Close, and who is in a system call
	reading bool  // a goroutine serves the connection
	again   bool  // something has happened since it looked
	ending  bool  // the peer has ended: a short read does not mean that nothing more comes
	closed  bool

	// Owned by the reader.
	drained bool // the last read brought all there was
	now     bool // Read must not wait
}

// loop is the one that watches the connection. It is found, not kept: that
// saves a pointer in each.
func (x *polled) loop() *loop { return x.link.s.srv.reactor.loopOf(x.fd) }

// start lets the link be read. Until now the one who opens it had the right to.
func (x *polled) start() {
	if !x.rest() {
		x.loop().crew.Serve(x)
	}
}

// event is called by the loop. It is true when x has to be served.
func (x *polled) event(events uint32) (serve bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.signalLocked()
	if events&^syscall.EPOLLOUT != 0 {
		x.again = true
		x.ending = x.ending || events&^(syscall.EPOLLIN|syscall.EPOLLOUT) != 0
		serve = !x.reading
		x.reading = true
	}
	return serve
}

// signalLocked wakes those who wait. Who waited for something else waits again.
func (x *polled) signalLocked() {
	if x.change != nil {
		close(x.change)
		x.change = nil
	}
}

// changeLocked is what the next signal closes.
func (x *polled) changeLocked() <-chan struct{} {
	if x.change == nil {
		x.change = make(chan struct{})
	}
	return x.change
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
		syscall.Close(int(x.fd))
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
	n, err := readNow(int(x.fd), p)
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
	change := x.changeLocked()
	x.mu.Unlock()
	<-change // Close signals, too
	return nil
}

// Write implements net.Conn, and nobody uses it: links write by themselves.
func (x *polled) Write(p []byte) (n int, err error) {
	var failed error
	err = x.untilRoom(time.Now().Add(longest), func(fd uintptr) bool {
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

// longest is how long such a write may wait.
const longest = time.Hour

func (x *polled) untilRoom(limit time.Time, write func(fd uintptr) bool) error {
	for {
		if !x.use() {
			return net.ErrClosed
		}
		done := write(uintptr(x.fd))
		x.unuse()
		if done {
			return nil
		}
		if err := x.awaitRoom(limit); err != nil {
			return err
		}
	}
}

// awaitRoom waits, within the limit, until the kernel may take more. The
// descriptor is watched for that only meanwhile.
func (x *polled) awaitRoom(limit time.Time) error {
	change, err := x.wantRoom()
	if err != nil {
		return err
	}
	t := time.NewTimer(time.Until(limit))
	defer t.Stop()
	select {
	case <-change:
		err = nil
	case <-t.C:
		err = os.ErrDeadlineExceeded
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		_ = x.loop().set.Again(int(x.fd), 0) // at worst it is woken in vain
	}
	return err
}

func (x *polled) wantRoom() (change <-chan struct{}, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, net.ErrClosed
	}
	return x.changeLocked(), x.loop().set.Watch(int(x.fd), 0, epoll.Readable|epoll.Writable)
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
	x.signalLocked()
	lend := !x.reading
	x.reading = true
	x.mu.Unlock()
	x.loop().forget(x)
	x.unuse()
	if x.left != nil {
		x.left()
	}
	if lend {
		x.loop().crew.Serve(x)
	}
	return nil
}

// CloseWrite ends the connection's sending half.
func (x *polled) CloseWrite() error {
	return x.do(func() error { return syscall.Shutdown(int(x.fd), syscall.SHUT_WR) })
}

// SetLinger is that of net.TCPConn.
func (x *polled) SetLinger(sec int) error {
	l := syscall.Linger{Onoff: 1, Linger: int32(sec)}
	if sec < 0 {
		l = syscall.Linger{}
	}
	return x.do(func() error { return syscall.SetsockoptLinger(int(x.fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &l) })
}

// SetWriteBuffer is that of net.TCPConn.
func (x *polled) SetWriteBuffer(n int) error {
	return x.do(func() error { return syscall.SetsockoptInt(int(x.fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, n) })
}

func (x *polled) do(call func() error) error {
	if !x.use() {
		return net.ErrClosed
	}
	defer x.unuse()
	return call()
}

// The deadlines of net.Conn: writing has a limit of its own, and reading is
// ended by Close, as the heartbeat bounds it.
func (x *polled) SetDeadline(time.Time) error      { return nil }
func (x *polled) SetReadDeadline(time.Time) error  { return nil }
func (x *polled) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr and RemoteAddr implement net.Conn. The session knows the address.
func (x *polled) LocalAddr() net.Addr  { return polledAddr{} }
func (x *polled) RemoteAddr() net.Addr { return polledAddr{} }

type polledAddr struct{}

func (polledAddr) Network() string { return "tcp" }
func (polledAddr) String() string  { return "" }
