package edge

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a client's connection while it is new: its PROXY header has to be read
// and the slot of its TLS handshake given back. It is counted until it is closed.
type Conn struct {
	*net.TCPConn
	slot
	l      *Listener
	behind bool                  // a PROXY header comes first
	place  atomic.Pointer[Place] // nil once it is closed, or detached
	once   sync.Once             // for reading the header
	remote net.Addr              // set by once
	early  []byte                // has been read already
	due    time.Time             // of the first header, which has begun; zero: it has not
}

// Detach gives the connection away without what it needed while it was new. The
// new owner calls closed when it has closed it. Nothing else is called on the
// Conn from then on. It is nil while some of what has been read already is left.
func (c *Conn) Detach() (tcp *net.TCPConn, closed func()) {
	if len(c.early) > 0 {
		return nil, nil
	}
	p := c.place.Swap(nil)
	if p == nil {
		return c.TCPConn, nil // it is closed already
	}
	return c.TCPConn, p.leaver()
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.leave()
	if p := c.place.Swap(nil); p != nil {
		p.Leave()
	}
	return c.TCPConn.Close()
}

// abort closes the connection without a word, which leaves nothing of it in the
// kernel either.
func (c *Conn) abort() {
	_ = c.SetLinger(0) // it is closed all the same
	_ = c.Close()      // it was not wanted
}

// RemoteAddr implements net.Conn: the client's address, as the PROXY header of a
// proxy has it. The first call waits for that header. net/http begins with it,
// in the goroutine of the connection, before TLS.
func (c *Conn) RemoteAddr() net.Addr {
	if !c.behind {
		return c.TCPConn.RemoteAddr()
	}
	c.once.Do(c.readHeader)
	return c.remote
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.behind {
		c.once.Do(c.readHeader)
	}
	return c.take(p)
}

func (c *Conn) take(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.TCPConn.Read(p)
	}
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n, nil
}

// SetReadDeadline implements net.Conn. The first one is for a header, of which
// some may have come at a door.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if !c.due.IsZero() && t.After(c.due) {
		t = c.due
	}
	c.due = time.Time{}
	return c.TCPConn.SetReadDeadline(t)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	c.leave()
	return c.TCPConn.Write(p)
}

// readHeader learns who the client is, and has it counted as such instead of as
// the proxy. Where something is wrong the connection is closed, which is what
// the next reader finds.
func (c *Conn) readHeader() {
	c.remote = c.TCPConn.RemoteAddr()
	h, err := c.header()
	if err != nil {
		c.l.m.refused.WithLabelValues(string(headerVerdict(err))).Inc()
		c.abort()
		return
	}
	if !h.Source.IsValid() {
		return // the proxy speaks for itself
	}
	c.remote = net.TCPAddrFromAddrPort(h.Source)
	if c.l.exempt(h.Source.Addr()) {
		return
	}
	if v := c.l.table.move(&c.place, h.Source.Addr()); v != Welcome {
		c.l.m.refused.WithLabelValues(string(v)).Inc()
		c.abort()
	}
}

// header reads exactly the header's bytes: what follows is the client's, and the
// connection needs no buffer for it.
func (c *Conn) header() (Header, error) {
	deadline := time.Now().Add(c.l.cfg.HeaderTimeout)
	if err := c.SetReadDeadline(deadline); err != nil {
		return Header{}, err
	}
	buf := make([]byte, 0, 64)
	for {
		h, need, err := ParseHeader(buf, c.l.cfg.ProxyHeaderBytes)
		if need == 0 || err != nil {
			if err == nil {
				err = c.SetReadDeadline(time.Time{})
			}
			return h, err
		}
		have := len(buf)
		buf = append(buf, make([]byte, need)...)
		if _, err := io.ReadFull(reader{c}, buf[have:]); err != nil {
			return Header{}, err
		}
	}
}

// reader reads a Conn while its PROXY header is being read.
type reader struct{ c *Conn }

func (r reader) Read(p []byte) (int, error) { return r.c.take(p) }

// slotOf finds the slot of a connection below what others have put around it.
func slotOf(c net.Conn) *slot {
	for {
		switch at := c.(type) {
		case interface{ itself() *slot }:
			return at.itself()
		case interface{ NetConn() net.Conn }:
			c = at.NetConn()
		default:
			return nil
		}
	}
}
