package transport

import "net"

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
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil
	}
	return &wire{carrier: tcp}, nil
}
