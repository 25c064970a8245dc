package transport

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEachAndLen(t *testing.T) {
	w := newWorld(t)
	_, a := w.poll(4)
	_, b := w.websocket(4)
	_, c := w.poll(4)
	c.s.Close(ReasonKicked) // lingers, but is not open
	seen := map[*Session]bool{}
	w.v.Each(func(s *Session) bool {
		seen[s] = true
		s.Send(NewFrame(nil)) // no lock is held
		return true
	})
	if len(seen) != 2 || !seen[a.s] || !seen[b.s] || w.v.Len() != 2 {
		t.Errorf("%d seen, %d open", len(seen), w.v.Len())
	}
	n := 0
	w.v.Each(func(*Session) bool { n++; return false })
	if n != 1 {
		t.Errorf("went on after false: %d", n)
	}
}

// A Receiver may close its session from inside Message; Closed follows when
// Message has returned.
func TestCloseFromInsideMessage(t *testing.T) {
	w := newWorld(t, clients(func(c *client) {
		c.onEach = func(c *client, data []byte, _ bool) {
			c.s.Close(ReasonProtocol)
			c.s.Close(ReasonKicked)
			if c.s.Send(NewFrame(nil)) != ErrClosed {
				t.Error("Send after Close")
			}
			time.Sleep(5 * time.Millisecond) // for Closed to come too early
		}
	}))
	p, c := w.websocket(4)
	p.say("4a")
	p.say("4b")
	p.wantsClose(1005)
	c.wantsClosed(ReasonProtocol)
	c.wants("a")
	q, c := w.poll(4)
	w.ask("POST", q, "4a\x1e4b").wants(t, 200, "ok")
	c.wantsClosed(ReasonProtocol)
	c.wants("a")
}

// Closed may take locks that are held while Close or Send is called.
func TestClosedMayTakeTheCallersLocks(t *testing.T) {
	lock := make(chan bool, 1)
	w := newWorld(t, config(func(c *Config) { c.BacklogBytes = 1024 }), clients(func(c *client) {
		c.onClose = func(*client) { lock <- true; <-lock }
	}))
	for _, end := range []func(*client){
		func(c *client) { c.s.Close(ReasonKicked) },
		func(c *client) { c.s.CloseAfterFlush(ReasonKicked) },
		func(c *client) {
			for c.s.Send(NewFrame(repeat("x", 900))) == nil {
			}
		},
	} {
		_, polled := w.poll(4)
		_, onSocket := w.dialSlow()
		for _, c := range []*client{polled, onSocket} {
			lock <- true
			end(c)
			<-lock
			if c == polled {
				c.s.Close(ReasonKicked) // fading, as nobody polls
			}
			c.until("Closed", func() bool { return len(c.closed) > 0 })
		}
	}
}

// Behind something that cannot hand connections over there are no WebSockets,
// and nothing is left of the attempt.
func TestConnectionsThatCannotBeTakenOver(t *testing.T) {
	w := newWorld(t)
	ask := func(query string) {
		r := httptest.NewRequest("GET", "/socket.io/"+query, nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		w.v.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("?EIO=4&transport=websocket")
	w.next().wantsClosed(ReasonTransportError)
	q, c := w.poll(4)
	ask(socketOf(q))
	if probing(c.s) {
		t.Error("the attempt is not over")
	}
	w.ask("POST", q, "4on").wants(t, 200, "ok")
	c.wants("on")
}

func TestClosedSessionsAreOffTheWheel(t *testing.T) {
	w := newWorld(t)
	_, c := w.websocket(4)
	c.s.Close(ReasonKicked)
	c.wantsClosed(ReasonKicked)
	w.v.wake(c.s, w.v.now()+60_000)
	h := w.v.shardOf(c.s.id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.s.timed.next != nil || len(h.sessions) > 0 {
		t.Error("a closed session is kept")
	}
}

// A server that bounds the reading of requests must not end polls that wait.
func TestReadTimeoutDoesNotEndPolls(t *testing.T) {
	inTime(t, func(t *testing.T, w *world) {
		q, c := w.poll(4)
		get := w.get(q)
		c.waiting()
		time.Sleep(5 * time.Second) // longer than the timeout
		c.isOpen()
		c.s.Send(NewFrame([]byte("x")))
		w.take(get).wants(t, 200, "4x")
	}, option{serve: func(_ *world, ts *httptest.Server) { ts.Config.ReadTimeout = time.Second }})
}

func TestNoIDs(t *testing.T) {
	w := newWorld(t, hooks(func(h *Hooks) {
		h.NewID = func() (uint64, error) { return 0, errors.New("lease is over") }
	}))
	r := w.ask("GET", "?EIO=4&transport=polling", "")
	r.wants(t, 503, forbiddenBody)
	if r.header.Get("Retry-After") != "1" {
		t.Error(r.header)
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	reg := prometheus.NewRegistry()
	w.v.metrics = NewMetrics(reg)
	q, c := w.poll(4)
	w.ask("GET", "?EIO=4&transport=x", "")
	w.ask("POST", "?EIO=4&transport=polling", "")
	c.s.Send(NewFrame([]byte("x"), []byte{1}))
	want := func(lines ...string) {
		t.Helper()
		have := samples(t, reg)
		for _, line := range lines {
			name, value, _ := strings.Cut(line, " ")
			if have[name] != value {
				t.Errorf("%s is %q, want %s", name, have[name], value)
			}
		}
	}
	want("backlog_bytes{} 12", "handshakes_total{bad_handshake_method} 1", "handshakes_total{opened} 1", "refusals_total{transport_unknown} 1", "packets_total{in} 0", "packets_total{out} 2", "sessions{4,polling} 1")
	p := w.dial(socketOf(q))
	p.say("2probe")
	p.say("5")
	p.wants("3probe", "4x", "b01")
	p.say("4in")
	c.wants("in")
	want("backlog_bytes{} 0", "upgrades_total{done} 1", "sessions{4,polling} 0", "sessions{4,websocket} 1")
	c.s.Close(ReasonDrain)
	c.wantsClosed(ReasonDrain)
	want("closes_total{drain} 1", "sessions{4,polling} 0", "sessions{4,websocket} 0")
}

// samples is what a registry holds: name{label values} to value.
func samples(t *testing.T, reg *prometheus.Registry) map[string]string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			name := strings.TrimPrefix(family.GetName(), "sluice_transport_") + "{" + strings.Join(labels, ",") + "}"
			out[name] = fmt.Sprint(m.GetCounter().GetValue() + m.GetGauge().GetValue())
		}
	}
	return out
}
