package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"

	"sluice/pkg/auth"
	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/session"
	"sluice/pkg/stream"
	"sluice/pkg/transport"
)

// world is a gateway with everything around it in memory: the systems of other
// packages have their own tests, and the whole is tested in pkg/e2e.
type world struct {
	t       testing.TB
	gateway *Gateway
	server  *httptest.Server

	policy auth.Policy

	mu      sync.Mutex                                          // guards what follows
	verify  func(authType, token string) (auth.Identity, error) // instead of believing names
	revoked func(session.Token) (bool, error)
	recent  []session.Revocation
	up      []bus.Record
	instead atomic.Pointer[Uplink] // takes events in place of the world, unless nil
	upErr   error
	index   map[id.Socket]session.Client
	removed []int // sockets per call of Remove
	handle  func(stream.Entry)
	started chan struct{}
}

var errAway = errors.New("away")

// patience bounds every wait of the tests: how long until they give up, and not
// how fast anything is.
const patience = time.Minute

func newWorld(t testing.TB, change func(*Config, *transport.Config)) *world {
	t.Helper()
	w := &world{t: t, index: map[id.Socket]session.Client{}, started: make(chan struct{})}
	w.policy = auth.Policy{Warning: time.Minute, Remembered: 100}
	cfg, wire := DefaultConfig(), transport.DefaultConfig()
	cfg.DrainWindow, wire.FlushTimeout = 0, 200*time.Millisecond
	wire.PingInterval, wire.HeartbeatStart = 10*time.Minute, 10*time.Minute // clients wait for their turn on a slow machine
	if change != nil {
		change(&cfg, &wire)
	}
	log := elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
	w.gateway = New(cfg, wire, Deps{
		IDs: id.NewGenerator(5, id.Window{Until: 1 << 40}, time.Now), Verifier: w, Revocations: w, Policy: w.policy, Uplink: w, Downlink: idle{},
		Stream: w, Index: (*worldIndex)(w), Mesh: w, UpTopic: "up", Replica: 5, Boot: "boot", Version: "test",
	}, func(*http.Request) bool { return false }, NewMetrics(prometheus.NewRegistry()), transport.NewMetrics(prometheus.NewRegistry()), log)
	w.server = httptest.NewServer(w.gateway)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.gateway.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.server.Close()
	})
	<-w.started
	return w
}

// Revoked is session.Revocations'.
func (w *world) Revoked(_ context.Context, t session.Token) (bool, error) {
	w.mu.Lock()
	f := w.revoked
	w.mu.Unlock()
	if f == nil {
		return false, nil
	}
	return f(t)
}

// Recent is session.Revocations'.
func (w *world) Recent(context.Context, time.Time) ([]session.Revocation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.recent, nil
}

// Verify believes any token that is a user's name, except "bad".
func (w *world) Verify(_ context.Context, authType, token string) (auth.Identity, error) {
	w.mu.Lock()
	f := w.verify
	w.mu.Unlock()
	if f != nil {
		return f(authType, token)
	}
	if token == "bad" {
		return auth.Identity{}, auth.ErrRefused
	}
	return auth.Identity{User: id.User(token), AuthType: authType, Docs: []string{"open-*"}}, nil
}

func (w *world) EnqueueFrom(from *bus.Record, done func(error)) error {
	if up := w.instead.Load(); up != nil {
		return (*up).EnqueueFrom(from, done)
	}
	rec := *from
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.upErr != nil {
		return w.upErr
	}
	rec.Body, rec.Headers.Stamps = bytes.Clone(rec.Body), slices.Clone(rec.Headers.Stamps) // they are the caller's
	if rec.BySocket {
		rec.Key = rec.Headers.Socket.String()
	}
	if rec.Headers.TraceID == "" {
		rec.Headers.TraceID, rec.Headers.Trace = string(rec.Headers.Trace), nil
	}
	w.up = append(w.up, rec)
	go done(nil)
	return nil
}

func (w *world) AppendMany(context.Context, []stream.Item) []stream.Result { return nil }
func (w *world) ShardOf(id.Target) int                                     { return 2 }

func (w *world) Run(ctx context.Context, handle func(stream.Entry)) error {
	w.handle = handle
	close(w.started)
	<-ctx.Done()
	return nil
}

func (w *world) Forward(http.ResponseWriter, *http.Request, id.Replica) error { return errAway }

type idle struct{}

func (idle) Run(ctx context.Context, _ func(context.Context, *bus.Delivery)) error {
	<-ctx.Done()
	return nil
}

// worldIndex is the session index in memory.
type worldIndex world

func (w *worldIndex) Add(_ context.Context, c session.Client) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index[c.Socket] = c
	return nil
}

func (w *worldIndex) Remove(_ context.Context, clients ...session.Client) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removed = append(w.removed, len(clients))
	for _, c := range clients {
		delete(w.index, c.Socket)
	}
	return nil
}

func (w *worldIndex) Join(_ context.Context, s id.Socket, docs ...id.Doc) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.index[s]
	c.Docs = append(slices.Clone(c.Docs), docs...)
	w.index[s] = c
	return nil
}

func (w *worldIndex) Leave(_ context.Context, s id.Socket, docs ...id.Doc) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.index[s]
	c.Docs = slices.DeleteFunc(slices.Clone(c.Docs), func(x id.Doc) bool { return slices.Contains(docs, x) })
	w.index[s] = c
	return nil
}

// indexed returns what the index has of a socket.
func (w *world) indexed(s id.Socket) (session.Client, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.index[s]
	return c, ok
}

// events lists the upstream events as "Connect", "Message name", "Disconnect reason".
func (w *world) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, r := range w.up {
		u, err := bus.DecodeUp(r.Body)
		if err != nil {
			w.t.Error(err)
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s%s", r.Headers.Event, u.Event, u.Reason)))
	}
	return all
}

// push hands an entry to the gateway as the broadcast would.
func (w *world) push(p bus.Push) {
	w.t.Helper()
	if p.Mid == 0 {
		var err error
		if p.Mid, err = w.gateway.deps.IDs.Message(); err != nil {
			w.t.Fatal(err)
		}
	}
	body, err := p.Append(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.handle(stream.Entry{Shard: 2, Target: p.Target, Mid: p.Mid, Body: body})
}

// poller is a client over long polling: its packets can be written by hand.
type poller struct {
	w     *world
	url   string
	id    id.Socket
	queue []string // packets received and not yet taken
}

// dial opens an Engine.IO session and connects to "/" with an auth payload.
func (w *world) dial(payload string) *poller {
	w.t.Helper()
	p := w.open()
	p.send("40" + payload)
	answer := p.next()
	sid, ok := strings.CutPrefix(answer, `40{"sid":"`)
	if !ok {
		w.t.Fatalf("connect is answered %q", answer)
	}
	var err error
	if p.id, err = id.ParseSocket(sid[:13]); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) open() *poller {
	w.t.Helper()
	p := &poller{w: w, url: w.server.URL + "/socket.io/?EIO=4&transport=polling"}
	hello := p.next()
	_, rest, ok := strings.Cut(hello, `"sid":"`)
	if !ok {
		w.t.Fatalf("handshake is answered %q", hello)
	}
	sid, _, _ := strings.Cut(rest, `"`)
	p.url += "&sid=" + sid
	return p
}

func (p *poller) send(packets ...string) {
	p.w.t.Helper()
	r, err := http.Post(p.url, "text/plain", strings.NewReader(strings.Join(packets, "\x1e")))
	if err != nil {
		p.w.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "ok" {
		p.w.t.Fatalf("post %q is answered %d %q, %v", packets, r.StatusCode, body, err)
	}
	_ = r.Body.Close() // read to its end
}

// next returns the next packet, and answers pings on the way.
func (p *poller) next() string {
	p.w.t.Helper()
	for {
		for len(p.queue) == 0 {
			p.queue = p.poll()
		}
		packet := p.queue[0]
		p.queue = p.queue[1:]
		if packet != "2" {
			return packet
		}
		p.send("3")
	}
}

func (p *poller) poll() []string {
	p.w.t.Helper()
	client := http.Client{Timeout: patience}
	r, err := client.Get(p.url)
	if err != nil {
		p.w.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.w.t.Fatal(err)
	}
	_ = r.Body.Close() // read to its end
	if r.StatusCode != http.StatusOK {
		return []string{fmt.Sprintf("HTTP %d", r.StatusCode)}
	}
	return strings.Split(string(body), "\x1e")
}

func (p *poller) expect(want ...string) {
	p.w.t.Helper()
	for _, packet := range want {
		if got := p.next(); got != packet {
			p.w.t.Fatalf("got %q, want %q", got, packet)
		}
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
