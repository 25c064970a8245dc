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

	"sluice/pkg/epoll"
)

// door accepts connections on bare descriptors. One that waits for its first
// bytes has no goroutine, and is not in Go's poller. A request for a WebSocket is
// served from here, after the handshake where there is TLS; everything else
// becomes a connection for net/http, with what has been read.
type door struct {
	l       *Listener
	handler http.Handler
	in      *os.File   // the listening socket once more: package net's cannot be accepted from otherwise
	set     *epoll.Set // those that wait; by number, as descriptors are used again at once
	crew    *epoll.Crew[*visitor]
	rest    chan net.Conn
	failed  chan error     // why accepting has ended
	ended   sync.WaitGroup // accepting and watching

	mu      sync.Mutex       // guards what follows
	waiting map[int]*visitor // by descriptor
	sweeper *time.Timer
	closed  bool
}

// sweeps is how often a HeaderTimeout those are looked for who are too late.
const sweeps = 16

// Upgrades has h answer plain requests for WebSockets without net/http, where
// that works. It is called before the first Accept. With secure the port speaks
// TLS: Accept returns connections that do.
func (l *Listener) Upgrades(h http.Handler, secure Secure) {
	l.secure = secure
	d := &door{
		l: l, handler: h, rest: make(chan net.Conn), failed: make(chan error, 1), waiting: make(map[int]*visitor),
	}
	d.crew = epoll.NewCrew(d.serve)
	if err := d.open(); err != nil {
		l.log.Warn("client port: all requests go through net/http", elog.FieldErr(err))
		return
	}
	d.sweeper = time.AfterFunc(time.Hour, d.sweep)
	d.sweeper.Stop()
	l.door = d
	d.ended.Go(d.accept)
	d.ended.Go(func() { epoll.Lend(d.set, d.crew, d.arrived) })
}

func (d *door) open() (err error) {
	if d.in, err = d.l.inner.File(); err != nil {
		return err
	}
	if err = inherited(d.in); err == nil {
		d.set, err = epoll.NewSet()
	}
	if err != nil {
		_ = d.in.Close() // nobody else has it
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
	waiting := d.waiting
	d.waiting = nil
	d.sweeper.Stop()
	d.mu.Unlock()
	for _, v := range waiting {
		v.late()
	}
	_ = d.in.SetReadDeadline(time.Unix(1, 0)) // ends accept
	d.set.Stop()
	d.ended.Wait()
	d.crew.Stop()
	d.set.Close()
	_ = d.in.Close() // nobody else has it
}

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
		case ofOneConnection(failed):
			d.l.skip(failed)
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
	fd, number := v.fd, v.number // v may be served, and gone, as soon as it is watched
	if !d.wait(v) {
		v.close()
	} else if d.set.Add(fd, number) != nil { // the kernel has a bound for that, too
		if v := d.leave(fd, number); v != nil {
			d.l.m.refused.WithLabelValues(string(NoFiles)).Inc()
			v.abort()
		}
	}
}

// wait lets v wait. It is false when the door is closed.
func (d *door) wait(v *visitor) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waitLocked(v)
}

func (d *door) waitLocked(v *visitor) bool {
	if d.closed {
		return false
	}
	if len(d.waiting) == 0 {
		d.sweeper.Reset(d.l.cfg.HeaderTimeout / sweeps)
	}
	d.waiting[v.fd] = v
	return true
}

// again has v wait once more, as nothing has come. It is watched with the lock
// held: once it waits it may be too late, and its descriptor another one's.
func (d *door) again(v *visitor) {
	d.mu.Lock()
	watched := d.waitLocked(v) && d.set.Again(v.fd, v.number) == nil
	if !watched {
		delete(d.waiting, v.fd)
	}
	d.mu.Unlock()
	if !watched {
		v.abort()
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

// arrived ends waiting because something has come, for who serves v. One that is
// being served, and waits as a line, is told.
func (d *door) arrived(e epoll.Event) (v *visitor, serve bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v = d.waiting[e.FD]
	if v == nil || v.number != e.Tag {
		return nil, false // it has been closed meanwhile
	}
	if v.line != nil {
		v.line.signal()
		return nil, false
	}
	delete(d.waiting, e.FD)
	return v, true
}

// hold has v wait while it is served, for so long from now.
func (d *door) hold(v *visitor) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	v.due = time.Now().Add(d.l.cfg.HeaderTimeout)
	if !d.waitLocked(v) {
		return net.ErrClosed
	}
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
