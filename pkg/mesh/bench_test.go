package mesh

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// BenchmarkDeliver queues as fast as the callee takes, and waits for the last.
func BenchmarkDeliver(b *testing.B) {
	cfg := testConfig()
	cfg.DeliverWithin = 0
	var taken atomic.Int64
	p := start(b, cfg, 1, "boot", "", &fake{deliver: func([]byte) bool { taken.Add(1); return true }})
	c := NewClient(cfg, newBook(p.Member), quiet(), NewMetrics(prometheus.NewRegistry()))
	defer c.Close()
	body := make([]byte, 480)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		for c.Deliver(1, body) != nil {
			time.Sleep(50 * time.Microsecond)
		}
	}
	for taken.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkForward is one small poll there and back.
func BenchmarkForward(b *testing.B) {
	cfg := testConfig()
	p := start(b, cfg, 1, "boot", "", &fake{http: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "6") }})
	c := NewClient(cfg, newBook(p.Member), quiet(), NewMetrics(prometheus.NewRegistry()))
	defer c.Close()
	r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling&sid=x", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Forward(httptest.NewRecorder(), r, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTunnelEcho is one 100-byte WebSocket message up and down; direct is
// the same without a mesh between.
func BenchmarkTunnelEcho(b *testing.B) {
	cfg := testConfig()
	closed := make(chan error, 1)
	p := start(b, cfg, 1, "boot", "", &fake{http: echo(closed)})
	c := NewClient(cfg, newBook(p.Member), quiet(), NewMetrics(prometheus.NewRegistry()))
	defer c.Close()
	for name, h := range map[string]http.HandlerFunc{
		"direct": echo(closed),
		"tunnel": func(w http.ResponseWriter, r *http.Request) { _ = c.Forward(w, r, 1) },
	} {
		b.Run(name, func(b *testing.B) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			ws, _, err := websocket.DefaultDialer.Dial("ws"+srv.URL[len("http"):], nil)
			if err != nil {
				b.Fatal(err)
			}
			body := make([]byte, 100)
			b.ReportAllocs()
			for b.Loop() {
				if err := ws.WriteMessage(websocket.BinaryMessage, body); err != nil {
					b.Fatal(err)
				}
				if _, _, err := ws.ReadMessage(); err != nil {
					b.Fatal(err)
				}
			}
			ws.Close()
			<-closed
		})
	}
}

// BenchmarkIdleTunnel reports what an idle tunnel costs, both sides together
// and with the client's TCP connection: bytes of heap and stack.
func BenchmarkIdleTunnel(b *testing.B) {
	cfg := testConfig()
	conns := make(chan net.Conn, 1)
	p := start(b, cfg, 1, "boot", "", &fake{http: switched(conns)})
	c := NewClient(cfg, newBook(p.Member), quiet(), NewMetrics(prometheus.NewRegistry()))
	defer c.Close()
	e := &edge{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = c.Forward(w, r, 1) }))}
	defer e.Close()
	const n = 500
	var ends []net.Conn
	before, goroutines := inUse(), runtime.NumGoroutine()
	for b.Loop() {
		for len(ends) < 2*n {
			client, _, _ := upgrade(b, e, "")
			callee := <-conns
			go func() { _, _ = callee.Read(make([]byte, 1)); callee.Close() }()
			ends = append(ends, client, callee)
		}
	}
	b.ReportMetric(float64(inUse()-before)/n, "bytes/tunnel")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n, "goroutines/tunnel")
	for _, nc := range ends {
		nc.Close()
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
