package transport

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// feedSize is how much is read from a connection at a time, unless the reader
// asks for more.
const feedSize = 4096

var feedPool = sync.Pool{New: func() any { return new([feedSize]byte) }}

// againError says that nothing is there to read without waiting. It is
// temporary, so that crypto/tls goes on after it.
type againError struct{}

func (againError) Error() string   { return "transport: nothing to read" }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

var errAgain error = againError{}

// carrier is a TCP connection: Go's, or one that a reactor waits for.
type carrier interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

// intake reads a TCP connection for one reader, which owns it. *feed is one
// that can wait without a buffer, *polled one that a reactor waits for.
type intake interface {
	// Read waits for something to read, unless hurry was called with true: then
	// it answers errAgain.
	io.Reader
	hurry(now bool)
	// await waits until there may be something to read. In a reactor that has
	// been done.
	await() error
	// release gives buffers back, at the end.
	release()
	// untilRoom calls write until it is true or limit has come, and waits in
	// between until the kernel may take more.
	untilRoom(limit time.Time, write func(fd uintptr) bool) error
}

// feed reads a connection that Go's poller waits for, with next to nothing on
// the stack and no buffer while there is nothing to read.
type feed struct {
	counted
	raw      syscall.RawConn
	ready    func(fd uintptr) bool // f.fill, bound once
	buf      *[feedSize]byte       // nil while waiting
	err      error                 // of the last fill
	fd       int32
	from, to uint16 // what of buf has not been read yet
	now      bool   // Read must not wait
}

// newFeed is for connections that have a descriptor.
func newFeed(c counted, fd int) (*feed, error) {
	raw, err := c.SyscallConn()
	return &feed{counted: c, fd: int32(fd), raw: raw}, err
}

func (f *feed) hurry(now bool) { f.now = now }

func (f *feed) untilRoom(limit time.Time, write func(fd uintptr) bool) error {
	if err := f.SetWriteDeadline(limit); err != nil {
		return err
	}
	return f.raw.Write(write)
}

// await waits until something has been read ahead.
func (f *feed) await() error {
	if f.from < f.to {
		return nil
	}
	if f.ready == nil {
		f.ready = f.fill
	}
	if err := f.raw.Read(f.ready); err != nil {
		return err
	}
	return f.err
}

// fill is called by the runtime when the descriptor may be readable, with the
// connection held against being closed. False means wait (again).
func (f *feed) fill(uintptr) bool {
	if f.buf == nil {
		f.buf = feedPool.Get().(*[feedSize]byte)
	}
	n, err := readNow(int(f.fd), f.buf[:])
	f.to, f.err = uint16(n), err
	if n == 0 {
		f.release()
	}
	return !errors.Is(err, errAgain)
}

// Read gives what was read ahead, and then waits for more, or answers errAgain
// when it must not.
func (f *feed) Read(p []byte) (int, error) {
	if f.from == f.to {
		if f.now {
			return 0, errAgain
		}
		return f.TCPConn.Read(p)
	}
	n := copy(p, f.buf[f.from:f.to])
	if f.from += uint16(n); f.from == f.to {
		f.release()
	}
	return n, nil
}

func (f *feed) release() {
	f.from, f.to = 0, 0
	if f.buf != nil {
		feedPool.Put(f.buf)
		f.buf = nil
	}
}
