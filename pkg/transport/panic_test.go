package transport

import "testing"

// A Receiver that panics ends its own session, and nobody else's.
func TestAPanicEndsOneSession(t *testing.T) {
	w := newWorld(t)
	bad := func(c *client) {
		c.onEach = func(c *client, data []byte, _ bool) {
			if string(data) == "boom" {
				c.mu.Lock()
				c.inside--
				c.mu.Unlock()
				panic("boom")
			}
		}
	}
	well, other := w.websocket(4)
	p, c := w.websocket(4)
	bad(c)
	p.say("4boom")
	p.say("4more")
	c.wantsClosed(ReasonInternal)
	c.wants("boom")

	sid, polling := w.poll(4)
	bad(polling)
	polling.onClose = func(*client) { panic("again") }
	w.ask("POST", sid, "4boom\x1e4more")
	polling.wantsClosed(ReasonInternal)
	polling.wants("boom")

	well.say("4hello")
	other.wants("hello")
}
