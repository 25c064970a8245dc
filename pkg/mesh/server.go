package mesh

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

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
	// Revoke closes the sockets of withdrawn tokens and refuses the tokens.
	Revoke(req *meshv1.RevokeRequest) *meshv1.RevokeResponse
	// ServeHTTP serves polls and upgrades that other gateways forwarded. It is
	// the handler of the clients' own requests; Forwarded tells them apart.
	ServeHTTP(w http.ResponseWriter, r *http.Request)
}

// Server serves the mesh's calls of one process. Every method checks token and
// boot id by itself, so it is safe on any gRPC server.
type Server struct {
	meshv1.UnimplementedMeshServer

	cfg  Config
	boot string
	h    Handler
	log  *elog.Component
	m    *Metrics

	stopping context.Context // ended by Run's end
	stop     context.CancelFunc

	mu   sync.Mutex // guards gone, and orders it before wg.Wait
	gone bool
	wg   sync.WaitGroup
}

// NewServer returns a server for the process with the given boot id. Call
// Register before the gRPC server starts, and Run.
func NewServer(cfg Config, boot string, h Handler, log *elog.Component, m *Metrics) *Server {
	s := &Server{cfg: cfg, boot: boot, h: h, log: log, m: m}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s
}

// Register adds the service to a gRPC server that was built with
// Config.ServerOptions. It should be a server without access logs: a poll that
// hangs is an ordinary call here, and the URI of a forwarded request holds the
// secret of its session.
func (s *Server) Register(r grpc.ServiceRegistrar) { meshv1.RegisterMeshServer(r, s) }

// Run serves until ctx ends, then ends all streams and tunnels and returns
// when nothing of them is left. A gRPC server that is to stop gracefully needs
// it: delivery streams do not end by themselves.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.stop()
	s.wg.Wait()
	return nil
}

// begin admits one call; s.wg.Done ends it.
func (s *Server) begin(ctx context.Context) error {
	if !s.cfg.trusts(ctx) {
		s.m.refused.WithLabelValues("token").Inc()
		return status.Error(codes.Unauthenticated, "not a member of this mesh")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		s.m.refused.WithLabelValues("stopping").Inc()
		return status.Error(codes.Unavailable, "stopping")
	}
	s.wg.Add(1)
	return nil
}

// meant refuses what is meant for another process, and tells in the trailer who
// this one is.
func (s *Server) meant(boot string, trailer func(metadata.MD)) error {
	if boot == s.boot {
		return nil
	}
	s.m.refused.WithLabelValues("boot").Inc()
	trailer(metadata.Pairs(bootKey, s.boot))
	return status.Error(codes.FailedPrecondition, "meant for another boot")
}

// enter is begin and meant for unary calls. The context it returns ends with
// the server; leave must be called.
func (s *Server) enter(ctx context.Context, boot string) (_ context.Context, leave func(), _ error) {
	if err := s.begin(ctx); err != nil {
		return nil, nil, err
	}
	if err := s.meant(boot, func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) }); err != nil {
		s.wg.Done()
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.stopping, cancel)
	return ctx, func() { unhook(); cancel(); s.wg.Done() }, nil
}

// Call implements meshv1.MeshServer.
func (s *Server) Call(ctx context.Context, req *meshv1.CallRequest) (*meshv1.CallResponse, error) {
	ctx, leave, err := s.enter(ctx, req.GetBoot())
	if err != nil {
		return nil, err
	}
	defer leave()
	return answer(ctx, s.h.Call(ctx, id.Socket(req.GetSocket()), req.GetBody()))
}

// Control implements meshv1.MeshServer.
func (s *Server) Control(ctx context.Context, req *meshv1.ControlRequest) (*meshv1.ControlResponse, error) {
	ctx, leave, err := s.enter(ctx, req.GetBoot())
	if err != nil {
		return nil, err
	}
	defer leave()
	return answer(ctx, s.h.Control(ctx, req))
}

// Reply implements meshv1.MeshServer.
func (s *Server) Reply(ctx context.Context, req *meshv1.ReplyRequest) (*meshv1.ReplyResponse, error) {
	ctx, leave, err := s.enter(ctx, req.GetBoot())
	if err != nil {
		return nil, err
	}
	defer leave()
	return answer(ctx, s.h.Reply(req))
}

// Revoke implements meshv1.MeshServer.
func (s *Server) Revoke(ctx context.Context, req *meshv1.RevokeRequest) (*meshv1.RevokeResponse, error) {
	ctx, leave, err := s.enter(ctx, req.GetBoot())
	if err != nil {
		return nil, err
	}
	defer leave()
	return answer(ctx, s.h.Revoke(req))
}

// answer is an error when the handler had none.
func answer[T any](ctx context.Context, resp *T) (*T, error) {
	switch {
	case resp != nil:
		return resp, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return nil, status.Error(codes.Internal, "no answer")
}

// Deliver implements meshv1.MeshServer.
func (s *Server) Deliver(stream grpc.ClientStreamingServer[meshv1.Delivery, meshv1.DeliverSummary]) error {
	if err := s.begin(stream.Context()); err != nil {
		return err
	}
	defer s.wg.Done()
	// Recv has no end but that of the stream, and the stream ends when this
	// function returns: so Recv is called beside it.
	var sum meshv1.DeliverSummary
	ended := make(chan error, 1)
	s.wg.Go(func() { ended <- s.receive(stream, &sum) })
	select {
	case err := <-ended:
		if err != nil {
			return err
		}
		return stream.SendAndClose(&sum)
	case <-s.stopping.Done():
		return status.Error(codes.Unavailable, "stopping")
	}
}

// receive hands deliveries to the handler until the caller ends the stream.
func (s *Server) receive(stream grpc.ClientStreamingServer[meshv1.Delivery, meshv1.DeliverSummary], sum *meshv1.DeliverSummary) error {
	taken, dropped := s.m.received.WithLabelValues("taken"), s.m.received.WithLabelValues("dropped")
	for {
		d, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.meant(d.GetBoot(), stream.SetTrailer); err != nil {
			return err
		}
		if s.h.Deliver(d.GetBody()) {
			sum.Taken++
			taken.Inc()
		} else {
			sum.Dropped++
			dropped.Inc()
		}
	}
}
