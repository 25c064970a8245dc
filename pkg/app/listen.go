package app

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// listen opens the TCP listeners of an address. Where the host is localhost
// these are both loopbacks, as what browsers and Node.js make of that name
// differs; a machine without IPv6 has one.
func listen(ctx context.Context, address string) ([]*net.TCPListener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "localhost" {
		l, err := listenTCP(ctx, "tcp", address)
		return []*net.TCPListener{l}, err
	}
	four, err := listenTCP(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	if port == "0" { // the same free port for both
		_, port, _ = net.SplitHostPort(four.Addr().String()) // an address of net's own making
	}
	six, err := listenTCP(ctx, "tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []*net.TCPListener{four, six}, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return []*net.TCPListener{four}, nil
	}
	return nil, errors.Join(err, four.Close())
}

func listenTCP(ctx context.Context, network, address string) (*net.TCPListener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil // what these networks have
}
