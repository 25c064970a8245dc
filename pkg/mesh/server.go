package mesh

import (
	"context"
	"net/http"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// Handler is what a gateway does for its callers.
type Handler interface {
	// Deliver takes an ephemeral push (a bus.Push in its Kafka form) and never
	// blocks; false means that it was dropped. The body is the callee's.
	Deliver(body []byte) bool
	// Call emits to one socket and waits for its acknowledgement, at most until
	// ctx ends.
	Call(ctx context.Context, socket id.Socket, body []byte) *meshv1.CallResponse
	// Control joins, leaves or disconnects.
	Control(ctx context.Context, req *meshv1.ControlRequest) *meshv1.ControlResponse
	// Reply answers a client's event.
	Reply(req *meshv1.ReplyRequest) *meshv1.ReplyResponse
	// ServeHTTP serves polls and upgrades that other gateways forwarded. It is
	// the handler of the clients' own requests; Forwarded tells them apart.
	ServeHTTP(w http.ResponseWriter, r *http.Request)
}

// Server serves the mesh's calls of one process.
type Server struct {
	meshv1.UnimplementedMeshServer

	cfg  Config
	boot string
	h    Handler
	log  *elog.Component
	m    *Metrics
}

// NewServer returns a server for the process with the given boot id. Call
// Register before the gRPC server starts, and Run.
func NewServer(cfg Config, boot string, h Handler, log *elog.Component, m *Metrics) *Server {
	return &Server{cfg: cfg, boot: boot, h: h, log: log, m: m}
}

// Register adds the service to a gRPC server that was built with
// Config.ServerOptions.
func (s *Server) Register(r grpc.ServiceRegistrar) { meshv1.RegisterMeshServer(r, s) }

// Run serves until ctx ends, then ends all streams and tunnels and returns
// when nothing of them is left. A gRPC server that is to stop gracefully needs
// it: delivery streams do not end by themselves.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
