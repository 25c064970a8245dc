//go:build !linux

package swarm

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

var errSystem = errors.New("swarm: the clients need Linux: they stand on epoll")

// Supported tells why there can be no clients here; nil means that there can.
func Supported() error { return errSystem }

func monotonic() int64 { return time.Now().UnixNano() }

const (
	forNothing = 0
	forReading = 1
	forBoth    = 3
)

type poller struct{}

func newPoller() (*poller, error)                { return nil, errSystem }
func (*poller) close()                           {}
func (*poller) wake()                            {}
func (*poller) add(int, uint32, uint32) error    { return errSystem }
func (*poller) change(int, uint32, uint32) error { return errSystem }
func (*poller) wait(time.Duration, func(tag uint32, readable, writable bool)) error {
	return errSystem
}

func prepare(int, bool, bool) error    { return errSystem }
func detach(*net.TCPConn) (int, error) { return -1, errSystem }

func dial(netip.Addr, netip.AddrPort, bool) (int, error) { return -1, errSystem }
func dialled(int) error                                  { return errSystem }
func readNow(int, []byte) (int, error)                   { return 0, errSystem }
func writeNow(int, []byte) (int, error)                  { return 0, errSystem }
func finish(int)                                         {}
func hangUp(int, bool)                                   {}
func reasonOf(error) string                              { return "other" }
