package transport

import (
	"strings"
	"testing"
)

func TestPollingConversation(t *testing.T) {
	w := newWorld(t)
	r := w.ask("GET", "?EIO=4&transport=polling", "")
	c := w.next()
	r.wants(t, 200, `0{"sid":"`+c.s.SID()+`","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`)
	if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
		t.Errorf("content type %q", got)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("cache control %q", got)
	}
	q := "?EIO=4&transport=polling&sid=" + c.s.SID()
	r = w.ask("POST", q, "4hello\x1ebAQID\x1e4\xe2\x82\xac")
	r.wants(t, 200, "ok")
	if got := r.header.Get("Content-Type"); got != "text/html" {
		t.Errorf("content type of ok: %q", got)
	}
	c.wants("hello", "b010203", "€")

	c.s.Send(NewFrame([]byte("one")))
	c.s.Send(NewFrame([]byte("two"), []byte{1, 2, 3}))
	w.ask("GET", q, "").wants(t, 200, "4one\x1e4two\x1ebAQID")

	waiting := w.get(q)
	c.waiting()
	c.s.Send(NewBinaryFrame([]byte{255}))
	w.take(waiting).wants(t, 200, "b/w==")
	if !strings.HasPrefix(c.s.RemoteAddr(), "127.0.0.1:") {
		t.Errorf("remote address %q", c.s.RemoteAddr())
	}
}

func TestWebSocketConversation(t *testing.T) {
	w := newWorld(t)
	p := w.dial("?EIO=4&transport=websocket")
	c := w.next()
	p.wants(`0{"sid":"` + c.s.SID() + `","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`)
	p.say("4hello")
	p.sayBinary(1, 2, 3)
	c.wants("hello", "b010203")
	c.s.Send(NewFrame([]byte("one"), []byte{1}, []byte{2}))
	c.s.Send(NewBinaryFrame([]byte{255}))
	p.wants("4one", "b01", "b02", "bff")
	c.s.Close(ReasonKicked)
	p.wantsClose(1005)
	c.wantsClosed(ReasonKicked)
	if err := c.s.Send(pongFrame); err != ErrClosed {
		t.Errorf("Send after Close: %v", err)
	}
}
