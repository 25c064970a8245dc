package edge

import (
	"net"
	"net/http"
	"net/netip"
	"time"
)

// bufferSlop is what net/http adds to Server.MaxHeaderBytes.
const bufferSlop = 4096

// Server is an HTTP server with the bounds of the config. net/http would allow a
// header that is longer than told by its buffer, and HTTP/2.
func (p *Port) Server(next http.Handler) *http.Server {
	return &http.Server{
		Handler:           &guard{port: p, next: next},
		ReadHeaderTimeout: p.cfg.HeaderTimeout,
		IdleTimeout:       p.cfg.IdleTimeout,
		MaxHeaderBytes:    p.cfg.MaxHeaderBytes - bufferSlop,
		TLSNextProto:      noHTTP2(),
	}
}

// Why a request is refused for its form, as a metric's label.
const (
	requestHeaders = "headers" // too many lines
	requestVersion = "version" // not HTTP/1
	requestBody    = "body"    // an upgrade with one
)

// guard is in front of everything that answers requests.
type guard struct {
	port *Port
	next http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrade := len(r.Header["Upgrade"]) > 0
	body := r.ContentLength != 0
	switch {
	case r.ProtoMajor != 1:
		g.refuse(w, requestVersion, http.StatusHTTPVersionNotSupported)
		return
	case headerLines(r.Header) > g.port.cfg.MaxHeaders:
		g.refuse(w, requestHeaders, http.StatusRequestHeaderFieldsTooLarge)
		return
	case upgrade && body:
		g.refuse(w, requestBody, http.StatusBadRequest)
		return
	}
	if len(g.port.trusted) > 0 {
		r.RemoteAddr = g.port.clientOf(r)
	}
	if upgrade { // the connection may be somebody else's afterwards
		g.next.ServeHTTP(w, r)
		return
	}
	rc := http.NewResponseController(w)
	if body {
		rc.SetReadDeadline(time.Now().Add(g.port.cfg.BodyTimeout))
	}
	g.next.ServeHTTP(w, r)
	// net/http sends the rest of the answer now, and reads the rest of the body.
	now := time.Now()
	if body {
		rc.SetReadDeadline(now.Add(g.port.cfg.BodyTimeout))
	}
	rc.SetWriteDeadline(now.Add(g.port.cfg.WriteTimeout))
}

func (g *guard) refuse(w http.ResponseWriter, reason string, status int) {
	g.port.m.requests.WithLabelValues(reason).Inc()
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Now().Add(g.port.cfg.BodyTimeout)) // net/http reads some of the body yet
	w.Header()["Connection"] = []string{"close"}
	http.Error(w, http.StatusText(status), status)
}

// headerLines counts the lines of a header, as far as net/http keeps them.
func headerLines(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n + 1 // Host is kept elsewhere
}

// clientOf is the address of the client, as a trusted proxy has it, or the peer.
func (p *Port) clientOf(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	lines := r.Header[p.cfg.ForwardedHeader]
	client := Claimed(peer.Addr().Unmap(), p.cfg.ForwardedHeader, lines, p.trusted)
	if client == peer.Addr().Unmap() {
		return r.RemoteAddr
	}
	return net.JoinHostPort(client.String(), "0")
}
