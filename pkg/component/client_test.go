package component

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestDialReportsEveryMissingOption(t *testing.T) {
	_, err := Dial(timeout(t), Options{Attempts: 4, Workers: -1, MaxInFlight: 5000})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Address", "Token", "Attempts", "Workers", "MaxInFlight"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestDialTellsWhyItCannotConnect(t *testing.T) {
	ctx, cancel := context.WithTimeout(timeout(t), time.Second)
	defer cancel()
	_, err := Dial(ctx, options("127.0.0.1:1"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Dial: %v", err)
	}
	lazy := options("127.0.0.1:1")
	lazy.Lazy = true
	c, err := Dial(ctx, lazy)
	if err != nil {
		t.Fatalf("lazy Dial: %v", err)
	}
	_ = c.Close()
}

func TestEveryCallCarriesCredentialsDeadlineAndTrace(t *testing.T) {
	type seen struct {
		component, token, trace string
		left                    time.Duration
	}
	got := make(chan seen, 1)
	addr, _ := serve(t, "", &fake{push: func(ctx context.Context, _ *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
		deadline, _ := ctx.Deadline()
		got <- seen{header(ctx, "sluice-component"), header(ctx, "sluice-token"), header(ctx, "traceparent"), time.Until(deadline)}
		return &sluicev1.PushResponse{}, nil
	}})
	c := dial(t, addr)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if _, err := c.Push(WithTraceparent(context.Background(), trace), Push{All: true, Event: "e"}); err != nil {
		t.Fatal(err)
	}
	s := <-got
	if s.component != "comments" || s.token != "secret" || s.trace != trace || s.left > 3*time.Second || s.left < 2*time.Second {
		t.Errorf("server saw %+v", s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := c.Push(ctx, Push{All: true, Event: "e"}); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s.left < 15*time.Second || s.trace != "" {
		t.Errorf("with a deadline of its own the server saw %+v", s)
	}
}
