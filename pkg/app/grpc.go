package app

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gotomicro/ego/server/egrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// grpcServer is one of EGO's gRPC servers with our answers to health checks.
type grpcServer struct {
	component *egrpc.Component
	name      string
	address   string
}

// newGRPCServer builds the server of a config section. The given interceptors
// run inside of EGO's.
func newGRPCServer(name, key string, cfg GRPCConfig, h *health, opts []grpc.ServerOption,
	unary []grpc.UnaryServerInterceptor, stream []grpc.StreamServerInterceptor,
) *grpcServer {
	unary = append([]grpc.UnaryServerInterceptor{healthUnary(h)}, unary...)
	for i, inner := range stream {
		stream[i] = unlessReflection(inner)
	}
	stream = append([]grpc.StreamServerInterceptor{guardStream(cfg.Reflection)}, stream...)
	component := egrpc.Load(key).Build(
		egrpc.WithServerOption(opts...),
		egrpc.WithUnaryInterceptor(unary...),
		egrpc.WithStreamInterceptor(stream...),
	)
	return &grpcServer{component: component, name: name, address: net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))}
}

// run serves until ctx ends. Calls under way have a moment to finish; streams
// were told to end by their service before.
func (g *grpcServer) run(ctx context.Context) error {
	if err := openPort(g.name, g.address, g.component.Init); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- g.component.Start() }()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: %w", g.name, err)
	case <-ctx.Done():
	}
	stopped := make(chan struct{})
	go func() {
		g.component.Server.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(3 * time.Second):
		g.component.Server.Stop()
		<-stopped
	}
	return <-failed
}

// healthUnary answers health checks from the program's state: EGO's own answer
// is "serving" from the first moment to the last.
func healthUnary(h *health) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if info.FullMethod != healthv1.Health_Check_FullMethodName {
			return next(ctx, req)
		}
		answer := healthv1.HealthCheckResponse_NOT_SERVING
		if h.ready() {
			answer = healthv1.HealthCheckResponse_SERVING
		}
		return &healthv1.HealthCheckResponse{Status: answer}, nil
	}
}

const reflectionService = "/grpc.reflection."

// unlessReflection keeps a service's own interceptor away from reflection, which
// shows the schema to whoever reaches the port, or is switched off.
func unlessReflection(inner grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if strings.HasPrefix(info.FullMethod, reflectionService) {
			return next(srv, s)
		}
		return inner(srv, s, info, next)
	}
}

// guardStream closes what EGO opens unasked: reflection unless configured, and
// the health watch, which would not follow the program's state.
func guardStream(reflection bool) grpc.StreamServerInterceptor {
	return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if strings.HasPrefix(info.FullMethod, reflectionService) && !reflection {
			return status.Error(codes.Unimplemented, "reflection is switched off")
		}
		if info.FullMethod == healthv1.Health_Watch_FullMethodName {
			return status.Error(codes.Unimplemented, "use Check")
		}
		return next(srv, s)
	}
}
