//go:build !linux

package edge

import (
	"net"
	"net/http"
)

// Upgrades is without effect here: all requests go through net/http.
func (l *Listener) Upgrades(http.Handler) {}

// door does not exist here.
type door struct{}

func (*door) next() (net.Conn, error) { return nil, net.ErrClosed }
func (*door) close()                  {}
