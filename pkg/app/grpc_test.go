package app

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

var errInner = errors.New("asked the service")

func TestReflectionIsOpenOrOffAndNothingElseEscapesTheService(t *testing.T) {
	const reflect, push = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/sluice.v1.Sluice/PushStream"
	inner := unlessReflection(func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { return errInner })
	call := func(reflection bool, method string) error {
		info := &grpc.StreamServerInfo{FullMethod: method}
		return guardStream(reflection)(nil, nil, info, func(srv any, s grpc.ServerStream) error {
			return inner(srv, s, info, func(any, grpc.ServerStream) error { return nil })
		})
	}
	if err := call(true, reflect); err != nil {
		t.Errorf("reflection: %v", err)
	}
	if err := call(false, reflect); status.Code(err) != codes.Unimplemented {
		t.Errorf("reflection switched off: %v", err)
	}
	if err := call(true, push); !errors.Is(err, errInner) {
		t.Errorf("a call escapes its service: %v", err)
	}
	if err := call(true, healthv1.Health_Watch_FullMethodName); status.Code(err) != codes.Unimplemented {
		t.Errorf("health watch: %v", err)
	}
}

func TestHealthFollowsTheProgram(t *testing.T) {
	h := newHealth()
	ask := func() healthv1.HealthCheckResponse_ServingStatus {
		r, err := healthUnary(h)(t.Context(), &healthv1.HealthCheckRequest{},
			&grpc.UnaryServerInfo{FullMethod: healthv1.Health_Check_FullMethodName},
			func(context.Context, any) (any, error) { t.Error("EGO was asked"); return nil, nil })
		if err != nil {
			t.Fatal(err)
		}
		return r.(*healthv1.HealthCheckResponse).Status
	}
	for state, want := range map[string]healthv1.HealthCheckResponse_ServingStatus{
		stateStarting: healthv1.HealthCheckResponse_NOT_SERVING,
		stateReady:    healthv1.HealthCheckResponse_SERVING,
		stateDraining: healthv1.HealthCheckResponse_NOT_SERVING,
	} {
		h.set(state)
		if got := ask(); got != want {
			t.Errorf("%s: %v", state, got)
		}
	}
	other, err := healthUnary(h)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/x/Y"},
		func(context.Context, any) (any, error) { return "passed on", nil })
	if err != nil || other != "passed on" {
		t.Errorf("another call: %v, %v", other, err)
	}
}
