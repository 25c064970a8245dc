package swarm

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// secure is the TLS of a client. The handshake is made by a goroutine of its
// own, in the ordinary blocking way; after it the loop has the descriptor, and
// crypto/tls reads and writes through link without ever waiting.
type secure struct {
	conn *tls.Conn
	link *link
}

// link is what crypto/tls takes for the connection.
type link struct {
	net.Conn // during the handshake
	loop     *loop
	fd       int // of the loop, once there is one
}

// again means that nothing is there to be read: crypto/tls goes on after errors
// that say that they are temporary.
type again struct{}

func (again) Error() string   { return "swarm: nothing to read" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

func (k *link) Read(p []byte) (int, error) {
	if k.fd < 0 {
		return k.Conn.Read(p)
	}
	n, err := readNow(k.fd, p)
	if err == nil && n == 0 {
		err = again{}
	}
	return n, err
}

// Write keeps what crypto/tls made for the loop to write.
func (k *link) Write(p []byte) (int, error) {
	if k.fd < 0 {
		return k.Conn.Write(p)
	}
	k.loop.sealed = append(k.loop.sealed, p...)
	return len(p), nil
}

// SetWriteDeadline has nothing to bound once nothing waits.
func (k *link) SetWriteDeadline(t time.Time) error {
	if k.fd < 0 {
		return k.Conn.SetWriteDeadline(t)
	}
	return nil
}

// read reads what is decrypted of a client that has TLS, or what is there.
func (c *client) read(p []byte) (int, error) {
	if c.tls == nil {
		return readNow(int(c.fd), p)
	}
	n, err := c.tls.conn.Read(p)
	switch {
	case errors.As(err, &again{}):
		return n, nil
	case errors.Is(err, io.EOF):
		return n, errEnd
	}
	return n, err
}

// seal encrypts what the client at hand is about to write.
func (l *loop) seal(c *client) {
	if c.tls == nil {
		return
	}
	if len(l.out) > 0 {
		_, _ = c.tls.conn.Write(l.out) // link takes everything
	}
	l.out, l.sealed = l.sealed, l.out[:0]
}

// dialSecure begins a connection with TLS.
func (l *loop) dialSecure(c *client, source netip.Addr, server netip.AddrPort) {
	small := c.slow
	l.handshakes.Go(func() {
		ctx, cancel := context.WithTimeout(l.running, l.cfg.ConnectTimeout)
		defer cancel()
		s, err := handshake(ctx, l, source, server, small)
		taken := l.post(func() { l.secured(c, s, err) })
		if !taken && err == nil {
			hangUp(s.link.fd, true)
		}
	})
}

func handshake(ctx context.Context, l *loop, source netip.Addr, server netip.AddrPort, small bool) (*secure, error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		controlled := raw.Control(func(fd uintptr) { err = prepare(int(fd), source.IsValid(), small) })
		return errors.Join(controlled, err)
	}}
	if source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
	}
	conn, err := d.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // the loop has a descriptor of its own
	s := &secure{link: &link{Conn: conn, loop: l, fd: -1}}
	s.conn = tls.Client(s.link, l.cfg.TLS)
	if err := s.conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	s.link.fd, err = detach(conn.(*net.TCPConn))
	s.link.Conn = nil
	return s, err
}

// secured takes a connection whose handshake is over.
func (l *loop) secured(c *client, s *secure, err error) {
	if err == nil {
		c.fd, c.tls = int32(s.link.fd), s
		err = l.poll.add(s.link.fd, c.index, forReading)
	}
	if err != nil {
		l.end(c, reasonOf(err))
		return
	}
	c.state = upgrading
	l.out = appendHandshake(l.out, l.cfg.Host, l.cfg.Path)
	l.flush(c)
}
