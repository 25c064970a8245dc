package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/transport"
)

// edge is the port for clients: an HTTP server of our own, because EGO's is
// made for short requests. Before the gateway is there it answers 503.
type edge struct {
	cfg     EdgeConfig
	log     *elog.Component
	cert    *certificate
	server  *http.Server
	handler atomic.Pointer[http.Handler]
}

func newEdge(cfg EdgeConfig, log *elog.Component) (*edge, error) {
	e := &edge{cfg: cfg, log: log}
	if cfg.CertFile != "" {
		cert, err := loadCertificate(cfg.CertFile, cfg.KeyFile, log)
		if err != nil {
			return nil, err
		}
		e.cert = cert
	}
	e.server = &http.Server{
		Handler:           e,
		ReadHeaderTimeout: cfg.HeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		ErrorLog:          quietLog(log),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
	}
	return e, nil
}

// serve lets h answer from now on.
func (e *edge) serve(h http.Handler) { e.handler.Store(&h) }

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := e.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "2")
	http.Error(w, "starting", http.StatusServiceUnavailable)
}

// run listens until ctx ends; then open requests have a moment to finish.
// WebSockets are the gateway's, which has closed them by then.
func (e *edge) run(ctx context.Context) error {
	inner, err := listen(ctx, e.cfg.Listen)
	if err != nil {
		return fmt.Errorf("client port: %w", err)
	}
	if e.cert != nil {
		watching := make(chan struct{})
		ctx, cancel := context.WithCancel(ctx)
		defer func() { cancel(); <-watching }()
		go func() {
			defer close(watching)
			_ = e.cert.watch(ctx, e.cfg.ReloadEvery) // ends with ctx, and only then
		}()
	}
	failed := make(chan error, len(inner))
	for _, l := range inner {
		ln := transport.Listen(l)
		if e.cert != nil {
			ln = tls.NewListener(ln, e.cert.config("http/1.1")) // a WebSocket needs nothing newer
		}
		go func() { failed <- e.server.Serve(ln) }()
		e.log.Info("client port open", elog.String("addr", l.Addr().String()), elog.Any("tls", e.cert != nil))
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
