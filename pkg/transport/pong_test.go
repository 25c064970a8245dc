package transport

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// pingOf is a ping of generation 3 that wants so much back.
func pingOf(bytes int) string { return "2" + string(repeat("x", bytes)) }

// tight is a small backlog for small kernel buffers.
func tight(c *Config) {
	small(c)
	c.BacklogBytes = 64 << 10
	c.WriteTimeout = 2 * patience // does not end it
}

// What clients of generation 3 want back in their pongs waits within the same
// bound as everything else.
func TestWhoPingsAndReadsNothingIsSlow(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		w := newWorld(t, config(tight))
		conn := w.dialRaw()
		fmt.Fprint(conn, "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
			"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		c := w.next()
		ping := masked(0x81, pingOf(30_000))
		go func() {
			for range 2000 { // 60 MB, which no kernel keeps
				if _, err := conn.Write(ping); err != nil {
					return
				}
			}
		}()
		for c.s.isOpen() {
			if n := c.s.Pending(); n > 2*w.v.cfg.BacklogBytes {
				t.Fatalf("%d bytes wait", n)
			}
			time.Sleep(time.Millisecond)
		}
		c.wantsClosed(ReasonSlow)
	})
	t.Run("polling", func(t *testing.T) {
		w := newWorld(t, config(tight))
		query, c := w.poll(3)
		body := ""
		for range 10 {
			body += fmt.Sprintf("%d:%s", 1+1000, pingOf(1000))
		}
		posts := 0
		for end := time.Now().Add(patience); c.s.isOpen() && time.Now().Before(end); posts++ {
			if n, most := c.s.Pending(), 2*w.v.cfg.BacklogBytes; n > most {
				t.Fatalf("%d bytes wait", n)
			}
			if r := w.ask("POST", query, body); r.status != http.StatusOK && c.s.isOpen() {
				t.Fatalf("answered %d", r.status)
			}
		}
		c.wantsClosed(ReasonSlow)
		if least := w.v.cfg.BacklogBytes / len(body); posts < least {
			t.Errorf("it ends after %d bodies", posts)
		}
	})
}

// Who takes its pongs gets them all, with the data of the pings.
func TestPongsBelowTheBoundAllCome(t *testing.T) {
	w := newWorld(t, config(tight))
	p, c := w.websocket(3)
	for range 50 {
		p.say(pingOf(30_000))
		p.wants("3" + pingOf(30_000)[1:])
	}
	c.isOpen()
}
