package api

import (
	"context"
	"strings"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// healthPrefix begins the methods of gRPC's health protocol: they answer without
// credentials, because load balancers have none.
const healthPrefix = "/grpc.health.v1.Health/"

// answerSlack is how long before the caller's deadline a Call stops waiting for
// clients, so that its answer still arrives.
const answerSlack = 100 * time.Millisecond

// UnaryInterceptor authenticates the caller, checks the method against its
// allow-list and quota, sets the deadline, turns panics into errors and errors into
// statuses, and counts. It guards every method of the server except health checks.
func (s *Server) UnaryInterceptor() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
		if strings.HasPrefix(info.FullMethod, healthPrefix) {
			return next(ctx, req)
		}
		g := guard{s: s, method: shortName(info.FullMethod), start: s.now(), timed: true}
		defer func() { err = g.end(recover(), err) }()
		ctx, err = g.admit(ctx)
		if err != nil {
			return nil, err
		}
		ctx, cancel, err := s.deadline(ctx, req)
		if err != nil {
			return nil, err
		}
		defer cancel()
		return next(ctx, req)
	}
}

// StreamInterceptor is UnaryInterceptor for streams. They have no deadline of their
// own making: subscriptions last, and a PushStream bounds each of its requests.
func (s *Server) StreamInterceptor() grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
		if strings.HasPrefix(info.FullMethod, healthPrefix) {
			return next(srv, ss)
		}
		g := guard{s: s, method: shortName(info.FullMethod), start: s.now()}
		defer func() { err = g.end(recover(), err) }()
		ctx, err := g.admit(ss.Context())
		if err != nil {
			return err
		}
		return next(srv, &callStream{ServerStream: ss, ctx: ctx})
	}
}

// callStream is a ServerStream whose context knows the caller.
type callStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the context with the caller in it.
func (s *callStream) Context() context.Context { return s.ctx }

// guard is what stands around one call.
type guard struct {
	s      *Server
	method string
	start  time.Time
	timed  bool
	comp   *component
	opened bool // counts against the quota of open calls
}

// admit tells who calls and whether it may; without work for callers that are gone.
func (g *guard) admit(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return ctx, err
	}
	c, err := g.s.components.Load().authenticate(ctx)
	if err != nil {
		return ctx, err
	}
	g.comp = c
	if !c.mayCall(g.method) {
		return ctx, ErrMethod
	}
	if g.method != "Subscribe" {
		if err := c.quota.open(); err != nil {
			return ctx, err
		}
		g.opened = true
	}
	return context.WithValue(ctx, componentKey{}, c), nil
}

// end makes the answer's status and counts the call.
func (g *guard) end(panicked any, err error) error {
	if g.opened {
		g.comp.quota.close()
	}
	if panicked != nil {
		err = g.s.panicked(g.method, panicked)
	}
	name := nobody
	if g.comp != nil {
		name = g.comp.name
	}
	took := time.Duration(-1)
	if g.timed {
		took = g.s.now().Sub(g.start)
	}
	if err == nil {
		g.s.m.call(name, g.method, codes.OK.String(), took)
		return nil
	}
	st, reason := statusOf(err)
	g.s.m.call(name, g.method, st.Code().String(), took)
	g.s.m.refused.WithLabelValues(name, reason).Inc()
	g.s.logFailure(g.method, name, st.Code(), err)
	return st.Err()
}

// logFailure logs what is our fault or our surroundings': refusals are only
// counted. An outage fails every call, so one line a second says it.
func (s *Server) logFailure(method, component string, code codes.Code, err error) {
	switch code {
	case codes.Internal, codes.Unknown:
		s.log.Error("call failed", elog.String("method", method), elog.String("component", component), elog.FieldErr(err))
	case codes.Unavailable:
		now, last := s.now().UnixNano(), s.outage.Load()
		if now-last >= int64(time.Second) && s.outage.CompareAndSwap(last, now) {
			s.log.Warn("calls fail", elog.String("method", method), elog.String("component", component), elog.FieldErr(err))
		}
	}
}

// deadline bounds ctx: the default when it has no end, MaxDeadline when it is later.
// A Call without a deadline may take as long as its own timeout says.
func (s *Server) deadline(ctx context.Context, req any) (context.Context, context.CancelFunc, error) {
	limit := s.cfg.MaxDeadline
	if _, ok := ctx.Deadline(); !ok {
		limit = s.cfg.DefaultDeadline
		if c, ok := req.(*sluicev1.CallRequest); ok {
			limit = min(max(limit, callLimit(c.GetTimeout())), s.cfg.MaxDeadline)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	if err := ctx.Err(); err != nil {
		cancel()
		return ctx, nil, err
	}
	return ctx, cancel, nil
}

func callLimit(timeout *durationpb.Duration) time.Duration {
	if timeout.CheckValid() != nil {
		return 0
	}
	return min(timeout.AsDuration(), maxWait) + 2*answerSlack
}

// shortName cuts the service off a method's full name; the methods of other
// services keep it, so that no list allows them by accident.
func shortName(full string) string {
	return strings.TrimPrefix(full, "/"+sluicev1.Sluice_ServiceDesc.ServiceName+"/")
}
