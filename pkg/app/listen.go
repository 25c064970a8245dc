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
func listen(ctx context.Context, address string) ([]net.Listener, error) {
	var lc net.ListenConfig
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "localhost" {
		l, err := lc.Listen(ctx, "tcp", address)
		return []net.Listener{l}, err
	}
	four, err := lc.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	if port == "0" { // the same free port for both
		_, port, _ = net.SplitHostPort(four.Addr().String()) // an address of net's own making
	}
	six, err := lc.Listen(ctx, "tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return []net.Listener{four}, nil
	}
	return nil, errors.Join(err, four.Close())
}
