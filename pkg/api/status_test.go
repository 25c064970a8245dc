package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/session"
)

// TestEveryRowOfTheTable makes each code happen through a real connection, by what a
// caller or an outage does.
func TestEveryRowOfTheTable(t *testing.T) {
	good := pushTo("doc-1", "edit", "[]")
	reached := map[string]bool{}
	ok := &failing{outcome: func(int) (error, error) { return nil, nil }}
	producer := &switched{}
	producer.set(ok)
	h := newHouse(t, func(w *world) {
		weak := docs()
		weak.Name, weak.Methods, weak.Documents = "weak", []string{"Push", "GetSocket", "ListSockets"}, []string{"weak-"}
		busy := docs()
		busy.Name, busy.Quotas = "busy", QuotaConfig{Pushes: 0.5, PushBurst: 1}
		w.cfg.Components = append(w.cfg.Components, weak, busy)
		w.deps.Producer = producer
	})
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	swap := func(p Producer) func() { return func() { producer.set(p) } }
	for _, tc := range []struct {
		reason string
		code   codes.Code
		before func()
		call   func() error
		text   string // in the message
	}{
		{"", codes.OK, nil, func() error { return second(h.client.Push(h.ctx(), good)) }, ""},
		{"unauthenticated", codes.Unauthenticated, nil, func() error { return second(h.client.Push(h.as("docs", "wrong token 12345"), good)) }, ""},
		{"method", codes.PermissionDenied, nil, func() error { return second(h.client.Kick(h.as("weak", token), &sluicev1.KickRequest{})) }, "method"},
		{"document", codes.PermissionDenied, nil, func() error { return second(h.client.Push(h.as("weak", token), good)) }, "document"},
		{"everybody", codes.PermissionDenied, nil, func() error {
			return second(h.client.Push(h.as("weak", token), &sluicev1.PushRequest{All: true, Event: good.Event}))
		}, "everybody"},
		{"invalid", codes.InvalidArgument, nil, func() error { return second(h.client.Push(h.ctx(), &sluicev1.PushRequest{})) }, "sockets: "},
		{"key_used", codes.AlreadyExists, nil, func() error {
			one := pushTo("doc-1", "edit", "[1]")
			one.IdempotencyKey = "same"
			if err := second(h.client.Push(h.ctx(), one)); err != nil {
				return err
			}
			one.Event.Args = "[2]"
			return second(h.client.Push(h.ctx(), one))
		}, "other content"},
		{"quota", codes.ResourceExhausted, nil, func() error {
			return errors.Join(second(h.client.Push(h.as("busy", token), good)), second(h.client.Push(h.as("busy", token), good)))
		}, "pushes"},
		{"not_found", codes.NotFound, nil, func() error {
			return second(h.client.GetSocket(h.ctx(), &sluicev1.GetSocketRequest{Socket: sid(1, 9).String()}))
		}, "not connected"},
		{"unknown_outcome", codes.Unavailable, swap(&failing{outcome: func(int) (error, error) { return nil, bus.ErrTimeout }}),
			func() error { return second(h.client.Push(h.ctx(), good)) }, "idempotency key"},
		{"dependency", codes.Unavailable, swap(&failing{outcome: func(int) (error, error) { return bus.ErrClosed, nil }}),
			func() error { return second(h.client.Push(h.ctx(), good)) }, "producer is away"},
		{"invalid", codes.InvalidArgument, swap(&failing{outcome: func(int) (error, error) { return bus.ErrTooLarge, nil }}),
			func() error { return second(h.client.Push(h.ctx(), good)) }, "event: is too large"},
		{"internal", codes.Internal, swap(producerFunc(func(bus.Record, func(error)) error { panic("a secret cause") })),
			func() error { return second(h.client.Push(h.ctx(), good)) }, "internal error"},
		{"deadline", codes.DeadlineExceeded, swap(producerFunc(func(bus.Record, func(error)) error { return nil })), func() error {
			ctx, cancel := context.WithTimeout(h.ctx(), 50*time.Millisecond)
			defer cancel()
			return second(h.client.Push(ctx, good))
		}, ""},
		{"canceled", codes.Canceled, nil, func() error {
			ctx, cancel := context.WithCancel(h.ctx())
			time.AfterFunc(20*time.Millisecond, cancel)
			return second(h.client.Push(ctx, good))
		}, ""},
		{"lease", codes.Unavailable, func() { producer.set(ok); h.ids.Close() },
			func() error { return second(h.client.Push(h.ctx(), good)) }, "message ids"},
		{"dependency", codes.Unavailable, func() { h.mini.SetError("LOADING away") }, func() error {
			return second(h.client.GetSocket(h.ctx(), &sluicev1.GetSocketRequest{Socket: a.String()}))
		}, "session index is away"},
		{"closing", codes.Unavailable, h.stop, func() error {
			s := h.open("docs")
			s.read()
			return take(t, "the end", s.ended)
		}, "closing"},
	} {
		name := tc.reason + " " + tc.text
		if tc.before != nil {
			tc.before()
		}
		err := tc.call()
		if j, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // of errors.Join, one of several
			err = j.Unwrap()[0]
		}
		if status.Code(err) != tc.code || !strings.Contains(status.Convert(err).Message(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err), "secret") || strings.Contains(fmt.Sprint(err), "LOADING") {
			t.Errorf("%s: the cause is told: %v", name, err)
		}
		reached[tc.reason] = true
		if tc.reason != "" && tc.reason != "canceled" && tc.reason != "deadline" {
			eventually(t, "the count of "+name, func() bool {
				return counted(h.deps.Metrics.refused, "docs", tc.reason)+counted(h.deps.Metrics.refused, "weak", tc.reason)+
					counted(h.deps.Metrics.refused, "busy", tc.reason)+counted(h.deps.Metrics.refused, nobody, tc.reason) > 0
			})
		}
	}
	for _, row := range statuses {
		if !reached[row.reason] && row.reason != "stalled" { // see TestASilentStreamIsEndedAndItsEventsGoOn
			t.Errorf("no test for the row of %v", row.err)
		}
	}
}

// switched is a producer that a test replaces while calls are under way.
type switched struct{ now atomic.Pointer[Producer] }

func (s *switched) set(p Producer) { s.now.Store(&p) }

func (s *switched) Enqueue(rec bus.Record, done func(error)) error {
	return (*s.now.Load()).Enqueue(rec, done)
}

func TestDetailsSayWhatToDo(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.Components[0].Quotas = QuotaConfig{Pushes: 0.1, PushBurst: 1}
		w.deps.Producer = &failing{outcome: func(int) (error, error) { return nil, nil }}
	})
	_, err := w.client.Push(w.ctx(), &sluicev1.PushRequest{Documents: []string{"doc-1", ""}, Event: &sluicev1.Event{Name: "connect"}})
	var bad *errdetails.BadRequest
	for _, d := range status.Convert(err).Details() {
		bad, _ = d.(*errdetails.BadRequest)
	}
	if len(bad.GetFieldViolations()) != 2 || bad.GetFieldViolations()[0].GetField() != "documents[1]" || bad.GetFieldViolations()[1].GetField() != "event.name" {
		t.Errorf("%v", bad)
	}
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "e", "[]")); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Push(w.ctx(), pushTo("doc-1", "e", "[]"))
	var retry *errdetails.RetryInfo
	for _, d := range status.Convert(err).Details() {
		retry, _ = d.(*errdetails.RetryInfo)
	}
	if after := retry.GetRetryDelay().AsDuration(); after < 9*time.Second || after > 10*time.Second {
		t.Errorf("%v: %v", err, after)
	}
}

func TestOpenCallsOfAComponentAreBounded(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	w := newWorld(t, func(w *world) {
		w.cfg.Components[0].Quotas.InFlight = 1
		w.deps.Producer = producerFunc(func(_ bus.Record, done func(error)) error {
			entered <- struct{}{}
			<-release
			go done(nil)
			return nil
		})
	})
	first := make(chan error, 1)
	go func() { first <- second(w.client.Push(w.ctx(), pushTo("doc-1", "e", "[]"))) }()
	take(t, "the first call", entered)
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "e", "[]")); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v", err)
	}
	close(release)
	if err := take(t, "its end", first); err != nil {
		t.Error(err)
	}
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "e", "[]")); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestDeadlinesAreSetClampedAndObeyed(t *testing.T) {
	w := newWorld(t)
	intercept := w.server.UnaryInterceptor()
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs(metaComponent, "docs", metaToken, token))
	left := func(ctx context.Context) (end time.Time, d time.Duration, err error) {
		_, err = intercept(ctx, &sluicev1.PushRequest{}, &grpc.UnaryServerInfo{FullMethod: sluicev1.Sluice_Push_FullMethodName},
			func(ctx context.Context, _ any) (any, error) {
				end, _ = ctx.Deadline()
				d = time.Until(end)
				return nil, nil
			})
		return end, d, err
	}
	for _, tc := range []struct {
		name      string
		given     time.Duration
		low, high time.Duration
	}{
		{"none", 0, 2900 * time.Millisecond, 3 * time.Second},
		{"short", time.Second, 900 * time.Millisecond, time.Second},
		{"long", 20 * time.Second, 19 * time.Second, 20 * time.Second},
		{"a day", 24 * time.Hour, 29 * time.Second, 30 * time.Second},
	} {
		start := time.Now()
		ctx, cancel := ctx, context.CancelFunc(func() {})
		if tc.given > 0 {
			ctx, cancel = context.WithTimeout(ctx, tc.given)
		}
		if end, d, err := left(ctx); err != nil || end.Sub(start) < tc.low || d > tc.high { // on a slow machine less is left
			t.Errorf("%s: %s, %v", tc.name, d, err)
		}
		cancel()
	}
	expired, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Hour))
	defer cancel()
	if _, d, err := left(expired); status.Code(err) != codes.DeadlineExceeded || d != 0 {
		t.Errorf("an expired call worked: %s, %v", d, err)
	}
	err := w.server.StreamInterceptor()(nil, &callStream{ctx: expired}, &grpc.StreamServerInfo{FullMethod: sluicev1.Sluice_Subscribe_FullMethodName},
		func(any, grpc.ServerStream) error { t.Error("an expired stream worked"); return nil })
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("an expired stream: %v", err)
	}
}

func TestCauseOfADependencysOwnDeadlineIsNotTheCallers(t *testing.T) {
	err := dependency(context.Background(), "session index", fmt.Errorf("redis: %w", context.DeadlineExceeded))
	if st, _ := statusOf(err); st.Code() != codes.Unavailable {
		t.Errorf("%v", st)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if st, _ := statusOf(dependency(ctx, "session index", errors.New("redis"))); st.Code() != codes.Canceled {
		t.Errorf("%v", st)
	}
}

func TestStatusesOfOtherServicesAreNotPassedOn(t *testing.T) {
	inner := status.Error(codes.PermissionDenied, "the mesh's secret")
	if st, _ := statusOf(fmt.Errorf("call: %w", inner)); st.Code() != codes.Internal || st.Message() != "internal error" {
		t.Errorf("%v", st)
	}
	if st, _ := statusOf(status.Error(codes.Unimplemented, "x")); st.Code() != codes.Unimplemented {
		t.Errorf("gRPC's own: %v", st)
	}
	if st, _ := statusOf(&indexError{index: 3, err: session.ErrNotFound}); st.Code() != codes.NotFound || !strings.HasPrefix(st.Message(), "request 3: ") {
		t.Errorf("%v", st)
	}
	if st, _ := statusOf(fmt.Errorf("a: %w", id.ErrLease)); st.Code() != codes.Unavailable {
		t.Errorf("%v", st)
	}
	if st, _ := statusOf(io.ErrUnexpectedEOF); st.Code() != codes.Internal {
		t.Errorf("%v", st)
	}
}

func TestOnlyHealthChecksNeedNoCredentials(t *testing.T) {
	w := newWorld(t)
	g := grpc.NewServer(grpc.ChainUnaryInterceptor(w.server.UnaryInterceptor()), grpc.ChainStreamInterceptor(w.server.StreamInterceptor()))
	healthv1.RegisterHealthServer(g, health.NewServer())
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: "other.v1.Other", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Push", Handler: func(_ any, ctx context.Context, _ func(any) error, i grpc.UnaryServerInterceptor) (any, error) {
			return i(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/other.v1.Other/Push"}, func(context.Context, any) (any, error) {
				t.Error("another service was reached")
				return nil, nil
			})
		}}},
	}, struct{}{})
	w.addr = listen(t, g)
	conn := w.dial(grpc.WithTransportCredentials(insecure.NewCredentials()))
	if _, err := healthv1.NewHealthClient(conn).Check(context.Background(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	var resp sluicev1.PushResponse
	if err := conn.Invoke(w.ctx(), "/other.v1.Other/Push", &sluicev1.PushRequest{}, &resp); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
}

func TestServerLimits(t *testing.T) {
	w := newWorld(t)
	big := pushTo("doc-1", "e", `["`+strings.Repeat("x", 5<<20)+`"]`)
	if _, err := w.client.Push(w.ctx(), big); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a large message: %v", err)
	}
	ctx := metadata.AppendToOutgoingContext(w.ctx(), "x-large", strings.Repeat("x", 32<<10))
	if _, err := w.client.Push(ctx, pushTo("doc-1", "e", "[]")); err == nil {
		t.Error("large metadata was accepted")
	}
	if _, err := w.client.GetSocket(w.ctx(), &sluicev1.GetSocketRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("the connection did not survive: %v", err)
	}
}
