//go:build linux && (amd64 || arm64)

package transport

import (
	"io"
	"testing"
)

// A client that pings and says nothing else has no goroutine, and no seat.
func TestWhoPingsIsIdleAgain(t *testing.T) {
	w := newWorld(t)
	conn, c := rawWebSocket(w)
	for range 3 {
		conn.Write(masked(0x89, "hey"))
		got := make([]byte, 5)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\x8a\x03hey" {
			t.Fatalf("answer %q %v", got, err)
		}
		own, ok := c.s.link.Load().conn.(*polled)
		if !ok {
			t.Skip("a goroutine reads each connection")
		}
		eventually(t, "an idle connection", own.isIdle)
	}
}

// isIdle tells that nobody serves the connection.
func (x *polled) isIdle() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.reading
}
