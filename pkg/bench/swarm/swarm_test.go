package swarm

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/stand"
	"sluice/pkg/bench/tally"
)

// bench is a swarm against a stand-in server.
type bench struct {
	t       *testing.T
	server  *stand.Server
	swarm   *Swarm
	control *Control
	sent    map[uint32]uint32
	sum     Stats // histograms of all snapshots
}

// inRoom makes the clients members of a room that the control connection is
// not in.
func inRoom(c *Options) {
	c.Auth = func(dst []byte, _ uint32) []byte { return append(dst, `{"documents":["all"]}`...) }
}

func start(t *testing.T, faults stand.Faults, change func(*Options)) *bench {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	cfg := Options{
		Path:    "/socket.io/",
		Sources: []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")},
		First:   100, Count: 40, Loops: 2, AtOnce: 8, ConnectTimeout: 30 * time.Second, RetryAfter: 20 * time.Millisecond,
		Settle: time.Second, Event: "message", Streams: 1,
	}
	if change != nil {
		change(&cfg)
	}
	var secure *tls.Config
	if cfg.TLS != nil {
		secure = certificate(t).TLS
	}
	server, err := stand.Listen("127.0.0.1:0", faults, secure)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Host = server.Addr()
	if cfg.Servers == nil {
		cfg.Servers = []netip.AddrPort{netip.MustParseAddrPort(server.Addr())}
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, server: server, swarm: s, sent: map[uint32]uint32{}}
	ctx, cancel := context.WithCancel(context.Background())
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Run(ctx) }()
	go func() { ran <- s.Run(ctx) }()
	if b.control, err = DialControl(t.Context(), server.Addr(), "/socket.io/", nil, cfg.TLS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.control.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b
}

// certificate is a server that has one, and a client that believes it.
func certificate(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	return s
}

func withTLS(t *testing.T, c *Options) {
	t.Helper()
	c.TLS = certificate(t).Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.TLS.ServerName = "127.0.0.1"
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) snapshot() Stats {
	b.t.Helper()
	s, err := b.swarm.Snapshot()
	b.must(err)
	return s
}

// until polls for at most a minute.
func (b *bench) until(what string, ok func(Stats) bool) Stats {
	b.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s := b.snapshot()
		s.ConnectTime.Merge(&b.sum.ConnectTime)
		s.Latency.Merge(&b.sum.Latency)
		s.Roundtrip.Merge(&b.sum.Roundtrip)
		if b.sum = s; ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("not within a minute: %s: %+v", what, s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// come lets clients connect, and tells how many.
func (b *bench) come(rate, share float64) int {
	b.t.Helper()
	n, err := b.swarm.Connect(rate, share)
	b.must(err)
	return n
}

func (b *bench) connect() {
	b.t.Helper()
	b.come(0, 1)
	b.until("all are up", func(s Stats) bool { return s.Up == 40 })
}

func (b *bench) push(stream uint32, room string) {
	b.t.Helper()
	at := Now()
	b.sent[stream]++
	b.must(b.swarm.Announce(stream, at))
	mark := string(AppendMark(nil, stream, b.sent[stream], at))
	_, err := b.control.Emit(b.t.Context(), "bench:push", room, "message", mark[1:len(mark)-1], map[string]int{"some": 1})
	b.must(err)
}

func TestEveryMessageIsCountedOnce(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) { c.Receipt = "bench:receipt" })
	b.connect()
	for range 25 {
		b.push(0, "")
	}
	s := b.until("all are delivered", func(s Stats) bool { return s.Delivered == 1000 })
	if s.Duplicates+s.Late+s.Foreign != 0 || s.Receipts != 1000 || s.Latency.Count() != 1000 || s.Latency.Max() > 5*time.Second {
		t.Errorf("%+v", s)
	}
	if s.Connects != 40 || s.ConnectTime.Count() != 40 {
		t.Errorf("%d connects, %d times", s.Connects, s.ConnectTime.Count())
	}
	balance, err := b.swarm.Balance()
	if b.must(err); balance.Expected != 1000 || balance.Lost != 0 || balance.Open != 0 {
		t.Errorf("%+v", balance)
	}
	var counts []struct{ Receipts int }
	data, err := b.control.Emit(t.Context(), "bench:count")
	b.must(err)
	for range 500 {
		if b.must(unmarshal(data, &counts)); counts[0].Receipts == 1000 {
			break
		}
		time.Sleep(5 * time.Millisecond)
		data, err = b.control.Emit(t.Context(), "bench:count")
		b.must(err)
	}
	if counts[0].Receipts != 1000 {
		t.Errorf("the server got %d receipts", counts[0].Receipts)
	}
}

// TestFaultsOfTheServerAreFound is what makes the figures of the tool worth
// something: each message that a server loses or repeats is found, and no other.
func TestFaultsOfTheServerAreFound(t *testing.T) {
	b := start(t, stand.Faults{Lose: 37, Repeat: 53, Swap: 71}, inRoom)
	b.connect()
	for range 50 {
		b.push(0, "all")
	}
	// The last message of a client may be held for the next, which does not come.
	s := b.until("all are delivered that will be, and repeated", func(s Stats) bool {
		return s.Delivered+b.server.Lost()+41 > 2000 && s.Duplicates >= b.server.Repeated()
	})
	var balance tally.Balance
	b.until("the balance to be that of what arrived", func(s Stats) bool {
		var err error
		balance, err = b.swarm.Balance()
		b.must(err)
		return balance.Expected == 2000 && balance.Lost == 2000-s.Delivered && balance.Lost <= b.server.Lost()+40
	})
	time.Sleep(100 * time.Millisecond) // for what must not come
	s2 := b.snapshot()
	if balance.Lost < b.server.Lost() {
		t.Errorf("%+v of which %d arrived; the server lost %d", balance, s2.Delivered, b.server.Lost())
	}
	if b.server.Lost() == 0 || b.server.Repeated() == 0 || s2.Duplicates != b.server.Repeated() {
		t.Errorf("%d duplicates, %d were sent", s2.Duplicates, b.server.Repeated())
	}
	if s.Late == 0 {
		t.Error("none was late")
	}
}

func TestADroppedConnectionOwesWhatItMissed(t *testing.T) {
	b := start(t, stand.Faults{Drop: 100}, inRoom)
	b.connect()
	for i := range uint64(10) {
		b.push(0, "all")
		drops := (i + 1) * 40 / 100
		b.until("all are up again", func(s Stats) bool { return s.Up == 40 && s.Connects == 40+drops })
	}
	s := b.snapshot()
	balance, err := b.swarm.Balance()
	if b.must(err); balance.Lost != 4 || s.Drops["end"]+s.Drops["reset"] != 4 {
		t.Errorf("%+v, %v", balance, s.Drops)
	}
}

func TestClientsThatComeAndGoOweNothing(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) { c.Settle = 5 * time.Second }) // machines may be slow
	b.connect()
	b.must(b.swarm.Churn(200))
	for range 60 {
		b.push(0, "")
		time.Sleep(5 * time.Millisecond)
	}
	b.must(b.swarm.Churn(0))
	b.until("all are back", func(s Stats) bool { return s.Up == 40 && s.Left > 20 })
	for range 10 {
		b.push(0, "")
	}
	s := b.until("nothing is on its way", func(Stats) bool {
		balance, err := b.swarm.Balance()
		return err == nil && balance.Lost == 0
	})
	balance, err := b.swarm.Balance()
	if b.must(err); balance.Lost != 0 || balance.Expected < 400 || s.Duplicates != 0 || len(s.Drops) != 0 {
		t.Errorf("%+v, %+v", balance, s)
	}
}

func TestACutCrowdComesBack(t *testing.T) {
	b := start(t, stand.Faults{}, nil)
	b.connect()
	b.must(b.swarm.Cut(0.5))
	s := b.until("all are back", func(s Stats) bool { return s.Up == 40 && s.Connects == 60 })
	if s.Left != 20 || len(s.Drops)+len(s.Failures) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestStreamsAreToldApart(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) {
		c.Streams = 2
		c.Stream = func(client uint32) uint32 { return client % 2 }
		c.Auth = func(dst []byte, client uint32) []byte {
			return append(dst, []string{`{"documents":["even"]}`, `{"documents":["odd"]}`}[client%2]...)
		}
	})
	b.connect()
	b.push(0, "even")
	b.push(1, "odd")
	b.push(1, "odd")
	b.until("all are delivered", func(s Stats) bool { return s.Delivered == 60 })
	b.push(0, "odd") // to the wrong room
	s := b.until("the wrong ones are seen", func(s Stats) bool { return s.Foreign == 20 })
	balance, err := b.swarm.Balance()
	if b.must(err); balance.Lost != 20 || s.Delivered != 60 {
		t.Errorf("%+v, %+v", balance, s)
	}
}

func TestEventsUpstreamAreAnsweredOnce(t *testing.T) {
	b := start(t, stand.Faults{}, nil)
	b.connect()
	b.must(b.swarm.Send(Upstream{Rate: 2000, Event: "bench:echo", Bytes: 100, Ack: true}))
	b.until("some are answered", func(s Stats) bool { return s.Answered > 300 })
	b.must(b.swarm.Send(Upstream{}))
	s := b.until("all are answered", func(s Stats) bool { return s.Answered == s.Sent })
	if s.Roundtrip.Count() != s.Answered || s.Again != 0 {
		t.Errorf("%d of %d have a time, %d came again", s.Roundtrip.Count(), s.Answered, s.Again)
	}
}

// TestNobodyLeavesBeforeTheAnswer: what a client would not hear is not lost.
func TestNobodyLeavesBeforeTheAnswer(t *testing.T) {
	l := newLoop(&Options{}, 0, 1)
	c := &l.clients[0]
	c.state, c.sender, l.stats.Up = up, &sender{sent: 2}, 1
	l.upstream.Ack = true
	c.sender.acks.See(1)
	if l.leaveOne(); l.stats.Left != 0 {
		t.Error("it left while it waits")
	}
	c.sender.acks.See(2)
	if l.leaveOne(); l.stats.Left != 1 {
		t.Error("it stays although everything is answered")
	}
}

func TestEventsWithoutANumberAreTimedToo(t *testing.T) {
	b := start(t, stand.Faults{}, nil)
	b.connect()
	b.must(b.swarm.Send(Upstream{Rate: 200, Event: "other", Args: `["-"]`, Ack: true}))
	b.until("some are answered", func(s Stats) bool { return s.Answered > 50 })
	b.must(b.swarm.Send(Upstream{}))
	s := b.until("all are answered", func(s Stats) bool { return s.Answered == s.Sent })
	// A client whose turn came again before its answer has no time for that one.
	if s.Roundtrip.Count() < s.Answered/2 || s.Roundtrip.Count() > s.Answered || s.Again+s.Foreign != 0 {
		t.Errorf("%d of %d have a time: %+v", s.Roundtrip.Count(), s.Answered, s)
	}
}

func TestAShareOfTheClientsComesFirst(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) { c.KeepIDs = true })
	if n := b.come(0, 0.3); n != 12 {
		t.Errorf("%d clients of 40 may come", n)
	}
	b.until("they are up", func(s Stats) bool { return s.Up == 12 })
	b.must(b.swarm.Cut(1))
	s := b.until("they are back", func(s Stats) bool { return s.Up == 12 && s.Connects == 24 })
	if s.Connecting != 0 {
		t.Errorf("%d more are on their way", s.Connecting)
	}
	b.connect()
	ids, err := b.swarm.SocketIDs()
	b.must(err)
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = id != ""
	}
	if len(ids) != 40 || len(seen) != 40 || seen[""] {
		t.Errorf("ids: %q", ids)
	}
}

func TestSlowReadersAreNotCounted(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) { c.Slow = 5 })
	b.connect()
	b.push(0, "")
	s := b.until("the others have it", func(s Stats) bool { return s.Delivered == 30 })
	balance, err := b.swarm.Balance()
	if b.must(err); balance.Expected != 30 || s.Slow != 10 {
		t.Errorf("%+v, %d slow", balance, s.Slow)
	}
}

// TestTLSClientsCountTheSame has messages larger than a record of TLS, and all
// ways in which connections end.
func TestTLSClientsCountTheSame(t *testing.T) {
	b := start(t, stand.Faults{Lose: 97, Drop: 300}, func(c *Options) {
		withTLS(t, c)
		inRoom(c)
		c.Receipt = "bench:receipt"
	})
	b.connect()
	large := strings.Repeat("x", 40_000)
	for i := range uint64(15) {
		at := Now()
		b.sent[0]++
		b.must(b.swarm.Announce(0, at))
		mark := string(AppendMark(nil, 0, b.sent[0], at))
		_, err := b.control.Emit(t.Context(), "bench:push", "all", "message", mark[1:len(mark)-1], large)
		b.must(err)
		drops := (i + 1) * 40 / 300
		b.until("all are up again", func(s Stats) bool { return s.Up == 40 && s.Connects == 40+drops })
	}
	s := b.until("all are delivered", func(s Stats) bool { return s.Delivered == 600-2-b.server.Lost() })
	balance, err := b.swarm.Balance()
	if b.must(err); balance.Expected != 600 || balance.Lost != b.server.Lost()+2 || b.server.Lost() != 6 || s.Receipts != s.Delivered {
		t.Errorf("%+v, the server lost %d: %+v", balance, b.server.Lost(), s)
	}
	b.must(b.swarm.Churn(100))
	b.until("some have left and come", func(s Stats) bool { return s.Left > 10 && s.Connects > 52 })
	b.must(b.swarm.Churn(0))
	b.must(b.swarm.Cut(1))
	s = b.until("all are back", func(s Stats) bool { return s.Up == 40 })
	if len(s.Failures) != 0 || s.Duplicates != 0 {
		t.Errorf("%+v", s)
	}
}

func TestACertificateOfNobodyIsRefused(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) { withTLS(t, c) })
	b.swarm.loops[0].cfg.TLS.RootCAs = nil
	b.come(0, 1)
	b.until("refusals are counted", func(s Stats) bool { return s.Failures["certificate"] > 0 })
}

func TestFailuresAreNamed(t *testing.T) {
	b := start(t, stand.Faults{}, func(c *Options) { c.Servers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")} })
	b.come(0, 1)
	b.until("refusals are counted", func(s Stats) bool { return s.Failures["refused"] >= 80 })
}

func TestAConnectRateIsKept(t *testing.T) {
	b := start(t, stand.Faults{}, nil)
	began := time.Now()
	b.come(100, 1)
	b.until("all are up", func(s Stats) bool { return s.Up == 40 })
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("40 connects at 100 a second took %v", took)
	}
}

func TestASwarmThatEndedSaysSo(t *testing.T) {
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	s, err := New(Options{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, Count: 1, Loops: 1, AtOnce: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(); err != ErrEnded {
		t.Errorf("Snapshot: %v", err)
	}
}
