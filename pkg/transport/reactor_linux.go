//go:build linux && (amd64 || arm64)

package transport

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// reactor waits for many connections with no goroutine for any of them. Each
// loop has an epoll descriptor, which is itself waited for by Go's poller, so
// that no thread blocks in it. A connection that has something to read is lent
// a goroutine until it has been read empty; goroutines are used again, and
// their stacks with them.
type reactor struct {
	loops []*loop
	ended sync.WaitGroup // of them
}

// loop is one epoll descriptor with the connections that it watches.
type loop struct {
	loops int
	ep    int
	file  *os.File
	raw   syscall.RawConn
	crew  crew

	// Owned by run.
	batch [256]syscall.EpollEvent
	ready []*polled // scratch: those of the batch that have something to read

	mu      sync.Mutex // guards what follows
	watched []*polled  // by descriptor / loops; nil where nothing is watched
}

const (
	// readable are the events that a connection is always watched for.
	readable = syscall.EPOLLIN | syscall.EPOLLRDHUP | edge
	writable = syscall.EPOLLOUT
	edge     = 1 << 31 // EPOLLET, which package syscall has as a negative number
)

// newReactor opens a loop per CPU.
func newReactor() (*reactor, error) {
	r := &reactor{}
	n := runtime.GOMAXPROCS(0)
	for range n {
		p, err := newLoop(n)
		if err != nil {
			r.close()
			return nil, err
		}
		r.loops = append(r.loops, p)
	}
	return r, nil
}

func newLoop(loops int) (*loop, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &loop{loops: loops, ep: ep}
	if err = syscall.SetNonblock(ep, true); err == nil { // so that the file goes to Go's poller
		p.file = os.NewFile(uintptr(ep), "epoll")
		p.raw, err = p.file.SyscallConn()
	}
	if err != nil {
		syscall.Close(ep)
		return nil, fmt.Errorf("transport: epoll: %w", err)
	}
	return p, nil
}

// run starts the loops. They end with close.
func (r *reactor) run() {
	for _, p := range r.loops {
		r.ended.Go(p.run)
	}
}

// close ends the loops and waits for them. All connections have ended.
func (r *reactor) close() {
	for _, p := range r.loops {
		p.file.Close()
	}
	r.ended.Wait()
	for _, p := range r.loops {
		p.crew.stop()
	}
}

func (p *loop) run() {
	n := 0
	wait := func(uintptr) bool {
		n = epollNow(p.ep, p.batch[:])
		return n > 0
	}
	for p.raw.Read(wait) == nil {
		for i := range p.batch[:n] {
			e := &p.batch[i]
			if x := p.find(int(e.Fd)); x != nil && x.event(e.Events) {
				p.ready = append(p.ready, x)
			}
		}
		p.crew.serve(p.ready...)
		clear(p.ready)
		p.ready = p.ready[:0]
	}
}

// find is nil for an event of a connection that has been closed meanwhile. If
// its descriptor is used by another one already, that one is woken in vain,
// which does no harm.
func (p *loop) find(fd int) *polled {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := fd / p.loops; at < len(p.watched) {
		return p.watched[at]
	}
	return nil
}

// loopOf is the loop that watches a descriptor.
func (r *reactor) loopOf(fd int32) *loop { return r.loops[int(fd)%len(r.loops)] }

// watch begins to watch x. What has come already is an event, too.
func (r *reactor) watch(x *polled) error {
	p := r.loopOf(x.fd)
	at := int(x.fd) / p.loops
	p.mu.Lock()
	for at >= len(p.watched) {
		p.watched = append(p.watched, nil)
	}
	p.watched[at] = x
	p.mu.Unlock()
	if err := p.control(syscall.EPOLL_CTL_ADD, x.fd, readable); err != nil {
		p.forget(x)
		return err
	}
	return nil
}

// forget ends watching. It comes before the descriptor is closed: the next
// connection may get the same.
func (p *loop) forget(x *polled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := int(x.fd) / p.loops; at < len(p.watched) && p.watched[at] == x {
		p.watched[at] = nil
	}
}

func (p *loop) control(op int, fd int32, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: fd}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.ep, op, int(fd), &e))
}

// epollNow is epoll_wait without waiting.
func epollNow(ep int, batch []syscall.EpollEvent) int {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep),
			uintptr(unsafe.Pointer(&batch[0])), uintptr(len(batch)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case syscall.EINTR:
		default:
			return 0
		}
	}
}

// detach takes the descriptor of a connection away from Go's poller and closes
// the rest of it. On an error the connection is as it was. It is not read before
// polled.start.
func (r *reactor) detach(l *link, c *net.TCPConn, closed func()) (*polled, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	own := noDescriptor
	var errno syscall.Errno
	if err = raw.Control(func(fd uintptr) {
		var n uintptr
		if n, _, errno = syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0); errno == 0 {
			own = int(n)
		}
	}); err != nil {
		return nil, err
	}
	if errno != 0 {
		return nil, os.NewSyscallError("fcntl", errno)
	}
	x := newPolled(l, own, closed)
	if err = r.watch(x); err != nil {
		syscall.Close(own)
		return nil, err
	}
	c.Close() // the duplicate keeps the connection
	return x, nil
}

// adopt takes a descriptor that is the caller's alone, and closes it on an
// error. It is not read before polled.start.
func (r *reactor) adopt(l *link, fd int, closed func()) (*polled, error) {
	x := newPolled(l, fd, closed)
	if err := r.watch(x); err != nil {
		x.left()
		syscall.Close(fd)
		return nil, err
	}
	return x, nil
}

func newPolled(l *link, fd int, closed func()) *polled {
	return &polled{link: l, fd: int32(fd), left: closed, users: 1, reading: true}
}
