package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestEventsAreAcknowledgedByWhatTheHandlerReturns(t *testing.T) {
	l, _, _ := start(t, func(_ context.Context, e *Event) error {
		switch e.Socket() {
		case "bad":
			return errors.New("no \xff good " + strings.Repeat("x", 1000))
		case "panics":
			panic("a bug")
		}
		return nil
	}, func(o *Options) { o.MaxInFlight = 7 })
	if l.max != 7 {
		t.Errorf("max_in_flight %d", l.max)
	}
	l.event(t, 1, "good")
	l.event(t, 2, "bad")
	l.event(t, 3, "panics")
	l.event(t, 4, "good")
	eventually(t, "the acks", func() bool { return slices.Equal(l.acks(), []uint64{1, 4}) })
	eventually(t, "the nacks", func() bool { _, a := l.nack(2); _, b := l.nack(3); return a && b })
	if reason, _ := l.nack(2); !strings.HasPrefix(reason, "no ? good xx") || len(reason) > maxReason {
		t.Errorf("reason %q", reason)
	}
}

func TestAPanicIsReported(t *testing.T) {
	told := make(chan error, 1)
	l, _, _ := start(t, func(context.Context, *Event) error { panic("a bug") }, func(o *Options) { o.OnError = func(err error) { told <- err } })
	l.event(t, 1, "s")
	if err := receive(t, "the report", told); !strings.Contains(err.Error(), "a bug") || !strings.Contains(err.Error(), "subscribe_test.go") {
		t.Errorf("told %v", err)
	}
}

func TestOrderHoldsPerSocketAndSocketsRunAtTheSameTime(t *testing.T) {
	const sockets, each = 20, 50
	var mu sync.Mutex
	order := make(map[string][]string)
	together, most := 0, 0
	l, _, _ := start(t, func(_ context.Context, e *Event) error {
		mu.Lock()
		together++
		most = max(most, together)
		mu.Unlock()
		time.Sleep(100 * time.Microsecond)
		mu.Lock()
		defer mu.Unlock()
		together--
		order[e.Socket()] = append(order[e.Socket()], e.Mid())
		return nil
	}, func(o *Options) { o.Workers = 8; o.MaxInFlight = maxInFlight })
	want := make(map[string][]string)
	for n := range uint64(sockets * each) {
		socket := fmt.Sprint("s", n%sockets)
		want[socket] = append(want[socket], fmt.Sprint("mid-", n))
		l.event(t, n, socket)
	}
	eventually(t, "all acks", func() bool { return len(l.acks()) == sockets*each })
	mu.Lock()
	defer mu.Unlock()
	for socket := range want {
		if !slices.Equal(order[socket], want[socket]) {
			t.Errorf("socket %s: %v", socket, order[socket])
		}
	}
	if most < 2 || most > 8 {
		t.Errorf("%d handlers at the same time", most)
	}
}

func TestASlowSocketDoesNotHoldUpTheOthers(t *testing.T) {
	release := make(chan struct{})
	l, _, _ := start(t, func(_ context.Context, e *Event) error {
		if e.Socket() == "slow" {
			<-release
		}
		return nil
	}, func(o *Options) { o.Workers = 64 })
	for n := range uint64(20) {
		l.event(t, n, "slow")
	}
	// 30 sockets in 64 lanes: some share the lane of the slow one, not all.
	for n := range uint64(30) {
		l.event(t, 100+n, fmt.Sprint("s", n))
	}
	eventually(t, "the others", func() bool { return len(l.acks()) > 15 })
	if slices.ContainsFunc(l.acks(), func(n uint64) bool { return n < 100 }) {
		t.Error("the slow socket was acknowledged")
	}
	close(release)
	eventually(t, "all", func() bool { return len(l.acks()) == 50 })
}

func TestAServerThatDoesNotCountIsSlowedDown(t *testing.T) {
	release := make(chan struct{})
	c := &Client{o: Options{Workers: 2, MaxInFlight: 3}}
	s := newSubscription(context.Background(), c, func(context.Context, *Event) error { <-release; return nil })
	ctx, cancel := context.WithCancel(context.Background())
	f := &feed{rpc: fakeStream{ctx: ctx}, ended: make(chan struct{}), wake: make(chan struct{}, 1)}
	for n := range uint64(3) {
		s.dispatch(f, &sluicev1.UpEvent{Delivery: n, Mid: fmt.Sprint(n)})
	}
	returned := make(chan struct{})
	go func() { s.dispatch(f, &sluicev1.UpEvent{Delivery: 3, Mid: "3"}); close(returned) }()
	select {
	case <-returned:
		t.Error("a fourth event was taken")
	case <-time.After(20 * time.Millisecond):
	}
	cancel() // the end of the stream frees the receiver
	receive(t, "dispatch to return", returned)
	close(release)
	s.wg.Wait()
	if len(f.acks) != 3 {
		t.Errorf("%d acks", len(f.acks))
	}
}

type fakeStream struct {
	grpc.BidiStreamingClient[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]
	ctx context.Context
}

func (f fakeStream) Context() context.Context { return f.ctx }

func TestABrokenSubscriptionIsRenewed(t *testing.T) {
	told := make(chan error, 16)
	var mu sync.Mutex
	var handled []string
	l, r, hub := start(t, func(_ context.Context, e *Event) error {
		mu.Lock()
		defer mu.Unlock()
		handled = append(handled, e.Mid())
		return nil
	}, func(o *Options) { o.OnError = func(err error) { told <- err } })
	for round := range uint64(3) {
		l.event(t, round, "s")
		eventually(t, "the ack", func() bool { return len(l.acks()) == 1 })
		l.cut <- unavailable()
		if err := receive(t, "the report", told); status.Code(err) != codes.Unavailable {
			t.Errorf("told %v", err)
		}
		l = receive(t, "the next subscription", hub.streams)
	}
	if err := r.end(t); err != nil {
		t.Errorf("Subscribe: %v", err)
	}
	if !slices.Equal(handled, []string{"mid-0", "mid-1", "mid-2"}) {
		t.Errorf("handled %v", handled)
	}
}

func TestWhatWasHandledAndNotAcknowledgedIsNotHandledAgain(t *testing.T) {
	entered, release := make(chan string, 16), make(chan struct{}, 16)
	l, _, hub := start(t, func(_ context.Context, e *Event) error {
		entered <- e.Mid()
		<-release
		return nil
	})
	l.event(t, 1, "s")
	l.event(t, 2, "s")
	if mid := receive(t, "the first", entered); mid != "mid-1" {
		t.Fatalf("first is %s", mid)
	}
	l.cut <- unavailable() // while the first is being handled and the second waits
	l = receive(t, "the next subscription", hub.streams)
	redelivered := func(mid string) func(*sluicev1.UpEvent) {
		return func(up *sluicev1.UpEvent) { up.Mid, up.Attempt = mid, 2 }
	}
	l.event(t, 11, "s", redelivered("mid-1"))
	l.event(t, 12, "s", redelivered("mid-2"))
	select {
	case mid := <-entered:
		t.Fatalf("%s is handled while the first still is", mid)
	case <-time.After(20 * time.Millisecond):
	}
	release <- struct{}{}
	release <- struct{}{}
	if mid := receive(t, "the second", entered); mid != "mid-2" {
		t.Errorf("then %s is handled", mid)
	}
	eventually(t, "both acks", func() bool { return slices.Equal(l.acks(), []uint64{11, 12}) })
	if len(entered) > 0 {
		t.Errorf("%s was handled twice", <-entered)
	}
}

func TestWhatWaitedOnABrokenStreamIsLeftToItsRedelivery(t *testing.T) {
	entered, release := make(chan string, 16), make(chan struct{})
	l, _, hub := start(t, func(_ context.Context, e *Event) error {
		entered <- e.Mid()
		<-release
		return nil
	})
	l.event(t, 1, "s")
	l.event(t, 2, "s")
	receive(t, "the first", entered)
	l.cut <- unavailable()
	l = receive(t, "the next subscription", hub.streams)
	close(release)
	l.event(t, 3, "s") // the second went to somebody else
	if mid := receive(t, "the next", entered); mid != "mid-3" {
		t.Errorf("%s was handled", mid)
	}
}

func TestAServerRestartIsSurvived(t *testing.T) {
	hub := newHub()
	addr, stop := serve(t, "", &fake{subscribe: hub.subscribe})
	c := dial(t, addr)
	subscribe(t, c, func(context.Context, *Event) error { return nil })
	receive(t, "the subscription", hub.streams)
	stop()
	serve(t, addr, &fake{subscribe: hub.subscribe})
	l := receive(t, "the next subscription", hub.streams)
	l.event(t, 1, "s")
	eventually(t, "the ack", func() bool { return len(l.acks()) == 1 })
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := memory{size: 3}
	for i := range 10 {
		m.add(fmt.Sprint(i))
		m.add(fmt.Sprint(i))
	}
	for i := range 10 {
		if got, want := m.has(fmt.Sprint(i)), i >= 7; got != want {
			t.Errorf("has(%d) = %v", i, got)
		}
	}
	if len(m.mids) != 3 {
		t.Errorf("%d remembered", len(m.mids))
	}
	if m.add(""); m.has("") {
		t.Error("an event without a mid is taken for another")
	}
}
