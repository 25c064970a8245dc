package transport

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network within the process, so that time can be made up.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	select {
	case <-l.ended:
	default:
		close(l.ended)
	}
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (l *pipes) dial(context.Context, string, string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return mine, nil
	case <-l.ended:
		return nil, errors.New("nobody listens")
	}
}

// hurried are the times that are meant to be used, where time is made up.
var hurried = config(func(c *Config) {
	d := DefaultConfig()
	c.PingInterval, c.HeartbeatStart, c.UpgradeTimeout = d.PingInterval, d.HeartbeatStart, d.UpgradeTimeout
})

// inTime runs f with a world in which time passes only while everybody waits.
func inTime(t *testing.T, f func(t *testing.T, w *world), options ...option) {
	t.Helper()
	// The library's connections hold channels, which may not leave the bubble that
	// they were made in: it has seats of its own.
	defer func(plain, deflate *sync.Pool) { seats, deflating = plain, deflate }(seats, deflating)
	seats, deflating = &sync.Pool{New: seats.New}, &sync.Pool{New: deflating.New}
	synctest.Test(t, func(t *testing.T) {
		made := option{serve: func(w *world, ts *httptest.Server) {
			l := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
			ts.Listener.Close()
			ts.Listener = l
			w.dialer = l.dial
			ts.Start()
		}}
		goroutines := config(func(c *Config) { c.Reader = readerGoroutine }) // a reactor waits for the network
		f(t, newWorld(t, slices.Concat([]option{hurried}, options, []option{made, goroutines})...))
	})
}

// took fails the test unless about d has passed since start. Wheels turn every
// 50 ms.
func took(t *testing.T, start time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(start); got < d-time.Millisecond || got > d+2*wheelTick*time.Millisecond {
		t.Fatalf("took %v, want %v", got, d)
	}
}

// readLong reads without a bound.
func (p *peer) readLong() (string, error) {
	p.SetReadDeadline(time.Time{})
	_, data, err := p.ReadMessage()
	return string(data), err
}

// fixed is a heartbeat that never changes.
var fixed = config(func(c *Config) { c.HeartbeatGrowAfter = 0 })

func TestHeartbeatOverWebSocket(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		p, c := w.websocket(4)
		start := time.Now()
		for i := range 3 {
			if got, err := p.readLong(); got != "2" || err != nil {
				t.Fatalf("%q %v", got, err)
			}
			took(t, start, time.Duration(i+1)*25*time.Second)
			if i == 1 {
				p.say("4any packet counts")
			} else {
				p.say("3")
			}
		}
		if got, _ := p.readLong(); got != "2" {
			t.Fatal(got)
		}
		took(t, start, 100*time.Second)
		if got := time.Since(c.s.LastSeen()); got < 24*time.Second || got > 26*time.Second {
			t.Errorf("last seen %v ago", got)
		}
		if _, err := p.readLong(); !strings.Contains(err.Error(), "1005") {
			t.Fatal(err)
		}
		took(t, start, 120*time.Second)
		c.wantsClosed(ReasonPingTimeout)
	}, fixed)
}

func TestHeartbeatOverPolling(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		q, c := w.poll(4)
		start := time.Now()
		r := <-w.longGet(q)
		took(t, start, 25*time.Second)
		r.wants(t, 200, "2")
		w.ask("POST", q, "3").wants(t, 200, "ok")
		r = <-w.longGet(q)
		took(t, start, 50*time.Second)
		r.wants(t, 200, "2")
		r = <-w.longGet(q) // polls alone do not prove life
		took(t, start, 70*time.Second)
		r.wants(t, 200, "1")
		c.wantsClosed(ReasonPingTimeout)
	}, fixed)
}

func (w *world) longGet(q string) <-chan reply {
	ch := make(chan reply, 1)
	go func() {
		resp, err := w.client.Get(w.url + q)
		if err != nil {
			ch <- reply{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		b := make([]byte, 1000)
		n, _ := resp.Body.Read(b)
		ch <- reply{resp.StatusCode, string(b[:n]), resp.Header}
	}()
	return ch
}

func TestHeartbeatOfGeneration3(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		p, c := w.websocket(3)
		start := time.Now()
		for range 4 {
			time.Sleep(25 * time.Second)
			p.say("2")
			p.wants("3")
		}
		took(t, start, 100*time.Second)
		p.readLong()
		took(t, start, 145*time.Second)
		c.wantsClosed(ReasonPingTimeout)
	})
}

func TestGrowingHeartbeat(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		p, c := w.websocket(4)
		start := time.Now()
		for _, at := range []int{10, 20, 35, 50, 70, 90, 115, 140} {
			if got, err := p.readLong(); got != "2" {
				t.Fatalf("%q %v", got, err)
			}
			took(t, start, time.Duration(at)*time.Second)
			p.say("3")
		}
		if got, _ := p.readLong(); got != "2" { // missed
			t.Fatal(got)
		}
		took(t, start, 165*time.Second)
		p.readLong()
		took(t, start, 170*time.Second)
		p.readLong()
		took(t, start, 171*time.Second)
		p.say("3")
		p.readLong()
		took(t, start, 172*time.Second)
		c.isOpen()
	}, config(func(c *Config) { c.HeartbeatGrowAfter = 2 }))
}

// A client that asked for it is told its interval; in generation 3 it pings by it.
func TestClientsThatAskAreToldTheirInterval(t *testing.T) {
	dynamic := config(func(c *Config) { c.HeartbeatGrowAfter = 2 })
	inTime(t, func(t *testing.T, w *world) {
		p := w.dial("?EIO=4&transport=websocket&heartbeat=dynamic")
		if open := p.read(); !strings.Contains(open, `"pingInterval":10000,`) {
			t.Errorf("open packet %s", open)
		}
		start := time.Now()
		for _, step := range []struct {
			at   int
			text string
		}{{10, "2"}, {20, "2"}, {30, `6{"pingInterval":15000}`}, {35, "2"}, {50, "2"}, {65, `6{"pingInterval":20000}`}, {70, "2"}} {
			got, err := p.readLong()
			if err != nil || got != step.text {
				t.Fatalf("at %d: %q %v", step.at, got, err)
			}
			if got == "2" {
				took(t, start, time.Duration(step.at)*time.Second)
				p.say("3")
			}
		}
		w.next().isOpen()
	}, dynamic)
	inTime(t, func(t *testing.T, w *world) {
		p := w.dial("?EIO=3&transport=websocket&heartbeat=dynamic")
		if open := p.read(); !strings.Contains(open, `"pingInterval":10000,`) {
			t.Errorf("open packet %s", open)
		}
		c := w.next()
		for _, interval := range []int{10, 10, 15, 15, 20, 20, 25} {
			time.Sleep(time.Duration(interval) * time.Second)
			p.say("2")
			for {
				got, err := p.readLong()
				if err != nil {
					t.Fatal(err)
				}
				if got == "3" {
					break
				}
				if !strings.HasPrefix(got, `6{"pingInterval":`) {
					t.Fatalf("%q", got)
				}
			}
		}
		start := time.Now()
		if got, _ := p.readLong(); got != `6{"pingInterval":1000}` { // a beat was missed
			t.Errorf("%q", got)
		}
		took(t, start, 30*time.Second)
		p.readLong()
		took(t, start, 45*time.Second)
		c.wantsClosed(ReasonPingTimeout)
	}, dynamic)
}

// Stock clients of generation 3 go by what the open packet said.
func TestClientsThatDoNotAskAreNotTold(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		p := w.dial("?EIO=3&transport=websocket")
		if open := p.read(); !strings.Contains(open, `"pingInterval":25000,`) {
			t.Errorf("open packet %s", open)
		}
		c := w.next()
		for range 5 {
			time.Sleep(25 * time.Second)
			p.say("2")
			p.wants("3")
		}
		start := time.Now()
		p.readLong()
		took(t, start, 45*time.Second)
		c.wantsClosed(ReasonPingTimeout)
	})
}

func TestShortIntervalsDoNotGrow(t *testing.T) {
	cfg := DefaultConfig()
	cfg.PingInterval, cfg.PingTimeout = 300*time.Millisecond, 200*time.Millisecond
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if p := policyOf(&cfg); p.GrowAfter != 0 || p.Missed != 100 {
		t.Errorf("%+v", p)
	}
}

func TestUpgradeTimeout(t *testing.T) {
	for _, packets := range [][]string{nil, {"2probe"}} {
		inTime(t, func(t *testing.T, w *world) {
			q, c := w.poll(4)
			start := time.Now()
			p := w.dial(socketOf(q))
			for _, text := range packets {
				p.say(text)
				p.wants("3probe")
			}
			if _, err := p.readLong(); !strings.Contains(err.Error(), "1005") {
				t.Fatal(err)
			}
			took(t, start, 10*time.Second)
			w.ask("POST", q, "4on").wants(t, 200, "ok")
			c.wants("on")
		})
	}
}

func TestNoopsDuringUpgrade(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		q, _ := w.poll(4)
		p := w.dial(socketOf(q))
		start := time.Now()
		get := w.longGet(q)
		time.Sleep(10 * time.Millisecond)
		p.say("2probe")
		p.wants("3probe")
		r := <-get // at once
		r.wants(t, 200, "6")
		took(t, start, 10*time.Millisecond)
		for i := range 5 {
			r = <-w.longGet(q)
			r.wants(t, 200, "6")
			if d := time.Since(start) / (100 * time.Millisecond); d < time.Duration(i+1) || d > time.Duration(2*i+3) {
				t.Errorf("noop %d after %v", i, time.Since(start))
			}
		}
	})
}

func TestCloseAfterFlushIsBounded(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		q, c := w.poll(4)
		start := time.Now()
		c.s.Send(NewFrame([]byte("nobody polls")))
		c.s.CloseAfterFlush(ReasonDrain)
		c.wantsClosed(ReasonDrain)
		took(t, start, 3*time.Second)
		w.ask("GET", q, "").wants(t, 200, "4nobody polls\x1e1")
	}, config(func(c *Config) { c.FlushTimeout = 3 * time.Second }))
}

func TestClosedPollingSessionsAreForgotten(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		q, c := w.poll(4)
		c.s.Send(NewFrame([]byte("x")))
		c.s.Close(ReasonKicked)
		c.wantsClosed(ReasonKicked)
		time.Sleep(5*time.Second + 2*wheelTick*time.Millisecond)
		w.ask("GET", q, "").wants(t, 400, sessionUnknown)
	})
}

func TestSilentClientIsCutOffAfterCloseTimeout(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		conn, c := rawWebSocket(w)
		conn.SetDeadline(time.Time{})
		start := time.Now()
		c.s.Close(ReasonKicked)
		c.wantsClosed(ReasonKicked)
		took(t, start, 0)
		if got := closeCode(t, conn); got != 1005 {
			t.Errorf("close code %d", got)
		}
		took(t, start, 5*time.Second)
	})
}

func TestRunEndsWithAllSessions(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.CloseTimeout = 100 * time.Millisecond }))
	q, polled := w.poll(4)
	get := w.get(q)
	polled.waiting()
	_, open := w.websocket(4)
	_, silent := rawWebSocket(w)
	w.stop()
	for _, c := range []*client{polled, open, silent} {
		c.wantsClosed(ReasonServer)
	}
	w.take(get).wants(t, 200, "1")
	w.ask("GET", "?EIO=4&transport=polling", "").wants(t, 503, forbiddenBody)
	w.ask("GET", q, "").wants(t, 400, sessionUnknown)
	if _, resp, err := w.tryDial("?EIO=4&transport=websocket"); err == nil || resp.StatusCode != 400 {
		t.Errorf("%v", err)
	}
}
