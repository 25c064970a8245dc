// Command plain is a Socket.IO server of Sluice's parts and nothing behind them:
// edge, transport and socketio, without tokens, rooms, Kafka and Redis. It is
// what the other libraries are to be compared with.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/edge"
	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

type server struct {
	transport *transport.Server
	ids       atomic.Uint64
	received  atomic.Int64
	jobs      chan *transport.Frame
}

func main() {
	cfg := edge.DefaultConfig()
	cfg.ConnsPerSecond, cfg.MaxConnsPerAddress = 0, 0
	flag.StringVar(&cfg.CertFile, "cert", "", "certificate")
	flag.StringVar(&cfg.KeyFile, "key", "", "its key")
	flag.Parse()
	s := &server{jobs: make(chan *transport.Frame, 1024)}
	s.transport = transport.NewServer(transport.DefaultConfig(), transport.Hooks{
		NewID: func() (uint64, error) { return s.ids.Add(1), nil },
		Open: func(session *transport.Session, _ *http.Request) transport.Receiver {
			return &client{server: s, session: session}
		},
	}, transport.NewMetrics(prometheus.NewRegistry()), elog.DefaultLogger)
	go func() { fail(s.transport.Run(context.Background())) }()
	go s.deliver()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	go serve(cfg, l.(*net.TCPListener), s.transport)
	text := []byte(`2["m","` + strings.Repeat("x", 466) + `"]`)
	control(l.Addr(), func(times int) {
		for range times {
			s.jobs <- transport.NewFrame(text)
		}
	}, s.received.Load)
}

// serve answers clients as ws-gateway does.
func serve(cfg edge.Config, l *net.TCPListener, handler http.Handler) {
	port := edge.NewPort(cfg, edge.NewMetrics(prometheus.NewRegistry()), elog.DefaultLogger)
	server := port.Server(handler)
	var secure edge.Secure
	if cfg.TLS() {
		config, err := port.TLS()
		if err != nil {
			fail(err)
		}
		secure = func(c net.Conn) *tls.Conn { return tls.Server(transport.Below(c), config.Config()) }
	}
	clients := port.Listen(l)
	clients.Upgrades(server.Handler, secure)
	fail(server.Serve(clients))
}

// deliver sends what is queued to everybody: together, if several wait.
func (s *server) deliver() {
	var batch transport.Batch
	for f := range s.jobs {
		waiting := []*transport.Frame{f}
		for len(s.jobs) > 0 {
			waiting = append(waiting, <-s.jobs)
		}
		if len(waiting) > 1 {
			f = transport.Join(waiting...)
		}
		s.transport.Each(func(session *transport.Session) bool {
			_ = batch.Send(session, f) // one that cannot take it is being closed
			return true
		})
		batch.Flush()
	}
}

// client is what is kept of one.
type client struct {
	server  *server
	session *transport.Session
}

func (c *client) Message(data []byte, _ bool) {
	p, err := socketio.Parse(data, socketio.Rev5, socketio.Limits{})
	if err != nil {
		c.session.Close(transport.ReasonParse)
		return
	}
	switch p.Type {
	case socketio.Connect:
		answer := socketio.AppendConnect(nil, p.Namespace, strconv.FormatUint(c.session.ID(), 36), socketio.Rev5)
		_ = c.session.Send(transport.NewFrame(answer)) // as above
	case socketio.Event:
		c.server.received.Add(1)
	}
}

func (c *client) Closed(transport.Reason) {}

// fail ends the process: nothing that the server does is worth going on without.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
