package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/edge"
	"sluice/pkg/transport"
)

// clientPort is an HTTP server of our own, because EGO's is made for short
// requests. Before the gateway is there it answers 503.
type clientPort struct {
	cfg     edge.Config
	log     *elog.Component
	port    *edge.Port
	tls     *edge.TLS // nil without
	health  *health
	server  *http.Server
	handler atomic.Pointer[http.Handler]
}

func newClientPort(cfg edge.Config, h *health, m *edge.Metrics, log *elog.Component) (*clientPort, error) {
	e := &clientPort{cfg: cfg, log: log, health: h, port: edge.NewPort(cfg, m, log)}
	if cfg.TLS() {
		var err error
		if e.tls, err = e.port.TLS(); err != nil {
			return nil, err
		}
	}
	h.shedding(e.port.Full)
	e.server = e.port.Server(e)
	e.server.ErrorLog = quietLog(log)
	return e, nil
}

// serve lets h answer from now on.
func (e *clientPort) serve(h http.Handler) { e.handler.Store(&h) }

func (e *clientPort) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	paths := &e.cfg.Health
	switch r.URL.Path {
	case "": // "OPTIONS *" has none, and neither has a path that is switched off
	case paths.Live:
		e.health.live(w, r)
		return
	case paths.Ready:
		e.health.complete(w, r)
		return
	case paths.Accept:
		e.health.accepting(w, r)
		return
	}
	if h := e.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "2")
	http.Error(w, "starting", http.StatusServiceUnavailable)
}

// run listens until ctx ends; then open requests have a moment to finish.
// WebSockets are the gateway's, which has closed them by then.
func (e *clientPort) run(ctx context.Context) error {
	inner, err := listen(ctx, e.cfg.Listen)
	if err != nil {
		return fmt.Errorf("client port: %w", err)
	}
	if e.tls != nil {
		watching := make(chan struct{})
		ctx, cancel := context.WithCancel(ctx)
		defer func() { cancel(); <-watching }()
		go func() {
			defer close(watching)
			_ = e.tls.Watch(ctx, e.cfg.ReloadEvery) // ends with ctx, and only then
		}()
	}
	failed := make(chan error, len(inner))
	for _, l := range inner {
		ln := e.over(l)
		go func() { failed <- e.server.Serve(ln) }()
		e.log.Info("client port open", elog.String("addr", l.Addr().String()), elog.Any("tls", e.tls != nil))
	}
	select {
	case err := <-failed:
		return fmt.Errorf("client port: %w", errors.Join(err, e.server.Close()))
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := e.server.Shutdown(bounded); err != nil {
		err = errors.Join(err, e.server.Close())
		e.log.Warn("client port cut", elog.FieldErr(err))
	}
	for range inner {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			e.log.Warn("client port ended", elog.FieldErr(err))
		}
	}
	return nil
}

// over puts the layers of the port on a listener: limits and PROXY headers, TLS
// over what lets the transport write past it, and WebSockets past net/http.
func (e *clientPort) over(l *net.TCPListener) net.Listener {
	var secure edge.Secure
	if e.tls != nil {
		secure = func(c net.Conn) *tls.Conn { return tls.Server(transport.Below(c), e.tls.Config()) }
	}
	ln := e.port.Listen(l)
	ln.Upgrades(e.server.Handler, secure)
	return ln
}

// quietLog drops net/http's lines about clients that leave in the middle of a
// handshake, of which a public port has thousands, and passes on the rest.
func quietLog(to *elog.Component) *log.Logger {
	return log.New(logWriter(func(line string) {
		if strings.Contains(line, "TLS handshake error") {
			to.Debug("client port", elog.String("line", line))
			return
		}
		to.Warn("client port", elog.String("line", line))
	}), "", 0)
}

type logWriter func(string)

func (w logWriter) Write(p []byte) (int, error) {
	w(strings.TrimSpace(string(p)))
	return len(p), nil
}
