package api

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// sub is a component's Subscribe stream.
type sub struct {
	t      testing.TB
	grpc   grpc.BidiStreamingClient[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]
	events chan *sluicev1.UpEvent
	ended  chan error // how it ended
	cancel context.CancelFunc
}

// subscribe opens a stream and waits until it has started.
func (w *world) subscribe(component string, window uint32) *sub {
	w.t.Helper()
	s := w.open(component)
	s.send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Start_{
		Start: &sluicev1.SubscribeRequest_Start{MaxInFlight: window},
	}})
	first, err := s.grpc.Recv()
	if err != nil {
		w.t.Fatal(err)
	}
	if got := first.GetStarted().GetComponent(); got != component {
		w.t.Fatalf("started as %q", got)
	}
	s.read()
	return s
}

// open opens a stream and sends nothing.
func (w *world) open(component string) *sub {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.as(component, token))
	s := &sub{t: w.t, events: make(chan *sluicev1.UpEvent, 10_000), ended: make(chan error, 1), cancel: cancel}
	w.t.Cleanup(cancel)
	var err error
	if s.grpc, err = w.client.Subscribe(ctx); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// read passes what comes on to the channels, until the stream ends.
func (s *sub) read() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			resp, err := s.grpc.Recv()
			if err != nil {
				s.ended <- err
				return
			}
			s.events <- resp.GetEvent()
		}
	}()
	s.t.Cleanup(func() {
		s.cancel()
		<-done
	})
}

func (s *sub) send(req *sluicev1.SubscribeRequest) {
	s.t.Helper()
	if err := s.grpc.Send(req); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sub) next() *sluicev1.UpEvent {
	s.t.Helper()
	return take(s.t, "an event", s.events)
}

func (s *sub) ack(events ...*sluicev1.UpEvent) {
	s.t.Helper()
	var numbers []uint64
	for _, e := range events {
		numbers = append(numbers, e.GetDelivery())
	}
	s.send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Ack_{
		Ack: &sluicev1.SubscribeRequest_Ack{Deliveries: numbers},
	}})
}

func (s *sub) nack(e *sluicev1.UpEvent, reason string) {
	s.t.Helper()
	s.send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Nack_{
		Nack: &sluicev1.SubscribeRequest_Nack{Delivery: e.GetDelivery(), Reason: reason},
	}})
}

// end cancels the stream and waits for its end.
func (s *sub) end() {
	s.t.Helper()
	s.cancel()
	take(s.t, "the end of the stream", s.ended)
}

// idle fails the test when an event is there. The server must have had its chance:
// call it after something that comes later.
func (s *sub) idle() {
	s.t.Helper()
	select {
	case e := <-s.events:
		s.t.Fatalf("unexpected event: %v", e)
	default:
	}
}
