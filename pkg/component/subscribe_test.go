package component

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

type upstream = grpc.BidiStreamingServer[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]

// hub is a server's side of subscriptions: each stream is handed to the test.
type hub struct {
	streams chan *link
}

func newHub() *hub { return &hub{streams: make(chan *link, 16)} }

// link is one stream, after its start.
type link struct {
	upstream
	max  uint32
	cut  chan error // ends the stream
	over chan struct{}

	mu     sync.Mutex
	acked  []uint64
	nacked map[uint64]string
	closed bool // by the subscriber, in order
}

func (h *hub) subscribe(s upstream) error {
	first, err := s.Recv()
	if err != nil {
		return err
	}
	l := &link{upstream: s, max: first.GetStart().GetMaxInFlight(), cut: make(chan error, 1),
		over: make(chan struct{}), nacked: make(map[uint64]string)}
	defer close(l.over)
	if err := s.Send(&sluicev1.SubscribeResponse{Message: &sluicev1.SubscribeResponse_Started_{
		Started: &sluicev1.SubscribeResponse_Started{Component: "comments"}}}); err != nil {
		return err
	}
	h.streams <- l
	received := make(chan error, 1)
	go func() { received <- l.receive() }()
	select {
	case err = <-received:
	case err = <-l.cut:
	}
	return err
}

func (l *link) receive() error {
	for {
		m, err := l.Recv()
		l.mu.Lock()
		if err != nil {
			l.closed = err == io.EOF
			l.mu.Unlock()
			if err == io.EOF {
				return nil
			}
			return err
		}
		l.acked = append(l.acked, m.GetAck().GetDeliveries()...)
		if n := m.GetNack(); n != nil {
			l.nacked[n.GetDelivery()] = n.GetReason()
		}
		l.mu.Unlock()
	}
}

func (l *link) acks() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.acked))
}

func (l *link) nack(delivery uint64) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reason, ok := l.nacked[delivery]
	return reason, ok
}

func (l *link) event(t *testing.T, delivery uint64, socket string, change ...func(*sluicev1.UpEvent)) {
	t.Helper()
	up := &sluicev1.UpEvent{Delivery: delivery, Mid: fmt.Sprint("mid-", delivery), Kind: sluicev1.UpKind_UP_KIND_MESSAGE, Socket: socket,
		Event: &sluicev1.Event{Name: "say", Args: "[]"}, Attempt: 1}
	for _, f := range change {
		f(up)
	}
	if err := l.Send(&sluicev1.SubscribeResponse{Message: &sluicev1.SubscribeResponse_Event{Event: up}}); err != nil {
		t.Errorf("send event %d: %v", delivery, err)
	}
}

// running is a Subscribe in the background.
type running struct {
	stop context.CancelFunc
	err  chan error
}

func subscribe(t *testing.T, c *Client, h Handler) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stop: cancel, err: make(chan error, 1)}
	go func() { r.err <- c.Subscribe(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.err:
		case <-time.After(patience):
			t.Error("Subscribe does not return")
		}
	})
	return r
}

// end stops it and returns its error; the cleanup finds another.
func (r *running) end(t *testing.T) error {
	t.Helper()
	r.stop()
	return r.wait(t)
}

func (r *running) wait(t *testing.T) error {
	t.Helper()
	err := receive(t, "Subscribe to return", r.err)
	r.err <- err
	return err
}

func start(t *testing.T, h Handler, change ...func(*Options)) (*link, *running, *hub) {
	hub := newHub()
	addr, _ := serve(t, "", &fake{subscribe: hub.subscribe})
	r := subscribe(t, dial(t, addr, change...), h)
	return receive(t, "the subscription", hub.streams), r, hub
}

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

func TestAnEventTellsWhatTheClientDid(t *testing.T) {
	type got struct {
		e     *Event
		trace string
		left  time.Duration
	}
	events := make(chan got, 1)
	l, _, _ := start(t, func(ctx context.Context, e *Event) error {
		deadline, _ := ctx.Deadline()
		events <- got{e, Traceparent(ctx), time.Until(deadline)}
		return nil
	}, func(o *Options) { o.HandlerTimeout = 7 * time.Second })
	at := time.Unix(1700000000, 5).UTC()
	l.event(t, 1, "s1", func(up *sluicev1.UpEvent) {
		up.User, up.Namespace, up.AuthType, up.ClientVersion, up.Locale = "u", "/n", "jwt", "1.2", "en"
		up.Event = &sluicev1.Event{Name: "draw", Args: `[3,{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{1, 2}}}
		up.Time, up.Traceparent, up.Attempt, up.Documents = timestamppb.New(at), "00-ab-cd-01", 2, []string{"d1", "d2"}
		up.ReplyTo = "r"
	})
	g := receive(t, "the event", events)
	e := g.e
	var n int
	var blob []byte
	if err := e.Bind(&n, &blob); err != nil || n != 3 || !slices.Equal(blob, []byte{1, 2}) {
		t.Errorf("Bind: %v, %d, %v", err, n, blob)
	}
	if e.Mid() != "mid-1" || e.Kind() != Message || e.Name() != "draw" || e.Socket() != "s1" || e.User() != "u" || e.Namespace() != "/n" ||
		e.AuthType() != "jwt" || e.ClientVersion() != "1.2" || e.Locale() != "en" || !e.Time().Equal(at) || e.Attempt() != 2 ||
		!slices.Equal(e.Documents(), []string{"d1", "d2"}) || !e.WantsReply() || e.ReplyTo() != "r" || e.Traceparent() != "00-ab-cd-01" ||
		string(e.Args()) != `[3,{"_placeholder":true,"num":0}]` {
		t.Errorf("event %v", e.up)
	}
	if g.trace != "00-ab-cd-01" || g.left > 7*time.Second || g.left < 6*time.Second {
		t.Errorf("context with trace %q and %v left", g.trace, g.left)
	}

	l.event(t, 2, "s1", func(up *sluicev1.UpEvent) {
		up.Kind, up.Event, up.Reason = sluicev1.UpKind_UP_KIND_DISCONNECT, nil, "ping_timeout"
	})
	e = receive(t, "the disconnect", events).e
	if e.Kind() != Disconnect || e.Name() != "" || string(e.Args()) != "[]" || e.Reason() != "ping_timeout" || e.WantsReply() || !e.Time().IsZero() {
		t.Errorf("event %v", e.up)
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

func TestReplies(t *testing.T) {
	var got *sluicev1.ReplyRequest
	outcome := sluicev1.Outcome_OUTCOME_ACKED
	hub := newHub()
	addr, _ := serve(t, "", &fake{subscribe: hub.subscribe, reply: func(r *sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) {
		got = r
		return &sluicev1.ReplyResponse{Outcome: outcome}, nil
	}})
	events := make(chan *Event, 1)
	subscribe(t, dial(t, addr), func(_ context.Context, e *Event) error { events <- e; return nil })
	l := receive(t, "the subscription", hub.streams)

	l.event(t, 1, "s")
	if err := receive(t, "the event", events).Reply(timeout(t), 1); err != ErrNoReply {
		t.Errorf("reply to an event that wants none: %v", err)
	}
	l.event(t, 2, "s", func(up *sluicev1.UpEvent) { up.ReplyTo = "back" })
	e := receive(t, "the event", events)
	if err := e.Reply(timeout(t), "ok", []byte{9}); err != nil {
		t.Error(err)
	}
	if got.GetReplyTo() != "back" || got.GetArgs() != `["ok",{"_placeholder":true,"num":0}]` || len(got.GetAttachments()) != 1 {
		t.Errorf("server got %v", got)
	}
	outcome = sluicev1.Outcome_OUTCOME_OFFLINE
	if err := e.Reply(timeout(t)); err != ErrOffline {
		t.Errorf("reply to a client that is gone: %v", err)
	}
	if got.GetArgs() != "[]" {
		t.Errorf("no arguments are sent as %q", got.GetArgs())
	}
	outcome = sluicev1.Outcome_OUTCOME_OVERLOADED
	if err := e.Reply(timeout(t)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("reply without room: %v", err)
	}
}

func TestMuxPicksTheHandler(t *testing.T) {
	var picked string
	pick := func(name string) Handler {
		return func(context.Context, *Event) error { picked = name; return nil }
	}
	var m Mux
	up := func(kind sluicev1.UpKind, name string) *Event {
		return &Event{up: &sluicev1.UpEvent{Kind: kind, Event: &sluicev1.Event{Name: name}}}
	}
	try := func(e *Event) string {
		picked = "none"
		if err := m.Handle(context.Background(), e); err != nil {
			t.Error(err)
		}
		return picked
	}
	if got := try(up(sluicev1.UpKind_UP_KIND_MESSAGE, "say")); got != "none" {
		t.Errorf("the zero Mux picked %s", got)
	}
	m.On("say", pick("say"))
	m.OnKind(Connect, pick("connect"))
	if got := try(up(sluicev1.UpKind_UP_KIND_MESSAGE, "other")); got != "none" {
		t.Errorf("other: %s", got)
	}
	m.OnKind(Message, pick("rest"))
	for _, tc := range []struct {
		e    *Event
		want string
	}{
		{up(sluicev1.UpKind_UP_KIND_MESSAGE, "say"), "say"},
		{up(sluicev1.UpKind_UP_KIND_MESSAGE, "other"), "rest"},
		{up(sluicev1.UpKind_UP_KIND_CONNECT, "say"), "connect"},
		{up(sluicev1.UpKind_UP_KIND_DISCONNECT, ""), "none"},
	} {
		if got := try(tc.e); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.e.up, got, tc.want)
		}
	}
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
