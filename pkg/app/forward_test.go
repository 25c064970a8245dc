package app

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
	"sluice/pkg/mesh"
)

// oneMember is a directory with a gateway that does not answer.
type oneMember struct{ address string }

func (d oneMember) Lookup(r id.Replica) (mesh.Member, bool) {
	return mesh.Member{Replica: r, Boot: "b", Address: d.address, Service: gatewayService}, r == 1
}
func (d oneMember) Find(_ context.Context, r id.Replica) (mesh.Member, bool) { return d.Lookup(r) }
func (d oneMember) Gateways() []mesh.Member                                  { return nil }

func TestARequestWhoseGatewayDoesNotAnswerComesBackLater(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil { // nobody listens there now
		t.Fatal(err)
	}
	cfg := mesh.DefaultConfig()
	cfg.Token = "a-token-of-16-bytes"
	client := mesh.NewClient(cfg, oneMember{address}, quiet(), mesh.NewMetrics(prometheus.NewRegistry()))
	defer client.Close()
	f := forwarder{client}
	w := httptest.NewRecorder()
	if err := f.Forward(w, httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4", nil), 1); err != nil {
		t.Fatalf("not answered: %v", err)
	}
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if err := f.Forward(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4", nil), 2); err == nil {
		t.Error("a replica that nobody knows is no unknown session")
	}
}
