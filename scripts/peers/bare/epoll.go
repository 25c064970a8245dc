package main

import (
	"errors"
	"log"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// server is one epoll loop over all descriptors.
type server struct {
	poll   int
	file   *os.File // of the listener: collected, it would be closed
	listen int

	mu   sync.Mutex
	open map[int]bool // descriptors; true once upgraded
}

func newServer(l net.Listener) *server {
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		log.Fatal(err)
	}
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{poll: poll, file: f, listen: int(f.Fd()), open: map[int]bool{}}
	if err := syscall.SetNonblock(s.listen, true); err != nil {
		log.Fatal(err)
	}
	s.add(s.listen)
	return s
}

func (s *server) add(fd int) {
	if err := syscall.EpollCtl(s.poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}); err != nil {
		log.Fatal(err)
	}
}

func (s *server) run() {
	runtime.LockOSThread()
	events, buf := make([]syscall.EpollEvent, 256), make([]byte, 64<<10)
	for {
		n, err := syscall.EpollWait(s.poll, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			log.Fatal(err)
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == s.listen {
				s.accept()
			} else {
				s.read(int(e.Fd), buf)
			}
		}
	}
}

func (s *server) accept() {
	for {
		fd, _, err := syscall.Accept4(s.listen, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return // no more for now
		}
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
			log.Fatal(err)
		}
		s.mu.Lock()
		s.open[fd] = false
		s.mu.Unlock()
		s.add(fd)
	}
}

func (s *server) read(fd int, buf []byte) {
	n, err := syscall.Read(fd, buf)
	if errors.Is(err, syscall.EAGAIN) {
		return
	}
	s.mu.Lock()
	open := s.open[fd]
	if n <= 0 {
		delete(s.open, fd)
		_ = syscall.Close(fd) // the client left
	} else {
		s.open[fd] = true
	}
	s.mu.Unlock()
	switch {
	case n <= 0:
	case open:
		count(buf[:n])
	default:
		write(fd, []byte(upgraded(string(buf[:n]))))
	}
}

// push writes the frame to everybody.
func (s *server) push(f []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fd := range s.open {
		write(fd, f)
	}
}

func write(fd int, b []byte) {
	for len(b) > 0 {
		n, err := syscall.Write(fd, b)
		switch {
		case err == nil:
			b = b[n:]
		case errors.Is(err, syscall.EAGAIN):
			runtime.Gosched() // the client is slow to read
		default:
			return // it left
		}
	}
}
