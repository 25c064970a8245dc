package epoll

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Set is an epoll descriptor with those that it watches. All methods but Close
// may be called at any time, from any goroutine.
type Set struct {
	ep    int
	file  *os.File // has ep, and is in Go's poller
	raw   syscall.RawConn
	batch [256]syscall.EpollEvent // owned by Lend
}

// Event says that something has happened on a descriptor.
type Event struct {
	FD     int
	Tag    int32 // with which it is watched
	Events uint32
}

// What a descriptor is watched for. Events come once for each change
// (edge-triggered): read until there is nothing left.
const (
	Readable = syscall.EPOLLIN | syscall.EPOLLRDHUP | edge // also its end
	Writable = syscall.EPOLLOUT
	edge     = 1 << 31 // EPOLLET, which package syscall has as a negative number
)

// NewSet opens a set. Close closes it.
func NewSet() (*Set, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err = syscall.SetNonblock(ep, true); err != nil { // so that the file goes to Go's poller
		_ = syscall.Close(ep) // nobody has it yet
		return nil, os.NewSyscallError("fcntl", err)
	}
	s := &Set{ep: ep, file: os.NewFile(uintptr(ep), "epoll")}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return s, nil
}

// Add begins to watch a descriptor for Readable. What has come already is an
// event, too. The tag comes back with each event; who reuses descriptors quickly
// tells by it whose event it was.
func (s *Set) Add(fd int, tag int32) error {
	return s.control(syscall.EPOLL_CTL_ADD, fd, tag, Readable)
}

// Watch changes what a descriptor is watched for. What is the case already is an
// event again.
func (s *Set) Watch(fd int, tag int32, events uint32) error {
	return s.control(syscall.EPOLL_CTL_MOD, fd, tag, events)
}

// Again is Add for a descriptor that is watched already.
func (s *Set) Again(fd int, tag int32) error { return s.Watch(fd, tag, Readable) }

// Remove ends watching a descriptor that stays open; closing does so by itself.
func (s *Set) Remove(fd int) error { return s.control(syscall.EPOLL_CTL_DEL, fd, 0, 0) }

func (s *Set) control(op, fd int, tag int32, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: int32(fd), Pad: tag}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(s.ep, op, fd, &e))
}

// Lend waits for events until Stop, and has the crew serve those whom find names.
// It is called once for a set. find must not wait.
func Lend[T any](s *Set, c *Crew[T], find func(Event) (x T, serve bool)) {
	n := 0
	look := func(uintptr) bool {
		n = s.now()
		return n > 0
	}
	var ready []T
	for s.raw.Read(look) == nil {
		for i := range s.batch[:n] {
			e := &s.batch[i]
			if x, serve := find(Event{FD: int(e.Fd), Tag: e.Pad, Events: e.Events}); serve {
				ready = append(ready, x)
			}
		}
		c.Serve(ready...)
		clear(ready)
		ready = ready[:0]
	}
}

// now is epoll_wait without waiting. It is not told to the scheduler, as it is as
// short as that.
func (s *Set) now() int {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(s.ep),
			uintptr(unsafe.Pointer(&s.batch[0])), uintptr(len(s.batch)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case syscall.EINTR:
		default:
			return 0
		}
	}
}

// Stop ends Lend.
func (s *Set) Stop() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) } // closed: it has ended

// Close closes the set, when nobody uses it any more.
func (s *Set) Close() { _ = s.file.Close() } // nothing is written to it
