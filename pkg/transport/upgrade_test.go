package transport

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// socketOf is the query of a WebSocket for a polling session.
func socketOf(q string) string { return strings.Replace(q, "polling", "websocket", 1) }

func TestUpgrade(t *testing.T) {
	for _, o := range []option{{}, overTLSWire()} {
		w := newWorld(t, o)
		for _, eio := range []int{4, 3} {
			q, c := w.poll(eio)
			get := w.get(q)
			c.waiting()
			p := w.dial(socketOf(q))
			p.say("2probe")
			p.wants("3probe")
			want := map[int]string{4: "6", 3: "1:6"}[eio]
			w.take(get).wants(t, 200, want)
			c.s.Send(NewFrame([]byte("buffered"), []byte{1}))
			p.say("5")
			binary := map[int]string{4: "b01", 3: "b0401"}[eio]
			p.wants("4buffered", binary)
			c.s.Send(NewFrame([]byte("direct")))
			p.wants("4direct")
			p.say("4hello")
			c.wants("hello")
			if c.s.Transport() != "websocket" {
				t.Error(c.s.Transport())
			}
			w.ask("GET", q, "").wants(t, 400, badRequest)
			w.ask("POST", q, "4x").wants(t, 400, badRequest)
			c.isOpen()
		}
	}
}

// Each poll that comes before the client says upgrade is released.
func TestPollsAreReleasedDuringUpgrade(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	for range 3 {
		w.ask("GET", q, "").wants(t, 200, "6")
	}
	// Messages still go over polling.
	get := w.get(q)
	c.waiting()
	c.s.Send(NewFrame([]byte("polled")))
	w.take(get).wants(t, 200, "4polled")
	w.ask("POST", q, "4posted").wants(t, 200, "ok")
	c.wants("posted")
	p.say("5")
	c.s.Send(NewFrame([]byte("pushed")))
	p.wants("4pushed")
}

// A poll that waits when the client says upgrade is released, too.
func TestPollDuringSwitch(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	get := w.get(q)
	p.say("5")
	r := w.take(get)
	if r.body != "6" && r.body != badRequest { // the latter if it came later
		t.Errorf("%d %q", r.status, r.body)
	}
	c.s.Send(NewFrame([]byte("x")))
	p.wants("4x")
	c.isOpen()
}

func TestUpgradesThatFail(t *testing.T) {
	w := newWorld(t)
	for name, packets := range map[string][]string{
		"upgrade without probe": {"5"},
		"message first":         {"4x"},
		"garbage":               {"x"},
		"empty":                 {""},
		"bare ping":             {"2"},
		"close":                 {"1"},
		"message between":       {"2probe", "4x"},
		"close between":         {"2probe", "1"},
	} {
		q, c := w.poll(4)
		p := w.dial(socketOf(q))
		for _, text := range packets {
			p.say(text)
		}
		p.wantsClose(1005)
		w.ask("POST", q, "4"+name).wants(t, 200, "ok")
		c.wants(name)
		c.s.Send(NewFrame([]byte("on")))
		w.ask("GET", q, "").wants(t, 200, "4on")
		c.isOpen()
		// Another attempt may succeed.
		p = w.dial(socketOf(q))
		p.say("2probe")
		p.wants("3probe")
		p.say("5")
		c.s.Send(NewFrame([]byte("ws")))
		p.wants("4ws")
	}
}

func TestBinaryFirstOnUpgrade(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	p := w.dial(socketOf(q))
	p.sayBinary(1, 2)
	p.wantsClose(1005)
	c.isOpen()
}

func TestLostUpgrades(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	p.NetConn().Close()
	eventually(t, "the end of the attempt", func() bool { return c.s.trialOf(nil) == nil && !probing(c.s) })
	w.ask("POST", q, "4on").wants(t, 200, "ok")
	c.wants("on")
	// Too large, or broken, on the WebSocket that tries: only that one is closed.
	conn := w.dial(socketOf(q))
	conn.WriteMessage(websocket.TextMessage, []byte("\xff"))
	conn.wantsClose(1007)
	eventually(t, "the end of the attempt", func() bool { return !probing(c.s) })
	conn = w.dial(socketOf(q))
	conn.say("4" + strings.Repeat("x", 1_000_000))
	conn.wantsClose(1009)
	c.isOpen()
}

func probing(s *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Probing()
}

func TestSecondWebSockets(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	second := w.dial(socketOf(q))
	second.say("2probe")
	second.wantsClose(1005)
	p.say("5")
	c.s.Send(NewFrame([]byte("first")))
	p.wants("4first")
	third := w.dial(socketOf(q)) // after the upgrade
	third.say("2probe")
	third.say("5")
	third.wantsClose(1005)
	p.say("4still")
	c.wants("still")
	c.isOpen()
}

func TestUpgradeSwitchedOff(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.AllowUpgrades = false }))
	r := w.ask("GET", "?EIO=4&transport=polling", "")
	if !strings.Contains(r.body, `"upgrades":[]`) {
		t.Error(r.body)
	}
	c := w.next()
	if _, resp, err := w.tryDial("?EIO=4&transport=websocket&sid=" + c.s.SID()); err == nil || resp.StatusCode != 400 {
		t.Errorf("%v", err)
	}
	w = newWorld(t, config(func(c *Config) { c.Transports = []string{"polling"} }))
	r = w.ask("GET", "?EIO=4&transport=polling", "")
	if !strings.Contains(r.body, `"upgrades":[]`) {
		t.Error(r.body)
	}
}

// A WebSocket that fails does not end a session that is still to be flushed.
func TestFailedUpgradeWhileFading(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	c.s.Send(NewFrame([]byte("last")))
	c.s.CloseAfterFlush(ReasonDrain)
	p := w.dial(socketOf(q))
	p.say("garbage")
	p.wantsClose(1005)
	c.isOpen()
	w.ask("GET", q, "").wants(t, 200, "4last")
	w.ask("GET", q, "").wants(t, 200, "1")
	c.wantsClosed(ReasonDrain)
}

func TestCloseDuringUpgrade(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	c.s.Close(ReasonKicked)
	p.wantsClose(1005)
	c.wantsClosed(ReasonKicked)
	w.ask("GET", q, "").wants(t, 200, "1")

	q, c = w.poll(4)
	p = w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	c.s.Send(NewFrame([]byte("last")))
	c.s.CloseAfterFlush(ReasonDrain)
	p.say("5")
	p.wants("4last")
	p.wantsClose(1005)
	c.wantsClosed(ReasonDrain)
}

// A POST that is still being delivered when the session changes over is finished
// before messages of the WebSocket are delivered.
func TestPostDuringSwitch(t *testing.T) {
	inside, leave := make(chan bool, 1), make(chan bool)
	w := newWorld(t, clients(func(c *client) {
		c.onEach = func(_ *client, data []byte, _ bool) {
			if string(data) == "posted" {
				inside <- true
				<-leave
			}
		}
	}))
	q, c := w.poll(4)
	post := make(chan reply, 1)
	go func() { r, _ := w.tryAsk(context.Background(), "POST", q, "4posted\x1e4second"); post <- r }()
	<-inside
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	p.say("5")
	p.say("4pushed")
	eventually(t, "the reader to wait for its turn", func() bool {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		return c.s.phaseLocked().waiter != nil
	})
	close(leave)
	w.take(post).wants(t, 200, "ok")
	c.until("all messages", func() bool { return len(c.got) == 3 })
	c.isOpen()
}

// Under traffic in both directions nothing is lost, doubled or reordered, at
// whatever moment the client changes over. It does what stock clients do: it
// stops polling and posting before it says upgrade.
func TestUpgradeUnderTraffic(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	w := newWorld(t)
	var wg sync.WaitGroup
	limit := make(chan bool, 8)
	for round := range rounds {
		wg.Add(1)
		limit <- true
		go func() {
			defer func() { <-limit; wg.Done() }()
			upgradeUnderTraffic(t, w, round)
		}()
	}
	wg.Wait()
}

func upgradeUnderTraffic(t *testing.T, w *world, round int) {
	const down, up = 300, 60
	r := w.ask("GET", "?EIO=4&transport=polling", "")
	sid := r.body[len(`0{"sid":"`):][:sidChars]
	id, _, _ := parseSID(sid)
	var c *client
	for c == nil { // sessions of other rounds may come first
		o := w.next()
		if o.s.ID() == id {
			c = o
		} else {
			w.opened <- o
		}
	}
	q := "?EIO=4&transport=polling&sid=" + sid
	go func() {
		for i := range down {
			if err := c.s.Send(NewFrame(fmt.Appendf(nil, "%d", i))); err != nil {
				t.Errorf("Send %d: %v", i, err)
				return
			}
			if i%(1+round%7) == 0 {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}()

	var got []string
	var pause atomic.Bool
	polled := make(chan bool)
	go func() {
		defer close(polled)
		for !pause.Load() {
			r := w.ask("GET", q, "")
			if r.status != 200 {
				t.Errorf("poll: %d %q", r.status, r.body)
				return
			}
			for _, packet := range strings.Split(r.body, "\x1e") {
				if packet != "6" {
					got = append(got, packet)
				}
			}
		}
	}()
	sent := 0
	for ; sent < up/2; sent++ {
		w.ask("POST", q, fmt.Sprintf("4%d", sent)).wants(t, 200, "ok")
	}
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.wants("3probe")
	pause.Store(true)
	<-polled
	p.say("5")
	for ; sent < up; sent++ {
		p.say(fmt.Sprintf("4%d", sent))
	}
	for len(got) < down {
		got = append(got, p.read())
	}
	for i, packet := range got {
		if packet != fmt.Sprintf("4%d", i) {
			t.Errorf("packet %d from the server is %q", i, packet)
			break
		}
	}
	want := make([]string, up)
	for i := range want {
		want[i] = fmt.Sprint(i)
	}
	c.wants(want...)
	p.WriteMessage(websocket.CloseMessage, nil)
	c.wantsClosed(ReasonClientClose)
}
