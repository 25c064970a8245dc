package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPollingConversation(t *testing.T) {
	w := newWorld(t)
	r := w.ask("GET", "?EIO=4&transport=polling", "")
	c := w.next()
	r.wants(t, 200, `0{"sid":"`+c.s.SID()+`","upgrades":["websocket"],"pingInterval":600000,"pingTimeout":20000,"maxPayload":1000000}`)
	if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
		t.Errorf("content type %q", got)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("cache control %q", got)
	}
	if len(r.header.Values("Set-Cookie")) > 0 {
		t.Error("a cookie is set")
	}
	q := "?EIO=4&transport=polling&sid=" + c.s.SID()
	r = w.ask("POST", q, "4hello\x1ebAQID\x1e4\xe2\x82\xac\x1e3\x1e6")
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
	if c.s.RemoteAddr().String() != "127.0.0.1" || c.s.Transport() != "polling" || c.s.Protocol() != 4 {
		t.Errorf("session is %s %s %d", c.s.RemoteAddr(), c.s.Transport(), c.s.Protocol())
	}
}

func TestPollingConversationV3(t *testing.T) {
	w := newWorld(t, clients(func(c *client) {
		c.onOpen = func(c *client) { c.s.Send(NewFrame([]byte("0"))) }
	}))
	r := w.ask("GET", "?EIO=3&transport=polling", "")
	c := w.next()
	open := `0{"sid":"` + c.s.SID() + `","upgrades":["websocket"],"pingInterval":600000,"pingTimeout":20000,"maxPayload":1000000}`
	r.wants(t, 200, fmt.Sprintf("%d:%s", len(open), open))
	q := "?EIO=3&transport=polling&sid=" + c.s.SID()
	w.ask("GET", q, "").wants(t, 200, "2:40")
	w.ask("POST", q, "6:4hello2:4€3:4😀6:b4AQID").wants(t, 200, "ok")
	c.wants("hello", "€", "😀", "b010203")
	w.ask("POST", q, "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", "Content-Type", "application/octet-stream").wants(t, 200, "ok")
	c.wants("hello", "€", "😀", "b010203", "hello", "b01020304")

	c.s.Send(NewFrame([]byte("€")))
	c.s.Send(NewFrame([]byte("😀")))
	r = w.ask("GET", q, "")
	r.wants(t, 200, "2:4€3:4😀")
	if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
		t.Errorf("content type %q", got)
	}
	binary := NewFrame([]byte("hello"), []byte{1, 2, 3, 4})
	c.s.Send(binary)
	r = w.ask("GET", q, "")
	r.wants(t, 200, "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04")
	if got := r.header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("content type %q", got)
	}
	c.s.Send(binary)
	w.ask("GET", q+"&b64=1", "").wants(t, 200, "6:4hello10:b4AQIDBA==")
	// The client pings, and any data is echoed.
	w.ask("POST", q, "1:2").wants(t, 200, "ok")
	w.ask("GET", q, "").wants(t, 200, "1:3")
	w.ask("POST", q, "6:2hello").wants(t, 200, "ok")
	w.ask("GET", q, "").wants(t, 200, "6:3hello")
	c.isOpen()
}

func TestJSONP(t *testing.T) {
	w := newWorld(t)
	for eio, want := range map[int][3]string{
		3: {"d=6%3A4hello", `___eio[7]("2:4a10:b4AQIDBA==");`, "___eio[0](\"7:4\u2027\\u2028\\n\\\"\\\\x\");"},
		4: {"d=4hello", `___eio[7]("4a\u001ebAQIDBA==");`, "___eio[0](\"4\u2027\\u2028\\n\\\"\\\\x\");"},
	} {
		r := w.ask("GET", fmt.Sprintf("?EIO=%d&transport=polling&j=0", eio), "")
		c := w.next()
		if !strings.HasPrefix(r.body, `___eio[0]("`) || !strings.Contains(r.body, `{\"sid\":\"`+c.s.SID()) {
			t.Fatalf("handshake %q", r.body)
		}
		q := fmt.Sprintf("?EIO=%d&transport=polling&j=7&sid=%s", eio, c.s.SID())
		w.ask("POST", q, want[0], "Content-Type", "application/x-www-form-urlencoded").wants(t, 200, "ok")
		c.wants("hello")
		c.s.Send(NewFrame([]byte("a")))
		c.s.Send(NewBinaryFrame([]byte{1, 2, 3, 4}))
		w.ask("GET", q, "").wants(t, 200, want[1])
		c.s.Send(NewFrame([]byte("\u2027\u2028\n\"\\x")))
		w.ask("GET", strings.Replace(q, "j=7", "j=0);alert(", 1), "").wants(t, 200, want[2])
	}
}

// What is wrong in a POST closes the session, but is answered ok; what came
// before it counts. A waiting GET learns of it.
func TestMalformedPosts(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name   string
		eio    int
		body   string
		got    []string
		reason Reason
		get    string
	}{
		{"garbage", 4, "abc", nil, ReasonParse, "1"},
		{"empty", 4, "", nil, ReasonParse, "1"},
		{"unknown type", 4, "7abc", nil, ReasonParse, "1"},
		{"stray separator", 4, "4a\x1e\x1e4b", []string{"a"}, ReasonParse, "1"},
		{"separator at the end", 4, "4a\x1e", []string{"a"}, ReasonParse, "1"},
		{"bad base64", 4, "4a\x1eb!!!", []string{"a"}, ReasonParse, "1"},
		{"not UTF-8", 4, "4a\xff", nil, ReasonParse, "1"},
		{"ping", 4, "2", nil, ReasonParse, "1"},
		{"open", 4, "0{}", nil, ReasonParse, "1"},
		{"upgrade", 4, "5", nil, ReasonParse, "1"},
		{"close", 4, "4a\x1e1\x1e4b", []string{"a"}, ReasonClientClose, "6"},
		{"garbage", 3, "abc", nil, ReasonParse, "1:1"},
		{"empty", 3, "", nil, ReasonParse, "1:1"},
		{"wrong length", 3, "2:4a9:4b", []string{"a"}, ReasonParse, "1:1"},
		{"pong", 3, "1:3", nil, ReasonParse, "1:1"},
		{"close", 3, "1:1", nil, ReasonClientClose, "1:6"},
		{"6400 packets", 4, strings.Repeat("6\x1e", 6399) + "6", nil, ReasonParse, "1"},
		{"separators", 4, strings.Repeat("\x1e", 100_000), nil, ReasonParse, "1"},
		{"65 packets", 4, strings.Repeat("6\x1e", 64) + "6", nil, ReasonParse, "1"},
		{"6400 packets", 4, strings.Repeat("6\x1e", 6399) + "6", nil, ReasonParse, "1"},
	} {
		q, c := w.poll(row.eio)
		waiting := w.get(q)
		c.waiting()
		w.ask("POST", q, row.body).wants(t, 200, "ok")
		w.take(waiting).wants(t, 200, row.get)
		c.wantsClosed(row.reason)
		c.wants(row.got...)
		if r := w.ask("GET", q, ""); r.body != sessionUnknown {
			t.Errorf("%s v%d: afterwards %d %q", row.name, row.eio, r.status, r.body)
		}
	}
	q, c := w.poll(4)
	w.ask("POST", q, strings.Repeat("6\x1e", 63)+"4last").wants(t, 200, "ok")
	c.wants("last")
}

// Without a waiting GET the next one is told.
func TestNextPollIsToldOfTheEnd(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	c.s.Send(NewFrame([]byte("last words")))
	c.s.Close(ReasonKicked)
	c.wantsClosed(ReasonKicked)
	w.ask("POST", q, "4x").wants(t, 400, sessionUnknown)
	w.ask("GET", q, "").wants(t, 200, "4last words\x1e1")
	w.ask("GET", q, "").wants(t, 400, sessionUnknown)
	if n := len(w.v.shardOf(c.s.id).sessions); n != 0 {
		t.Errorf("%d sessions left in the shard", n)
	}
}

// Without a waiting GET, who does not speak the protocol is not told.
func TestNextPollOfGarbageFindsNothing(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	w.ask("POST", q, "abc").wants(t, 200, "ok")
	c.wantsClosed(ReasonParse)
	w.ask("GET", q, "").wants(t, 400, sessionUnknown)
}

func TestTooLargePosts(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.MaxPayload = 1000 }))
	q, c := w.poll(4)
	fits := "4" + strings.Repeat("x", 999)
	w.ask("POST", q, fits).wants(t, 200, "ok")
	for _, n := range []int{1001, 100_000} {
		w.ask("POST", q, strings.Repeat("4", n)).wants(t, 413, "")
		// The same without an announced length.
		req, _ := http.NewRequest("POST", w.url+q, io.MultiReader(strings.NewReader(strings.Repeat("4", n))))
		resp, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("%d bytes streamed: %d", n, resp.StatusCode)
		}
	}
	w.ask("POST", q, "4still here").wants(t, 200, "ok")
	c.wants(fits[1:], "still here")
	c.isOpen()
}

func TestOctetsInGeneration4(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	w.ask("POST", q, "4x", "Content-Type", "application/octet-stream").wants(t, 400, "")
	c.wantsClosed(ReasonParse)
	c.wants()
}

func TestOverlappingGets(t *testing.T) {
	w := newWorld(t)
	for eio, want := range map[int]string{4: "1", 3: "1:1"} {
		q, c := w.poll(eio)
		older := w.get(q)
		c.waiting()
		w.ask("GET", q, "").wants(t, 400, "")
		w.take(older).wants(t, 200, want)
		c.wantsClosed(ReasonOverlap)
	}
}

func TestOverlappingPosts(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	w := newWorld(t, clients(func(c *client) {
		c.onEach = func(*client, []byte, bool) { inside <- true; <-leave }
	}))
	q, c := w.poll(4)
	get := w.get(q)
	c.waiting()
	first := make(chan reply, 1)
	go func() { r, _ := w.tryAsk(context.Background(), "POST", q, "4a\x1e4b"); first <- r }()
	<-inside
	w.ask("POST", q, "4c").wants(t, 400, "")
	w.take(get).wants(t, 200, "1")
	close(leave)
	w.take(first).wants(t, 200, "ok")
	c.wantsClosed(ReasonOverlap) // after Message had returned
	c.wants("a")
}

func TestAbortedGet(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan bool)
	go func() { w.tryAsk(ctx, "GET", q, ""); close(ended) }()
	c.waiting()
	cancel()
	<-ended
	c.wantsClosed(ReasonTransportClose)
	w.ask("GET", q, "").wants(t, 400, sessionUnknown)
}

func TestAbortedPost(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	conn := w.dialRaw()
	fmt.Fprintf(conn, "POST /socket.io/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4half", q)
	eventually(t, "the POST", func() bool {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		state := c.s.state
		return !state.BeginPost()
	})
	conn.Close()
	c.wantsClosed(ReasonTransportClose)
	c.wants()
}

func TestSlowPostIsGivenUp(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.PostTimeout = 50 * time.Millisecond }))
	q, c := w.poll(4)
	conn := w.dialRaw()
	fmt.Fprintf(conn, "POST /socket.io/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4half", q)
	c.wantsClosed(ReasonTransportClose)
}

// TestABodyThatNeverEndsHoldsNothing sends bodies a byte at a time, with requests
// that are taken and with requests that are refused: the connection is cut, and
// not only the session.
func TestABodyThatNeverEndsHoldsNothing(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.PostTimeout = 50 * time.Millisecond }))
	q, c := w.poll(4)
	for name, head := range map[string]string{
		"a POST":                 "POST /socket.io/" + q,
		"of an unknown session":  "POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"a handshake":            "POST /socket.io/?EIO=4&transport=polling",
		"of another path":        "POST /else",
		"in chunks, of a method": "PUT /socket.io/?EIO=4&transport=polling",
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.dialRaw()
			size := "Content-Length: 100000"
			if strings.Contains(name, "chunks") {
				size = "Transfer-Encoding: chunked"
			}
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", head, size)
			cut := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, conn)
				cut <- err
			}()
			for end := time.Now().Add(patience); time.Now().Before(end); {
				select {
				case <-cut:
					return
				case <-time.After(10 * time.Millisecond):
					fmt.Fprint(conn, "1") // a chunk's size is as endless
				}
			}
			t.Error("not cut")
		})
	}
	c.wantsClosed(ReasonTransportClose)
}

func TestPollingBacklogIsBounded(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.BacklogBytes = 2000 }))
	q, c := w.poll(4)
	large := NewFrame(repeat("x", 5000))
	if err := c.s.Send(large); err != nil {
		t.Errorf("the first is taken whatever its size: %v", err)
	}
	if c.s.Pending() < 5000 {
		t.Errorf("pending %d", c.s.Pending())
	}
	w.ask("GET", q, "").wants(t, 200, "4"+string(repeat("x", 5000)))
	if err := c.s.Send(large); err != nil {
		t.Errorf("the first is taken whatever its size: %v", err)
	}
	small := NewFrame(repeat("x", 95))
	for range 20 {
		if err := c.s.Send(small); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.s.Send(small); err != ErrSlow {
		t.Errorf("above the backlog: %v", err)
	}
	c.wantsClosed(ReasonSlow)
	if err := c.s.Send(small); err != ErrClosed {
		t.Errorf("afterwards: %v", err)
	}
	w.ask("GET", q, "").wants(t, 400, sessionUnknown)
}

func TestVolatileOverPolling(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	f := NewFrame([]byte("now"))
	if err := c.s.SendVolatile(f); err != ErrBehind {
		t.Errorf("nobody waits: %v", err)
	}
	get := w.get(q)
	c.waiting()
	if err := c.s.SendVolatile(f); err != nil {
		t.Errorf("a poll waits: %v", err)
	}
	w.take(get).wants(t, 200, "4now")
	if err := c.s.SendVolatile(f); err != ErrBehind {
		t.Errorf("nobody waits again: %v", err)
	}
}

func TestCloseAfterFlushOverPolling(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	c.s.Send(NewFrame([]byte("come back")))
	c.s.CloseAfterFlush(ReasonDrain)
	if err := c.s.Send(NewFrame(nil)); err != ErrClosed {
		t.Errorf("Send: %v", err)
	}
	c.isOpen()
	w.ask("POST", q, "4still heard").wants(t, 200, "ok")
	c.wants("still heard")
	w.ask("GET", q, "").wants(t, 200, "4come back")
	c.isOpen()
	w.ask("GET", q, "").wants(t, 200, "1")
	c.wantsClosed(ReasonDrain)

	q, c = w.poll(4) // with a poll waiting, and nothing to flush
	get := w.get(q)
	c.waiting()
	c.s.CloseAfterFlush(ReasonDrain)
	w.take(get).wants(t, 200, "1")
	c.wantsClosed(ReasonDrain)
}

// The reason that was given stays, whatever happens while the session is flushed.
func TestReasonOfAFadingSession(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	c.s.Send(NewFrame([]byte("come back")))
	c.s.CloseAfterFlush(ReasonDrain)
	w.ask("POST", q, "1").wants(t, 200, "ok")
	c.wantsClosed(ReasonDrain)
}
