package transport

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// seat is what it takes to read a WebSocket: a connection of the WebSocket
// library, its buffer, and the guard. None of them remembers anything between
// messages, so an idle link has none: this saves 5 KB for each, or 600 bytes
// when only the buffer is lent. A link sits down when there is something to
// read and rises when it has been read empty.
//
// A seat is the net.Conn below the library, on behalf of the link that has it.
type seat struct {
	link  *link // nil while in the pool
	ws    wsConn
	br    *bufio.Reader
	guard guard
}

var (
	seats     = &sync.Pool{New: func() any { return newSeat(&upgrader) }}
	deflating = &sync.Pool{New: func() any { return newSeat(&inflater) }}
	// readers are the buffers of seats that were given up.
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, feedSize) }}
)

// pool is where the seats of a link are.
func (l *link) pool() *sync.Pool {
	if l.deflate {
		return deflating
	}
	return seats
}

// sit gives the reader a seat: the one it could not leave, or any.
func (l *link) sit() *seat {
	if t := l.seat; t != nil {
		return t
	}
	l.seat = l.pool().Get().(*seat)
	l.seat.receive(l)
	return l.seat
}

// receive makes the seat that of a link.
func (t *seat) receive(l *link) {
	t.link = l
	t.br.Reset(t)
	t.guard = guard{limits: &l.s.srv.guardLimits, counted: l.counted}
	t.ws.SetReadLimit(int64(l.s.srv.cfg.MaxPayload))
}

// rise gives the seat back, unless something is left in it that belongs to the
// link, as may be when the reader cannot tell whether more is there.
func (l *link) rise() {
	t := l.seat
	if !t.empty() {
		return
	}
	l.counted = t.guard.counted
	l.seat, t.link = nil, nil
	l.pool().Put(t)
}

// empty tells whether nothing of a message is left in the seat.
func (t *seat) empty() bool { return t.br.Buffered() == 0 && t.guard.between() }

// spoil gives the seat up: the library keeps its first error for ever.
func (l *link) spoil() {
	t := l.seat
	l.seat = nil
	t.br.Reset(nil)
	readers.Put(t.br)
}

// more tells whether a message, or the beginning of one, is there.
func (t *seat) more(again bool) (bool, error) {
	if t.br.Buffered() > 0 {
		return true, nil
	}
	in := t.link.in()
	if in == nil {
		return !again, nil
	}
	in.hurry(true)
	_, err := t.br.Peek(1)
	in.hurry(false)
	if errors.Is(err, errAgain) {
		return false, nil
	}
	return err == nil, err
}

// Read implements net.Conn. What has come is never told together with an error,
// which the library would keep: it is told the next time.
func (t *seat) Read(p []byte) (int, error) {
	n, err := t.link.conn.Read(p)
	if n == 0 {
		return 0, err
	}
	if err = t.guard.observe(p[:n], t.link.s.srv); err != nil {
		return 0, err
	}
	return n, nil
}

// Write implements net.Conn. The library writes whole control frames, which keep
// their place among ours; and an answer while the seat is being made.
func (t *seat) Write(p []byte) (int, error) {
	l := t.link
	switch {
	case l == nil:
	case p[0] == opClose:
		l.shut(bytes.Clone(p))
	default:
		l.put(bytes.Clone(p), false)
	}
	return len(p), nil
}

// Close implements net.Conn.
func (t *seat) Close() error {
	if t.link != nil {
		t.link.kill()
	}
	return nil
}

// The rest of net.Conn is of no use here: reading is ended by closing, and
// writing does not wait.
func (*seat) LocalAddr() net.Addr              { return nil }
func (*seat) RemoteAddr() net.Addr             { return nil }
func (*seat) SetDeadline(time.Time) error      { return nil }
func (*seat) SetReadDeadline(time.Time) error  { return nil }
func (*seat) SetWriteDeadline(time.Time) error { return nil }
