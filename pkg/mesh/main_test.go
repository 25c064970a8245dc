package mesh

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // elog starts goroutines when it is imported
}

const patience = time.Minute

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithZapCore(zapcore.NewNopCore()))
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Token = "a token for the tests"
	cfg.BackoffBase, cfg.BackoffMax = 10*time.Millisecond, 100*time.Millisecond
	cfg.TunnelLinger = time.Second
	return cfg
}

// fake is a Handler made of functions.
type fake struct {
	deliver func([]byte) bool
	call    func(context.Context, id.Socket, []byte) *meshv1.CallResponse
	control func(context.Context, *meshv1.ControlRequest) *meshv1.ControlResponse
	reply   func(*meshv1.ReplyRequest) *meshv1.ReplyResponse
	revoke  func(*meshv1.RevokeRequest) *meshv1.RevokeResponse
	http    http.HandlerFunc
}

func (f *fake) Deliver(body []byte) bool { return f.deliver(body) }
func (f *fake) Call(ctx context.Context, s id.Socket, body []byte) *meshv1.CallResponse {
	return f.call(ctx, s, body)
}
func (f *fake) Control(ctx context.Context, req *meshv1.ControlRequest) *meshv1.ControlResponse {
	return f.control(ctx, req)
}
func (f *fake) Reply(req *meshv1.ReplyRequest) *meshv1.ReplyResponse { return f.reply(req) }
func (f *fake) Revoke(req *meshv1.RevokeRequest) *meshv1.RevokeResponse {
	return f.revoke(req)
}
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.http(w, r) }

// book is a Directory.
type book struct {
	mu      sync.Mutex
	members map[id.Replica]Member
	late    map[id.Replica]Member // whom only Find knows
	sought  int                   // calls of Find for those who are not known
}

func newBook(members ...Member) *book {
	b := &book{members: make(map[id.Replica]Member)}
	for _, m := range members {
		b.put(m)
	}
	return b
}

func (b *book) put(m Member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members[m.Replica] = m
}

func (b *book) remove(r id.Replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.members, r)
}

func (b *book) Lookup(r id.Replica) (Member, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, ok := b.members[r]
	return m, ok
}

// Find also knows those who have only just come, and counts the calls for them.
func (b *book) Find(_ context.Context, r id.Replica) (Member, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m, ok := b.members[r]; ok {
		return m, true
	}
	b.sought++
	m, ok := b.late[r]
	return m, ok
}

func (b *book) Gateways() []Member { return nil }

// process is a callee: a Server on a gRPC server on a loopback port.
type process struct {
	Member
	srv  *Server
	m    *Metrics
	grpc *grpc.Server
	stop context.CancelFunc
	ran  chan error
	once sync.Once
}

// start runs a process until the test ends, or stop or kill. An empty address
// means any.
func start(t testing.TB, cfg Config, r id.Replica, boot, address string, h Handler) *process {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	var ln net.Listener
	eventually(t, "the port to be free", func() bool {
		var err error
		ln, err = net.Listen("tcp", address)
		return err == nil
	})
	opts, err := cfg.ServerOptions()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := NewMetrics(prometheus.NewRegistry())
	p := &process{
		Member: Member{Replica: r, Boot: boot, Address: ln.Addr().String(), Service: "ws-gateway"},
		srv:    NewServer(cfg, boot, h, quiet(), m),
		m:      m,
		grpc:   grpc.NewServer(opts...),
		stop:   cancel,
		ran:    make(chan error, 1),
	}
	p.srv.Register(p.grpc)
	served := make(chan struct{})
	go func() { p.ran <- p.srv.Run(ctx) }()
	go func() { defer close(served); _ = p.grpc.Serve(ln) }()
	t.Cleanup(func() {
		p.kill()
		within(t, "Serve to return", served)
	})
	return p
}

// kill ends the process as abruptly as can be done from inside.
func (p *process) kill() {
	p.once.Do(func() {
		p.grpc.Stop()
		p.stop()
		select {
		case <-p.ran:
		case <-time.After(patience):
			panic("Server.Run does not return")
		}
	})
}

// dial returns a client that is closed at the end of the test.
func dial(t *testing.T, cfg Config, dir Directory) *Client {
	t.Helper()
	c := NewClient(cfg, dir, quiet(), NewMetrics(prometheus.NewRegistry()))
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ran:
			if err != nil {
				t.Errorf("Client.Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Client.Run does not return")
		}
	})
	return c
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func within(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// value reads a counter or gauge.
func value(m prometheus.Metric) float64 {
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		panic(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
