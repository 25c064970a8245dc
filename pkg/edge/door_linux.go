package edge

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// door accepts plain connections on bare descriptors. One that waits for its
// first bytes has no goroutine, and is not in Go's poller. A request for a
// WebSocket is served from here; everything else becomes a connection for
// net/http, with what has been read.
type door struct {
	l       *Listener
	handler http.Handler
	in      *os.File // the listening socket once more: package net's cannot be accepted from otherwise
	epoll   *os.File // is itself in Go's poller, so that no thread blocks in it
	ep      int      // its descriptor, which is closed when nobody uses it any more
	rest    chan *Conn
	failed  chan error // why accepting has ended
	ended   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	waiting map[int]*visitor // by descriptor
	sweeper *time.Timer
	closed  bool
	idle    []chan *visitor
}

const (
	// arrived are the events of a descriptor that waits: one for each change.
	arrived = syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which package syscall has as a negative number
	// maxIdleWorkers is how many goroutines are kept for the next requests.
	maxIdleWorkers = 64
	// sweeps is how often a HeaderTimeout those are looked for who are too late.
	sweeps = 16
)

// Upgrades has h answer plain requests for WebSockets without net/http, before
// the first Accept. It is without effect where that does not work.
func (l *Listener) Upgrades(h http.Handler) {
	d := &door{
		l: l, handler: h, rest: make(chan *Conn), failed: make(chan error, 1), waiting: make(map[int]*visitor),
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
		v.close()
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
			d.admit(&visitor{l: d.l, fd: fd, number: number, peer: addrPort(peer)})
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
		if v.behind {
			d.l.m.refused.WithLabelValues(string(SlowHeader)).Inc()
		}
		v.close()
	}
}

func (d *door) control(op, fd int, number int32) error {
	e := syscall.EpollEvent{Events: arrived, Fd: int32(fd), Pad: number}
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
			if v := d.leave(int(e.Fd), e.Pad); v != nil {
				d.lend(v)
			}
		}
	}
}

// lend has v served by a goroutine: one that has served others has a stack that
// is large enough.
func (d *door) lend(v *visitor) {
	d.mu.Lock()
	if last := len(d.idle) - 1; last >= 0 {
		w := d.idle[last]
		d.idle = d.idle[:last]
		d.mu.Unlock()
		w <- v
		return
	}
	d.mu.Unlock()
	d.ended.Go(func() { d.work(v) })
}

// work serves v, and then whatever it is given.
func (d *door) work(v *visitor) {
	next := make(chan *visitor, 1)
	for v != nil {
		d.serve(v)
		d.mu.Lock()
		if d.closed || len(d.idle) == maxIdleWorkers {
			d.mu.Unlock()
			return
		}
		d.idle = append(d.idle, next)
		d.mu.Unlock()
		v = <-next
	}
}

// serve answers a request that has come whole and is a plain one.
func (d *door) serve(v *visitor) {
	h := heads.Get().(*head)
	defer heads.Put(h)
	n, err := syscall.Read(v.fd, h.buf[:])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		d.wait(v, syscall.EPOLL_CTL_MOD)
		return
	case err != nil || n == 0:
		if v.behind {
			d.l.m.refused.WithLabelValues(string(BadHeader)).Inc()
		}
		v.close()
		return
	}
	b, ok := v.introduce(h.buf[:n])
	if !ok || n == len(h.buf) {
		d.pass(v, h.buf[:n])
		return
	}
	r := h.request(b)
	if r == nil {
		d.pass(v, h.buf[:n])
		return
	}
	if verdict := v.settle(); verdict != Welcome {
		d.l.m.refused.WithLabelValues(string(verdict)).Inc()
		v.abort()
		return
	}
	_ = d.control(syscall.EPOLL_CTL_DEL, v.fd, v.number) // at worst it is found that nobody waits there
	d.answer(v, r)
}

// answer has the handler answer r.
func (d *door) answer(v *visitor, r *http.Request) {
	a := reply{visitor: v, header: make(http.Header)}
	r.RemoteAddr = v.client.String()
	defer func() {
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			d.l.log.Error("client port: handler panicked", elog.Any("panic", p), elog.String("stack", string(debug.Stack())))
		}
		if a.visitor != nil { // it has not been taken
			a.visitor.close()
		}
	}()
	d.handler.ServeHTTP(&a, r)
	if a.visitor != nil {
		a.send(time.Now())
	}
}

// pass makes v a connection for net/http, which begins with what was read.
func (d *door) pass(v *visitor, early []byte) {
	c, err := v.conn(early)
	if err != nil {
		return
	}
	select {
	case d.rest <- c:
	case <-d.l.stop:
		_ = c.Close() // nobody serves it any more
	}
}
