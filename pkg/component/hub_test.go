package component

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

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
