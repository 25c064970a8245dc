package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
)

// patience bounds every wait of the tests: how long until they give up, and not
// how fast anything is.
const patience = time.Minute

var quiet = elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithLevel("panic"))

// world is a server with its clients, and a Receiver that tells what it got.
type world struct {
	t      *testing.T
	v      *Server
	url    string // http://…/socket.io/
	client *http.Client
	dialer func(ctx context.Context, network, addr string) (net.Conn, error)
	ids    atomic.Uint64
	opened chan *client // in the order of Open
	ended  chan struct{}
	stop   func() // ends Run and waits
}

// client is the Receiver of one session.
type client struct {
	s       *Session
	w       *world
	mu      sync.Mutex
	got     []string // texts; binary in hex with a b in front
	closed  []Reason
	inside  int
	change  chan struct{}
	onOpen  func(*client)
	onEach  func(c *client, data []byte, binary bool)
	onClose func(*client)
}

func (c *client) Message(data []byte, binary bool) {
	text := string(data)
	if binary {
		text = fmt.Sprintf("b%x", data)
	}
	c.mu.Lock()
	if c.inside++; c.inside > 1 || len(c.closed) > 0 {
		c.w.t.Errorf("call of Message overlaps, or follows Closed")
	}
	c.got = append(c.got, text)
	c.signalLocked()
	c.mu.Unlock()
	if c.onEach != nil {
		c.onEach(c, data, binary)
	}
	c.mu.Lock()
	c.inside--
	c.mu.Unlock()
}

func (c *client) Closed(reason Reason) {
	c.mu.Lock()
	if c.inside > 0 || len(c.closed) > 0 {
		c.w.t.Errorf("call of Closed overlaps, or is not the only one")
	}
	c.closed = append(c.closed, reason)
	c.signalLocked()
	c.mu.Unlock()
	if c.onClose != nil {
		c.onClose(c)
	}
}

func (c *client) signalLocked() {
	close(c.change)
	c.change = make(chan struct{})
}

// until waits for a condition on what the client got.
func (c *client) until(what string, ok func() bool) {
	c.w.t.Helper()
	end := time.After(patience)
	for {
		c.mu.Lock()
		done, change := ok(), c.change
		got, closed := fmt.Sprintf("%q", c.got), fmt.Sprint(c.closed)
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-change:
		case <-end:
			if len(got) > 500 {
				got = got[len(got)-500:]
			}
			c.w.t.Fatalf("waiting for %s: got %s, closed %s", what, got, closed)
		}
	}
}

// wants waits until exactly these messages have come.
func (c *client) wants(texts ...string) {
	c.w.t.Helper()
	c.until(fmt.Sprintf("%d messages", len(texts)), func() bool { return len(c.got) >= len(texts) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.got) != len(texts) {
		c.w.t.Fatalf("got %d messages, want %d", len(c.got), len(texts))
	}
	for i, want := range texts {
		if c.got[i] != want {
			c.w.t.Fatalf("message %d is %.100q, want %.100q", i, c.got[i], want)
		}
	}
}

func (c *client) wantsClosed(reason Reason) {
	c.w.t.Helper()
	c.until("Closed", func() bool { return len(c.closed) > 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed[0] != reason {
		c.w.t.Fatalf("closed with %q, want %q", c.closed[0], reason)
	}
}

// isOpen fails the test when the session has been closed.
func (c *client) isOpen() {
	c.w.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.closed) > 0 {
		c.w.t.Fatalf("session closed with %v", c.closed)
	}
}

// option changes a world before it starts.
type option struct {
	cfg    func(*Config)
	hooks  func(*Hooks)
	client func(*client)
	serve  func(*world, *httptest.Server)
}

func config(f func(*Config)) option  { return option{cfg: f} }
func hooks(f func(*Hooks)) option    { return option{hooks: f} }
func clients(f func(*client)) option { return option{client: f} }
func overTLSWire() option {
	return option{serve: func(_ *world, ts *httptest.Server) {
		ts.Listener = Listen(ts.Listener)
		ts.StartTLS()
	}}
}

// readerEnv names the Config.Reader of all tests that do not choose one: both
// have to pass them all.
const readerEnv = "SLUICE_TEST_READER"

// newServer builds a server whose sessions are told of through w.opened.
func newServer(w *world, options []option) *Server {
	cfg := DefaultConfig()
	if mode := os.Getenv(readerEnv); mode != "" {
		cfg.Reader = mode
	}
	h := Hooks{
		NewID: func() (uint64, error) { return w.ids.Add(1) << 22, nil },
		Open: func(s *Session, r *http.Request) Receiver {
			c := &client{s: s, w: w, change: make(chan struct{})}
			for _, o := range options {
				if o.client != nil {
					o.client(c)
				}
			}
			if c.onOpen != nil {
				c.onOpen(c)
			}
			w.opened <- c
			return c
		},
	}
	for _, o := range options {
		if o.cfg != nil {
			o.cfg(&cfg)
		}
		if o.hooks != nil {
			o.hooks(&h)
		}
	}
	if err := cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	return NewServer(cfg, h, NewMetrics(prometheus.NewRegistry()), quiet)
}

// unhurried is for clients that do not answer pings, or take their time to
// upgrade, because the machine is slow.
var unhurried = config(func(c *Config) {
	c.PingInterval, c.HeartbeatStart, c.UpgradeTimeout = tenMinutes, tenMinutes, tenMinutes
})

const tenMinutes = 10 * time.Minute

func newWorld(t *testing.T, options ...option) *world {
	t.Helper()
	options = append([]option{unhurried}, options...)
	w := &world{t: t, opened: make(chan *client, 4096), ended: make(chan struct{})}
	w.v = newServer(w, options)
	ts := httptest.NewUnstartedServer(w.v)
	ts.Config.ErrorLog = nil
	started := false
	for _, o := range options {
		if o.serve != nil {
			o.serve(w, ts)
			started = true
		}
	}
	if !started {
		ts.Start()
	}
	w.url = ts.URL + "/socket.io/"
	tr := &http.Transport{DialContext: w.dialer, TLSClientConfig: insecure}
	w.client = &http.Client{Transport: tr}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(w.ended)
		if err := w.v.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	w.stop = func() {
		cancel()
		select {
		case <-w.ended:
		case <-time.After(2 * patience):
			t.Error("Run does not end")
		}
	}
	t.Cleanup(func() {
		w.stop()
		tr.CloseIdleConnections()
		ts.Close()
		if n := w.v.Len(); n != 0 {
			t.Errorf("%d sessions left", n)
		}
		if n := w.v.metrics.backlog(); n != 0 {
			t.Errorf("backlog counted as %d bytes at the end", n)
		}
	})
	return w
}

func (w *world) next() *client {
	w.t.Helper()
	select {
	case c := <-w.opened:
		return c
	case <-time.After(patience):
		w.t.Fatal("no session was opened")
		return nil
	}
}

// reply is an HTTP answer.
type reply struct {
	status int
	body   string
	header http.Header
}

// ask sends one request; query is appended to the path.
func (w *world) ask(method, query, body string, headers ...string) reply {
	w.t.Helper()
	r, err := w.tryAsk(context.Background(), method, query, body, headers...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, query, err)
	}
	return r
}

func (w *world) tryAsk(ctx context.Context, method, query, body string, headers ...string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.url+query, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body == "" {
		req.Body = nil
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(b), resp.Header}, err
}

// wants compares status and body.
func (r reply) wants(t *testing.T, status int, body string) {
	t.Helper()
	if r.status != status || r.body != body {
		t.Fatalf("answer %d %q, want %d %q", r.status, r.body, status, body)
	}
}

// poll opens a polling session and returns the rest of its query.
func (w *world) poll(eio int) (query string, c *client) {
	w.t.Helper()
	r := w.ask("GET", fmt.Sprintf("?EIO=%d&transport=polling", eio), "")
	if r.status != 200 {
		w.t.Fatalf("handshake: %d %s", r.status, r.body)
	}
	c = w.next()
	return fmt.Sprintf("?EIO=%d&transport=polling&sid=%s", eio, c.s.SID()), c
}

// get polls in the background.
func (w *world) get(query string) <-chan reply {
	ch := make(chan reply, 1)
	go func() {
		r, err := w.tryAsk(context.Background(), "GET", query, "")
		if err != nil {
			r.body = err.Error()
		}
		ch <- r
	}()
	return ch
}

func (w *world) take(ch <-chan reply) reply {
	w.t.Helper()
	select {
	case r := <-ch:
		return r
	case <-time.After(patience):
		w.t.Fatal("the poll does not return")
		return reply{}
	}
}

// waiting waits until a GET of the session waits.
func (c *client) waiting() {
	c.w.t.Helper()
	eventually(c.w.t, "a waiting GET", func() bool {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		p := c.s.phaseLocked().poll
		return p != nil && p.wake != nil
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

func repeat(s string, n int) []byte { return bytes.Repeat([]byte(s), n) }
