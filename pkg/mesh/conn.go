package mesh

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// chunks is the stream of a tunnel as its callee sees it.
type chunks interface {
	Send(*meshv1.Chunk) error
	Recv() (*meshv1.Chunk, error)
}

// conn is the client's connection at the callee's end of a tunnel: a net.Conn
// with deadlines. It has no file descriptor, and bytes that are written are
// plain, whatever the client speaks to the caller.
//
// Two goroutines may work for it: receive, for as long as the stream lasts, and
// flush, only while there is something to send. An idle conn holds no buffer
// above smallBuffer.
//
//	open --Close--> closing (unsent bytes leave) --sent, or linger--> over
//	open, closing --stream broken, abort--> over
type conn struct {
	stream chunks
	local  net.Addr
	remote net.Addr      // guarded by mu until the handler is called
	max    int           // bytes of out
	linger time.Duration // for unsent bytes after Close
	spawn  func(func())  // starts flush; whoever owns the stream waits for it
	over   chan struct{} // closed when nothing is left to do

	writing sync.Mutex // one Write at a time, so that theirs do not mix; before mu

	mu       sync.Mutex // guards all below
	readable sync.Cond  // in, inErr, deadlines; also: room in in
	writable sync.Cond  // room in out, or no more
	in       []byte     // received and not read
	inErr    error      // after in: io.EOF or reset
	out      []byte     // written and not sent
	spare    []byte     // an empty buffer to become out
	outErr   error      // why nothing can be sent any more
	flushing bool       // flush runs
	closed   bool       // Close was called
	ended    bool       // over is closed
	rdl, wdl deadline
	lingerer *time.Timer
}

const (
	smallBuffer = 2 << 10
	// maxChunk leaves room for the message around it: gRPC takes buffers of
	// 32 KiB for what fits into them, and of 1 MiB for what does not.
	maxChunk = 32<<10 - 64
)

func newConn(stream chunks, cfg *Config, spawn func(func())) *conn {
	c := &conn{
		stream: stream,
		local:  addr("mesh"),
		remote: addr(""),
		max:    cfg.TunnelBuffer,
		linger: cfg.TunnelLinger,
		spawn:  spawn,
		over:   make(chan struct{}),
	}
	c.readable.L, c.writable.L = &c.mu, &c.mu
	return c
}

// Read implements net.Conn. io.EOF: the client will send nothing more.
func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.failure("read", net.ErrClosed)
		case c.rdl.passed:
			return 0, c.failure("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case len(c.in) > 0:
			n := copy(b, c.in)
			if c.in = c.in[n:]; len(c.in) == 0 {
				c.in = nil
				c.readable.Broadcast() // receive may go on
			}
			return n, nil
		case c.inErr != nil:
			return 0, c.inErr
		}
		c.readable.Wait()
	}
}

// Write implements net.Conn. It returns when b has been taken over, which is
// before it has been sent, and waits while TunnelBuffer bytes are unsent.
func (c *conn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return n, c.failure("write", net.ErrClosed)
		case c.outErr != nil:
			return n, c.outErr
		case c.wdl.passed:
			return n, c.failure("write", os.ErrDeadlineExceeded)
		case n == len(b):
			return n, nil
		}
		if room := c.max - len(c.out); room > 0 {
			take := min(room, len(b)-n)
			if c.out == nil {
				c.out, c.spare = c.spare, nil
			}
			c.out = append(c.out, b[n:n+take]...)
			n += take
			c.flushLocked()
			if n == len(b) {
				return n, nil
			}
			continue
		}
		c.writable.Wait()
	}
}

// flushLocked sees to it that what is in out gets sent.
func (c *conn) flushLocked() {
	if !c.flushing {
		c.flushing = true
		c.spawn(c.flush)
	}
}

// flush sends until there is nothing to send.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 && c.outErr == nil {
		data := c.out
		c.out = nil
		c.writable.Broadcast()
		c.mu.Unlock()
		err := c.sendAll(data)
		c.mu.Lock()
		if err != nil {
			c.failLocked()
			break
		}
		// Large buffers are kept only while more is waiting.
		if c.spare == nil && (cap(data) <= smallBuffer || len(c.out) > 0) {
			c.spare = data[:0]
		}
	}
	if cap(c.spare) > smallBuffer {
		c.spare = nil
	}
	c.flushing = false
	if c.closed {
		c.endLocked()
	}
}

func (c *conn) sendAll(data []byte) error {
	for len(data) > 0 {
		n := min(len(data), maxChunk)
		if err := c.stream.Send(&meshv1.Chunk{Data: data[:n]}); err != nil { // copies
			return err
		}
		data = data[n:]
	}
	return nil
}

// receive takes chunks from the stream until it ends, one at a time: the next
// is taken when the one before has been read. It ends with the stream.
func (c *conn) receive() {
	for {
		chunk, err := c.stream.Recv()
		if errors.Is(err, io.EOF) {
			c.mu.Lock()
			if c.inErr == nil {
				c.inErr = io.EOF
			}
			c.readable.Broadcast()
			c.mu.Unlock()
			return
		}
		if err != nil {
			c.abort()
			return
		}
		if !c.put(chunk.GetData()) {
			return
		}
	}
}

// put makes data readable and waits until it has been read; false when nobody
// will read it.
func (c *conn) put(data []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(data) > 0 && !c.closed {
		c.in = data
		c.readable.Broadcast()
	}
	for len(c.in) > 0 && !c.closed && !c.ended {
		c.readable.Wait()
	}
	return !c.ended // closed: what still comes is read away until the stream ends
}

// Close implements net.Conn. It does not wait: what was written leaves within
// TunnelLinger, then the tunnel ends.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.failure("close", net.ErrClosed)
	}
	c.closed = true
	c.in = nil
	c.rdl.stop()
	c.wdl.stop()
	c.readable.Broadcast()
	c.writable.Broadcast()
	switch {
	case !c.flushing:
		c.endLocked()
	case !c.ended:
		c.lingerer = time.AfterFunc(c.linger, c.abort)
	}
	return nil
}

// abort ends the conn at once: the stream is broken, or is to be.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked()
}

// failLocked makes all that follows fail as if the client had reset.
func (c *conn) failLocked() {
	if c.inErr == nil {
		c.inErr = c.failure("read", syscall.ECONNRESET)
	}
	if c.outErr == nil {
		c.outErr = c.failure("write", syscall.ECONNRESET)
	}
	c.out, c.spare = nil, nil
	c.endLocked()
}

func (c *conn) endLocked() {
	if c.ended {
		return
	}
	c.ended = true
	if c.lingerer != nil {
		c.lingerer.Stop()
	}
	close(c.over)
	c.readable.Broadcast()
	c.writable.Broadcast()
}

// failure gives err the form of the net package's errors.
func (c *conn) failure(op string, err error) error {
	return &net.OpError{Op: op, Net: "mesh", Source: c.local, Addr: c.remote, Err: err}
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn: the address of the client.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.rdl, &c.readable, t) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.wdl, &c.writable, t) }

func (c *conn) setDeadline(d *deadline, waiting *sync.Cond, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.failure("set", net.ErrClosed)
	}
	d.setLocked(t, waiting)
	return nil
}

// addr is the address of an end that is not TCP, or that did not parse as such.
type addr string

func (addr) Network() string  { return "mesh" }
func (a addr) String() string { return string(a) }
