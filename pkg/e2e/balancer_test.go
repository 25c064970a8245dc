package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// balancer gives each request to the next gateway, as a plain round-robin
// balancer does: no affinity, so that the polls and the upgrade of one session
// come to different gateways.
type balancer struct {
	server *httptest.Server
	next   atomic.Uint64

	mu       sync.Mutex // guards backends
	backends []*url.URL
}

func newBalancer(t *testing.T, backends ...string) *balancer {
	t.Helper()
	b := &balancer{}
	b.use(t, backends...)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(b.pick())
			r.Out.Host = r.In.Host // the gateways compare it with Origin, which some clients send
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	b.server = httptest.NewServer(proxy)
	t.Cleanup(b.server.Close)
	return b
}

func (b *balancer) url() string { return b.server.URL }

// use replaces the gateways.
func (b *balancer) use(t *testing.T, backends ...string) {
	t.Helper()
	var urls []*url.URL
	for _, address := range backends {
		u, err := url.Parse("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, u)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = urls
}

func (b *balancer) pick() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.backends[b.next.Add(1)%uint64(len(b.backends))]
}
