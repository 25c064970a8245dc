//go:build linux && (amd64 || arm64)

package transport

import (
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"sluice/pkg/epoll"
)

// reactor waits for many connections with no goroutine for any of them. One that
// has something to read is lent a goroutine until it has been read empty.
type reactor struct {
	loops []*loop
	ended sync.WaitGroup // of them
}

// loop is one set with the connections that it watches, and who serves them.
type loop struct {
	loops int
	set   *epoll.Set
	crew  *epoll.Crew[*polled]

	mu      sync.Mutex // guards what follows
	watched []*polled  // by descriptor / loops; nil where nothing is watched
}

// newReactor opens a loop per CPU.
func newReactor() (*reactor, error) {
	r := &reactor{}
	n := runtime.GOMAXPROCS(0)
	for range n {
		set, err := epoll.NewSet()
		if err != nil {
			r.close()
			return nil, err
		}
		r.loops = append(r.loops, &loop{loops: n, set: set, crew: epoll.NewCrew((*polled).serve)})
	}
	return r, nil
}

// run starts the loops. They end with close.
func (r *reactor) run() {
	for _, p := range r.loops {
		r.ended.Go(func() { epoll.Lend(p.set, p.crew, p.happened) })
	}
}

// close ends the loops and waits for them. All connections have ended.
func (r *reactor) close() {
	for _, p := range r.loops {
		p.set.Stop()
	}
	r.ended.Wait()
	for _, p := range r.loops {
		p.crew.Stop()
		p.set.Close()
	}
}

// happened tells who has to be served for an event.
func (p *loop) happened(e epoll.Event) (x *polled, serve bool) {
	if x = p.find(e.FD); x == nil {
		return nil, false
	}
	return x, x.event(e.Events)
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
	if err := p.set.Add(int(x.fd), 0); err != nil {
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
		syscall.Close(fd)
		if closed != nil {
			closed()
		}
		return nil, err
	}
	return x, nil
}

func newPolled(l *link, fd int, closed func()) *polled {
	return &polled{link: l, fd: int32(fd), left: closed, users: 1, reading: true}
}
