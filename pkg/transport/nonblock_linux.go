//go:build linux && (amd64 || arm64)

package transport

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// noDescriptor stands for a connection that cannot be used without blocking.
const noDescriptor = -1

// descriptorOf is the descriptor of a TCP connection. It is valid until the
// connection is closed; who uses it must know that it is not being closed.
func descriptorOf(c *net.TCPConn) int {
	fd := noDescriptor
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(d uintptr) { fd = int(d) })
	}
	return fd
}

// writeNow writes what the kernel takes at once, which may be nothing: n below
// len(p) without an error means that its buffer is full. The call is made
// without telling the scheduler: it never waits, and telling costs more than a
// tenth of a small write.
func writeNow(fd int, p []byte) (n int, err error) {
	for n < len(p) {
		m, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(&p[n])), uintptr(len(p)-n),
			syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			n += int(m)
			if n < len(p) {
				return n, nil // the rest would be refused: save the call
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			return n, nil
		default:
			return n, errno
		}
	}
	return n, nil
}

// readNow reads what is there. errAgain means nothing, io.EOF that the peer has
// ended.
func readNow(fd int, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
			syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, errAgain
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}
