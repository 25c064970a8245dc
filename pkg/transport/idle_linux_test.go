//go:build linux && (amd64 || arm64)

package transport

import (
	"bytes"
	"crypto/tls"
	"io"
	"testing"
)

// With a new version of Go this may have to be looked at: what is saved is half
// of an idle connection over TLS.
func TestAnIdleTLSConnectionHasNoBuffers(t *testing.T) {
	if !canSlim {
		t.Fatal("crypto/tls has other fields")
	}
	w := newWorld(t, overTLSWire())
	p, c := w.websocket(4)
	l := c.s.link.Load()
	own, ok := l.in().(*polled)
	if !ok {
		t.Skip("it cannot be seen when a goroutine is done with reading")
	}
	conn := l.conn.(*tls.Conn)
	for _, text := range []string{"short", string(repeat("long", 50_000))} {
		p.say("4" + text)
		c.until("the message", func() bool { return len(c.got) > 0 && c.got[len(c.got)-1] == text })
		kept := -1
		eventually(t, "an idle connection", func() bool {
			own.mu.Lock() // so that it is not woken meanwhile
			defer own.mu.Unlock()
			if own.reading {
				return false
			}
			kept = tlsAt[bytes.Buffer](conn, tlsRaw).Cap() + tlsAt[bytes.Buffer](conn, tlsHand).Cap()
			return true
		})
		if kept != 0 {
			t.Errorf("%d bytes are kept", kept)
		}
	}
}

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
