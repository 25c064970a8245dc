package mesh_test

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"sluice/pkg/id"
	"sluice/pkg/mesh"
)

// A gateway serves the mesh on a gRPC server of its own, without access logs.
func ExampleServer() {
	var (
		ctx     context.Context
		handler mesh.Handler // the gateway
		boot    string       // of this process, as the directory has it
		ln      net.Listener
	)
	cfg := mesh.DefaultConfig()
	cfg.Token = "the secret of this cluster"
	opts, err := cfg.ServerOptions()
	if err != nil {
		log.Fatal(err)
	}
	srv := mesh.NewServer(cfg, boot, handler, elog.DefaultLogger, mesh.NewMetrics(prometheus.NewRegistry()))
	g := grpc.NewServer(opts...)
	srv.Register(g)
	go func() { _ = g.Serve(ln) }()

	_ = srv.Run(ctx) // first: delivery streams do not end by themselves
	g.GracefulStop()
}

// A gateway that gets a request of a session that is not its own forwards it.
func ExampleClient_Forward() {
	var (
		client *mesh.Client
		w      http.ResponseWriter
		r      *http.Request
		owner  id.Replica // from the sid
	)
	switch err := client.Forward(w, r, owner); {
	case err == nil: // answered
	case errors.Is(err, mesh.ErrUnknown), errors.Is(err, mesh.ErrForwarded):
		http.Error(w, `{"code":1,"message":"Session ID unknown"}`, http.StatusBadRequest)
	case errors.Is(err, mesh.ErrTooLarge):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case errors.Is(err, mesh.ErrClientGone): // nobody to answer
	default:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// Deliver does not wait, and what it drops is counted: most callers need not
// look at its error.
func ExampleClient_Deliver() {
	var (
		client   *mesh.Client
		replicas []id.Replica // that have members of the document
		body     []byte       // the same for all of them
	)
	for _, r := range replicas {
		_ = client.Deliver(r, body)
	}
}
