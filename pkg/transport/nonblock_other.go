//go:build !linux || !(amd64 || arm64)

package transport

import (
	"errors"
	"net"
)

// noDescriptor stands for a connection that cannot be used without blocking.
const noDescriptor = -1

// descriptorOf has no answer here: each connection is written by a goroutine
// that lives while something waits.
func descriptorOf(*net.TCPConn) int { return noDescriptor }

func writeNow(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

func readNow(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
