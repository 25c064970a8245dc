//go:build !linux || !(amd64 || arm64)

package transport

import (
	"errors"
	"net"
	"time"
)

// reactor does not exist here: each connection has a goroutine that reads.
type reactor struct{}

func newReactor() (*reactor, error) { return nil, errors.ErrUnsupported }

func (*reactor) run()   {}
func (*reactor) close() {}

func (*reactor) detach(*link, *net.TCPConn, func()) (*polled, error) {
	return nil, errors.ErrUnsupported
}

func (*reactor) adopt(*link, int, func()) (*polled, error) { return nil, errors.ErrUnsupported }

// polled does not exist here.
type polled struct {
	*net.TCPConn
	fd int32
}

func (*polled) start()                                        {}
func (*polled) hurry(bool)                                    {}
func (*polled) await() error                                  { return errors.ErrUnsupported }
func (*polled) release()                                      {}
func (*polled) untilRoom(time.Time, func(uintptr) bool) error { return errors.ErrUnsupported }
