package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// serveOn runs a server as a program would, until the returned function.
func serveOn(b *testing.B, v *Server, l net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- v.Run(ctx) }()
	h := &http.Server{Handler: v}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	return func() {
		cancel()
		if err := <-ran; err != nil {
			b.Error(err)
		}
		h.Close()
		<-served
	}
}

// countTo is a Receiver that only counts.
type countTo struct {
	n   *int
	b   *testing.B
	got chan bool
}

func (c *countTo) open(*Session, *http.Request) Receiver { return c }

func (c *countTo) Message([]byte, bool) {
	if c.b == nil {
		return
	}
	if *c.n++; *c.n == c.b.N {
		c.got <- true
	}
}

func (c *countTo) Closed(Reason) {}

// secured puts TLS over a listener as a program would.
func secured(l net.Listener) net.Listener {
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS() // for its certificate
	defer ts.Close()
	return tls.NewListener(Listen(l), &tls.Config{Certificates: ts.TLS.Certificates})
}
