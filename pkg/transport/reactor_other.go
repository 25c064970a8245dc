//go:build !linux || !(amd64 || arm64)

package transport

import (
	"errors"
	"net"
	"syscall"
)

// reactor does not exist here: each connection has a goroutine that reads.
type reactor struct{}

func newReactor() (*reactor, error) { return nil, errors.ErrUnsupported }

func (*reactor) run()   {}
func (*reactor) close() {}

func (*reactor) detach(*net.TCPConn, func()) (*polled, error) { return nil, errors.ErrUnsupported }

func (*reactor) adopt(int, func()) (*polled, error) { return nil, errors.ErrUnsupported }

// polled does not exist here.
type polled struct {
	*net.TCPConn
	fd int
}

func (*polled) start(*link)              {}
func (*polled) hurry(bool)               {}
func (*polled) await() error             { return errors.ErrUnsupported }
func (*polled) release()                 {}
func (*polled) rawConn() syscall.RawConn { return nil }
