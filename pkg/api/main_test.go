package api

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestMain(m *testing.M) {
	elog.EgoLogger, elog.DefaultLogger = quiet, quiet
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // EGO has started its loggers
}

var quiet = func() *elog.Component {
	if os.Getenv("SLUICE_TEST_LOG") != "" {
		return elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithDebug(true))
	}
	return elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
}()

// patience bounds every wait of a test.
const patience = time.Minute

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// take waits for a value.
func take[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		if !ok {
			t.Fatalf("%s: the channel is closed", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	panic("unreachable")
}

const (
	token      = "0123456789abcdef"
	otherToken = "fedcba9876543210"
)

// docs is the component that most tests call as; it may do everything.
func docs() ComponentConfig {
	return ComponentConfig{
		Name: "docs", Tokens: []string{token, otherToken}, Methods: []string{"*"}, Documents: []string{"doc-*"},
		Events: []string{"edit", "cursor:*"}, Namespaces: []string{"/", "/chat*"}, Presence: true,
	}
}

// world is the service in a real gRPC server on loopback, with what it needs.
type world struct {
	t      testing.TB
	cfg    Config
	deps   Deps
	mesh   *fakeMesh
	ids    *id.Generator
	server *Server
	addr   string
	client sluicev1.SluiceClient
	stop   func() // ends Run; the gRPC server goes on
}

// newWorld starts the service. change may alter the settings and what it depends on.
func newWorld(t testing.TB, change ...func(w *world)) *world {
	t.Helper()
	w := &world{t: t, cfg: DefaultConfig(), mesh: newFakeMesh()}
	w.ids = id.NewGenerator(100, id.Window{Until: id.MaxMillis}, time.Now)
	w.cfg.Components = []ComponentConfig{docs()}
	w.cfg.Subscribe.Linger = 200 * time.Millisecond
	w.deps = Deps{
		IDs: w.ids, Mesh: w.mesh, Gone: errGone, Busy: errBusy, DownTopic: "ws.down", Version: "test",
		Log: quiet, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	for _, f := range change {
		f(w)
	}
	s, err := New(w.cfg, w.deps)
	if err != nil {
		t.Fatal(err)
	}
	w.server = s
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	var once atomic.Bool
	w.stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := take(t, "the end of Run", ran); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	w.serve()
	return w
}

func (w *world) serve(extra ...grpc.ServerOption) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	opts := append(w.cfg.Server.ServerOptions(),
		grpc.ChainUnaryInterceptor(w.server.UnaryInterceptor()), grpc.ChainStreamInterceptor(w.server.StreamInterceptor()))
	g := grpc.NewServer(append(opts, extra...)...)
	sluicev1.RegisterSluiceServer(g, w.server)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	w.addr = l.Addr().String()
	conn := w.dial(grpc.WithTransportCredentials(insecure.NewCredentials()))
	w.client = sluicev1.NewSluiceClient(conn)
	w.t.Cleanup(func() {
		stopped := make(chan struct{})
		go func() {
			g.Stop()
			close(stopped)
		}()
		w.stop()
		<-stopped
		<-served
	})
}

func (w *world) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	conn, err := grpc.NewClient(w.addr, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// as returns a context with credentials and a bound.
func (w *world) as(component, token string) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, metaComponent, component, metaToken, token)
}

func (w *world) ctx() context.Context { return w.as("docs", token) }

// counted returns the value of a counter with these labels.
func counted(c *prometheus.CounterVec, labels ...string) float64 {
	return value(c.WithLabelValues(labels...))
}

func value(m prometheus.Metric) float64 {
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		panic(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
