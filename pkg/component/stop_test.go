package component

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestClosingTheClientEndsTheWaitForTheServer(t *testing.T) {
	hub := newHub()
	addr, stop := serve(t, "", &fake{subscribe: hub.subscribe})
	told := make(chan error, 100)
	c := dial(t, addr, func(o *Options) { o.OnError = func(err error) { told <- err } })
	r := subscribe(t, c, func(context.Context, *Event) error { return nil })
	receive(t, "the subscription", hub.streams)
	stop()
	for range 4 { // the waits grow
		receive(t, "a report", told)
	}
	_ = c.Close()
	if err := r.wait(t); err != ErrClosed {
		t.Errorf("Subscribe: %v", err)
	}
}

func TestStoppingFinishesWhatWasBegunAndNothingElse(t *testing.T) {
	entered, release := make(chan context.Context, 16), make(chan struct{})
	l, r, _ := start(t, func(ctx context.Context, e *Event) error {
		entered <- ctx
		<-release
		return nil
	})
	l.event(t, 1, "s")
	l.event(t, 2, "s") // waits behind the first
	ctx := receive(t, "the handler", entered)
	r.stop()
	eventually(t, "new events to be dropped", func() bool { l.event(t, 3, "other"); return len(entered) == 0 })
	select {
	case err := <-r.err:
		t.Fatalf("Subscribe returned %v while a handler runs", err)
	case <-time.After(20 * time.Millisecond):
	}
	if ctx.Err() != nil {
		t.Error("the handler's context ended with Subscribe's")
	}
	close(release)
	if err := r.wait(t); err != nil {
		t.Errorf("Subscribe: %v", err)
	}
	receive(t, "the stream to end", l.over)
	if got := l.acks(); !slices.Equal(got, []uint64{1}) {
		t.Errorf("acked %v", got)
	}
	if l.mu.Lock(); !l.closed {
		t.Error("the stream was not closed in order")
	}
	l.mu.Unlock()
}

func TestHandlersThatTakeTooLongAreCancelled(t *testing.T) {
	entered := make(chan struct{}, 1)
	l, r, _ := start(t, func(ctx context.Context, e *Event) error {
		entered <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, func(o *Options) { o.Drain = 20 * time.Millisecond; o.HandlerTimeout = time.Hour })
	l.event(t, 1, "s")
	receive(t, "the handler", entered)
	if err := r.end(t); err != nil {
		t.Errorf("Subscribe: %v", err)
	}
	receive(t, "the stream to end", l.over)
	if _, ok := l.nack(1); !ok {
		t.Error("the cancelled event was not given back")
	}
}

func TestHandlersThatNeverEndAreLeft(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	l, r, _ := start(t, func(context.Context, *Event) error {
		entered <- struct{}{}
		<-release
		return nil
	}, func(o *Options) { o.Drain = 20 * time.Millisecond })
	defer close(release)
	l.event(t, 1, "s")
	receive(t, "the handler", entered)
	if err := r.end(t); err != ErrHandlers {
		t.Errorf("Subscribe: %v", err)
	}
}

func TestRefusedCredentialsEndTheSubscription(t *testing.T) {
	addr, _ := serve(t, "", &fake{subscribe: func(upstream) error { return status.Error(codes.Unauthenticated, "who?") }})
	r := subscribe(t, dial(t, addr), func(context.Context, *Event) error { return nil })
	if err := r.wait(t); !errors.Is(err, ErrDenied) {
		t.Errorf("Subscribe: %v", err)
	}
}

func TestClosingTheClientEndsTheSubscription(t *testing.T) {
	hub := newHub()
	addr, _ := serve(t, "", &fake{subscribe: hub.subscribe})
	c := dial(t, addr)
	r := subscribe(t, c, func(context.Context, *Event) error { return nil })
	receive(t, "the subscription", hub.streams)
	_ = c.Close()
	if err := r.wait(t); err != ErrClosed {
		t.Errorf("Subscribe: %v", err)
	}
}
