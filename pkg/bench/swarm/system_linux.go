package swarm

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func monotonic() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return time.Now().UnixNano()
	}
	return t.Nano()
}

// Supported tells why there can be no clients here; nil means that there can.
func Supported() error { return nil }

// What a descriptor is watched for.
const (
	forNothing = 0 // errors and hang-ups are told all the same
	forReading = unix.EPOLLIN
	forBoth    = unix.EPOLLIN | unix.EPOLLOUT
)

// wakeTag marks the poller's own descriptor among the events.
const wakeTag = 1<<31 - 1

// poller is an epoll descriptor with a way to interrupt it.
type poller struct {
	fd, wakes int
	events    [512]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wakes, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	p := &poller{fd: fd, wakes: wakes}
	if err := p.add(wakes, wakeTag, forReading); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	_ = unix.Close(p.wakes) // nothing is left to be done
	_ = unix.Close(p.fd)
}

// wake makes wait return. It may be called by anybody.
func (p *poller) wake() {
	_, _ = unix.Write(p.wakes, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full means that it will wake
}

func (p *poller) add(fd int, tag uint32, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(tag)})
}

func (p *poller) change(fd int, tag uint32, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(tag)})
}

// wait calls ready for each descriptor that is, with what it is ready for.
func (p *poller) wait(timeout time.Duration, ready func(tag uint32, readable, writable bool)) error {
	n, err := unix.EpollWait(p.fd, p.events[:], int(timeout.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	for i := range max(n, 0) {
		e := &p.events[i]
		if e.Fd == wakeTag {
			var b [8]byte
			_, _ = unix.Read(p.wakes, b[:]) // only the waking counts
			continue
		}
		const broken = unix.EPOLLERR | unix.EPOLLHUP
		ready(uint32(e.Fd), e.Events&(unix.EPOLLIN|broken) != 0, e.Events&(unix.EPOLLOUT|broken) != 0)
	}
	return nil
}

// dial begins a connection. A small one has little room for what it does not
// read.
func dial(from netip.Addr, to netip.AddrPort, small bool) (int, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = prepare(fd, from.IsValid(), small)
	if err == nil && from.IsValid() {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0)))
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(to))
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd) // it was never used
		return -1, err
	}
	return fd, nil
}

// prepare sets what has to be set before a connection begins. One that is bound
// gets its port when the destination is known: each pair of addresses has all
// ports to itself.
func prepare(fd int, bound, small bool) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if small {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
			return err
		}
	}
	if !bound {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

// detach makes a descriptor of a connection that the runtime knows nothing of.
func detach(conn *net.TCPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	controlled := raw.Control(func(d uintptr) { fd, err = unix.FcntlInt(d, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(controlled, err)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// dialled tells how a connection that began came out.
func dialled(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	return err
}

// readNow reads what is there: 0 without an error means nothing at the moment.
func readNow(fd int, p []byte) (int, error) {
	n, err := unix.Read(fd, p)
	switch {
	case err == nil && n == 0:
		return 0, errEnd
	case err == nil:
		return n, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	}
	return 0, err
}

// writeNow writes what the kernel takes at once.
func writeNow(fd int, p []byte) (int, error) {
	n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_NOSIGNAL)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	}
	return 0, err
}

// finish says that nothing more will be written.
func finish(fd int) {
	_ = unix.Shutdown(fd, unix.SHUT_WR) // gone is as good
}

// hangUp closes a connection; hard means without a farewell: the other end sees
// a reset, as when a machine dies or a network is cut.
func hangUp(fd int, hard bool) {
	if hard {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // a farewell then
	}
	_ = unix.Close(fd) // it is gone either way
}

// reasonOf is a word for an error, of a small number of words.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errEnd):
		return "end"
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused"
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return "reset"
	case errors.Is(err, unix.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EADDRINUSE):
		return "no_port"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return "no_file"
	case errors.Is(err, errFrame), errors.Is(err, errHead):
		return "protocol"
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)), errors.As(err, new(x509.CertificateInvalidError)):
		return "certificate"
	}
	return "other"
}
