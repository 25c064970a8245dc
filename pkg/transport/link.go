package transport

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"sluice/pkg/engineio"
)

// link is one WebSocket: the connection, and what waits to be written to it.
// What the WebSocket library writes by itself (pongs, its close frames) comes
// here too, keeps its place among our frames and never cuts one in two.
//
// Writing is a role. Who finds it free takes it, writes without waiting and
// without a lock, and gives it back; who finds it taken leaves the frame in the
// queue, and the one in the role writes it together with the others. When the
// kernel takes no more, the role passes to a goroutine that waits and ends when
// the queue is empty.
type link struct {
	s    *Session
	conn net.Conn // what was taken over: *polled or *feed overTCP, *tls.Conn overTLS

	fd      int32 // overTCP: valid while the role is held, as Close leaves it to the holder
	kind    linkKind
	deflate bool // compression was negotiated; set before anybody else sees the link

	// Owned by the reader.
	trial   bool // wants to take over, is not the session's carrier yet
	probe   engineio.Probe
	counted controls
	seat    *seat // only while there is something to read

	mu    sync.Mutex // guards what follows
	queue *queue     // nil while nothing waits
	timer *time.Timer
	role  role
	ended bool // the last frame is in the queue: nothing may follow it
	dead  bool // the connection is closed, or will be by who has the role
	told  bool // the session knows that the queue has been emptied
}

// linkKind is how a connection is written to.
type linkKind uint8

const (
	overAny linkKind = iota // by a goroutine that may wait
	overTCP                 // on the descriptor
	overTLS                 // through crypto/tls over a wire
)

// role is who writes.
type role uint8

const (
	nobody  role = iota
	caller       // whoever sends, at this moment
	flusher      // a goroutine, until the queue is empty
)

// newLink takes a connection over. The role is taken from the start: nothing
// leaves before begin.
func newLink(s *Session, conn net.Conn) (*link, error) {
	l := &link{s: s, conn: conn, role: caller}
	if w, ok := conn.(*wire); ok {
		conn = w.carrier // plain: the wire is not needed
		l.conn = conn
	}
	if c, ok := conn.(*tls.Conn); ok {
		if w, ok := c.NetConn().(*wire); ok {
			l.shrinkBuffer(w.carrier)
			if w.takeOver(l) {
				l.kind = overTLS
			}
		}
		return l, nil
	}
	l.shrinkBuffer(conn)
	if tcp, closed := detached(conn); tcp != nil {
		own, in, fd, err := l.adopt(tcp, closed)
		l.conn = own
		if err != nil {
			own.Close() // it is not the caller's any more
			return nil, err
		}
		if in != nil {
			l.kind, l.fd = overTCP, int32(fd)
		}
	}
	return l, nil
}

// newLinkOf takes over a bare descriptor for the reactor.
func newLinkOf(s *Session, from giver) (*link, error) {
	fd, closed := from.TakeSocket()
	if fd < 0 {
		return nil, http.ErrHijacked
	}
	l := &link{s: s, kind: overTCP, fd: int32(fd), role: caller}
	x, err := s.srv.reactor.adopt(l, fd, closed)
	if err != nil {
		return nil, err
	}
	l.conn = x
	l.shrinkBuffer(x)
	return l, nil
}

// adopt takes over what remains of a connection: in reads it and fd is written
// to, in the server's reactor if there is one. in is nil where there is no
// descriptor.
func (l *link) adopt(tcp *net.TCPConn, closed func()) (conn carrier, in intake, fd int, err error) {
	if own := l.s.srv.detach(l, tcp, closed); own != nil {
		return own, own, int(own.fd), nil
	}
	own := counted{tcp, closed}
	if fd = descriptorOf(tcp); fd == noDescriptor {
		return &own, nil, fd, nil
	}
	f, err := newFeed(own, fd)
	return f, f, fd, err
}

// in reads the connection; nil overAny.
func (l *link) in() intake {
	switch l.kind {
	case overTCP:
		return l.conn.(intake)
	case overTLS:
		return l.wire().in
	}
	return nil
}

// wire is below TLS.
func (l *link) wire() *wire { return l.conn.(*tls.Conn).NetConn().(*wire) }

// shrinkBuffer bounds what the kernel keeps for a client that stalls.
func (l *link) shrinkBuffer(c net.Conn) {
	tcp, ok := c.(interface{ SetWriteBuffer(n int) error })
	if n := l.s.srv.cfg.SendBuffer; ok && n > 0 {
		tcp.SetWriteBuffer(n)
	}
}
