package edge

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// door accepts connections on bare descriptors. One that waits for its first
// bytes has no goroutine, and is not in Go's poller. A request for a WebSocket is
// served from here, after the handshake where there is TLS; everything else
// becomes a connection for net/http, with what has been read.
type door struct {
	l       *Listener
	handler http.Handler
	in      *os.File // the listening socket once more: package net's cannot be accepted from otherwise
	epoll   *os.File // is itself in Go's poller, so that no thread blocks in it
	ep      int      // its descriptor, which is closed when nobody uses it any more
	rest    chan net.Conn
	failed  chan error // why accepting has ended
	ended   sync.WaitGroup

	mu      sync.Mutex       // guards what follows
	waiting map[int]*visitor // by descriptor
	sweeper *time.Timer
	closed  bool
	idle    []chan *visitor
}

const (
	// arrivals are the events of a descriptor that waits: one for each change.
	arrivals = syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which package syscall has as a negative number
	// sweeps is how often a HeaderTimeout those are looked for who are too late.
	sweeps = 16
)

// Upgrades has h answer plain requests for WebSockets without net/http, where
// that works. It is called before the first Accept. With secure the port speaks
// TLS: Accept returns connections that do.
func (l *Listener) Upgrades(h http.Handler, secure Secure) {
	l.secure = secure
	d := &door{
		l: l, handler: h, rest: make(chan net.Conn), failed: make(chan error, 1), waiting: make(map[int]*visitor),
	}
	if err := d.open(); err != nil {
		l.log.Warn("client port: all requests go through net/http", elog.FieldErr(err))
		return
	}
	d.sweeper = time.AfterFunc(time.Hour, d.sweep)
	d.sweeper.Stop()
	l.door = d
	d.ended.Go(d.accept)
	d.ended.Go(d.watch)
}

func (d *door) open() (err error) {
	if d.in, err = d.l.inner.File(); err != nil {
		return err
	}
	d.ep, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err == nil {
		err = syscall.SetNonblock(d.ep, true) // for Go's poller
		d.epoll = os.NewFile(uintptr(d.ep), "epoll")
	}
	if err == nil {
		err = inherited(d.in)
	}
	if err != nil {
		d.closeFiles()
	}
	return err
}

// inherited sets what package net sets on each connection on the listening
// socket, which passes it on: it saves five system calls a connection.
func inherited(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errs []error
	err = raw.Control(func(fd uintptr) {
		for _, o := range []struct{ level, option, value int }{
			{syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1}, {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15}, {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9},
		} {
			errs = append(errs, os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), o.level, o.option, o.value)))
		}
	})
	return errors.Join(append(errs, err)...)
}

func (d *door) closeFiles() {
	for _, f := range []*os.File{d.in, d.epoll} {
		if f != nil {
			_ = f.Close() // nobody else has it
		}
	}
}

// next is the next connection for net/http.
func (d *door) next() (net.Conn, error) {
	select {
	case c := <-d.rest:
		return c, nil
	case <-d.l.stop:
		return nil, net.ErrClosed
	case err := <-d.failed:
		return nil, err
	}
}

// close ends all that waits, and returns when every goroutine has ended.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	waiting, idle := d.waiting, d.idle
	d.waiting, d.idle = nil, nil
	d.sweeper.Stop()
	d.mu.Unlock()
	for _, v := range waiting {
		v.late()
	}
	for _, w := range idle {
		close(w)
	}
	_ = d.in.SetReadDeadline(longAgo)    // ends accept
	_ = d.epoll.SetReadDeadline(longAgo) // ends watch
	d.ended.Wait()
	d.closeFiles()
}

var longAgo = time.Unix(1, 0)

// accept takes connections until the listener is closed or broken.
func (d *door) accept() {
	var fd int
	var number int32
	var peer syscall.Sockaddr
	var failed error
	take := func(in uintptr) bool {
		fd, peer, failed = syscall.Accept4(int(in), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		return !errors.Is(failed, syscall.EAGAIN)
	}
	raw, err := d.in.SyscallConn()
	for err == nil {
		if err = raw.Read(take); err != nil {
			break
		}
		switch {
		case failed == nil:
			number++
			d.admit(&visitor{d: d, fd: fd, number: number, peer: addrPort(peer)})
		case errors.Is(failed, syscall.EINTR), errors.Is(failed, syscall.ECONNABORTED): // it left while it was queued
		case outOfFiles(failed):
			d.l.shed(failed)
		default:
			err = os.NewSyscallError("accept4", failed)
		}
	}
	d.failed <- err
}

// addrPort is a peer's address as net/http would have it.
func addrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 {
			a = a.WithZone(strconv.Itoa(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// admit counts a connection and waits for its first bytes, or closes it.
func (d *door) admit(v *visitor) {
	place, behind, verdict := d.l.hold(v.peer.Addr())
	if verdict != Welcome {
		v.abort()
		return
	}
	v.behind, v.due = behind, time.Now().Add(d.l.cfg.HeaderTimeout)
	v.place.Store(place)
	d.wait(v, syscall.EPOLL_CTL_ADD)
}

// wait waits for v. What has come already is an event, too.
func (d *door) wait(v *visitor, op int) {
	fd, number := v.fd, v.number // v may be served, and gone, as soon as it is watched
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		v.close()
		return
	}
	if len(d.waiting) == 0 {
		d.sweeper.Reset(d.l.cfg.HeaderTimeout / sweeps)
	}
	d.waiting[fd] = v
	d.mu.Unlock()
	if d.control(op, fd, number) != nil {
		if v := d.leave(fd, number); v != nil {
			v.abort()
		}
	}
}

// leave ends waiting. Whoever gets v owns it. It is nil when that one has been
// closed meanwhile, whoever has the descriptor now.
func (d *door) leave(fd int, number int32) *visitor {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.waiting[fd]
	if v == nil || v.number != number {
		return nil
	}
	delete(d.waiting, fd)
	return v
}

// arrived is leave because something has come. It is nil, too, for one that is
// being served and goes on waiting.
func (d *door) arrived(fd int, number int32) *visitor {
	d.mu.Lock()
	v := d.waiting[fd]
	if v != nil && v.number == number && v.line != nil {
		d.mu.Unlock()
		v.line.signal()
		return nil
	}
	d.mu.Unlock()
	return d.leave(fd, number)
}

// hold has v wait while it is served, for so long from now.
func (d *door) hold(v *visitor) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	if len(d.waiting) == 0 {
		d.sweeper.Reset(d.l.cfg.HeaderTimeout / sweeps)
	}
	v.due = time.Now().Add(d.l.cfg.HeaderTimeout)
	d.waiting[v.fd] = v
	return nil
}

// sweep closes those who have said nothing in time. It looks again while anybody
// waits.
func (d *door) sweep() {
	now := time.Now()
	var late []*visitor
	d.mu.Lock()
	for fd, v := range d.waiting {
		if now.After(v.due) {
			delete(d.waiting, fd)
			late = append(late, v)
		}
	}
	if len(d.waiting) > 0 {
		d.sweeper.Reset(d.l.cfg.HeaderTimeout / sweeps)
	}
	d.mu.Unlock()
	for _, v := range late {
		if v.behind && v.line == nil {
			d.l.m.refused.WithLabelValues(string(SlowHeader)).Inc()
		}
		v.late()
	}
}

func (d *door) control(op, fd int, number int32) error {
	e := syscall.EpollEvent{Events: arrivals, Fd: int32(fd), Pad: number}
	return syscall.EpollCtl(d.ep, op, fd, &e)
}

// watch lends each connection on which something has come a goroutine.
func (d *door) watch() {
	raw, err := d.epoll.SyscallConn()
	batch, n := make([]syscall.EpollEvent, 256), 0
	look := func(uintptr) bool {
		n, _ = syscall.EpollWait(d.ep, batch, 0) // interrupted: there is an event yet
		return n != 0
	}
	for err == nil {
		if err = raw.Read(look); err != nil {
			return
		}
		for _, e := range batch[:max(n, 0)] {
			if v := d.arrived(int(e.Fd), e.Pad); v != nil {
				d.lend(v)
			}
		}
	}
}
