package transport

import (
	"errors"
	"net"
)

// Listen wraps a listener so that sessions over TLS can be written to without
// blocking: put it below TLS (give it to http.Server.ServeTLS, or to
// tls.NewListener). Without it each TLS session is written by a goroutine while
// something waits, which works, at a price. Plain connections do not need it,
// but may come through it.
func Listen(inner net.Listener) net.Listener { return listener{inner} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Below(conn), nil
}

// Below is what Listen makes of one connection.
func Below(conn net.Conn) net.Conn {
	switch c := conn.(type) {
	case *net.TCPConn:
		return &wire{carrier: c}
	case newcomer:
		return &wire{carrier: c}
	}
	return conn
}

// newcomer is a TCP connection with more around it that is needed while it is
// new. Detach gives away what remains: the connection itself, and what to call
// when it has been closed; nil for nothing. The newcomer is not used any more,
// unless there is no connection: then it stays what it is.
type newcomer interface {
	carrier
	Detach() (tcp *net.TCPConn, closed func())
}

// giver is a connection that is nothing but a descriptor, or an answer over one.
// It does not block and is watched by nobody. TakeSocket gives it away, and what
// to call when it has been closed; -1 when it is gone.
type giver interface {
	TakeSocket() (fd int, closed func())
}

// detached is the TCP connection of conn, nil when that is something else.
func detached(conn net.Conn) (tcp *net.TCPConn, closed func()) {
	switch c := conn.(type) {
	case *net.TCPConn:
		return c, nil
	case newcomer:
		return c.Detach()
	}
	return nil, nil
}

// counted is a TCP connection whose end somebody may wait for.
type counted struct {
	*net.TCPConn
	closed func() // nil: nobody
}

// Close implements net.Conn.
func (c *counted) Close() error {
	err := c.TCPConn.Close()
	if c.closed != nil && !errors.Is(err, net.ErrClosed) {
		c.closed() // once: who comes later finds it closed
	}
	return err
}
