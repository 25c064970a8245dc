package transport

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
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
		fmt.Fprint(conn, strings.Replace(handshakeText, "EIO=4", "EIO=3", 1))
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

// A WebSocket that wants to take over may ask as often as it likes whether it is
// heard, as with the reference; not reading the answers ends it, and it alone.
func TestWhoProbesAndReadsNothingIsRejected(t *testing.T) {
	w := newWorld(t, config(tight), config(func(c *Config) { c.UpgradeTimeout = 2 * patience }))
	query, c := w.poll(4)
	conn := w.dialRaw()
	query = strings.Replace(query, "polling", "websocket", 1)
	fmt.Fprint(conn, strings.Replace(handshakeText, "?EIO=4&transport=websocket", query, 1))
	trial := func() (l *link) {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if t := c.s.phaseLocked().trial; t != nil {
			l = t.link
		}
		return l
	}
	eventually(t, "a trial", func() bool { return trial() != nil })
	probes := bytes.Repeat(masked(0x81, "2probe"), 1000)
	go func() {
		for range 5000 { // 40 MB of answers, which no kernel keeps
			if _, err := conn.Write(probes); err != nil {
				return
			}
		}
	}()
	for l := trial(); l != nil; l = trial() {
		if n := l.pending(); n > 2*w.v.cfg.BacklogBytes {
			t.Fatalf("%d bytes wait", n)
		}
		time.Sleep(time.Millisecond)
	}
	c.isOpen()
}
