package component

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// feed is one stream of a subscription: events in, acknowledgements out. One
// goroutine receives, one sends; both end with the stream.
type feed struct {
	rpc    grpc.BidiStreamingClient[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]
	cancel context.CancelFunc
	ended  chan struct{} // closed by the receiver, when the stream is over
	begun  bool          // Started was received; after ended
	err    error         // after ended
	sent   chan struct{} // closed by the sender, when it has ended
	wake   chan struct{} // holds one: something is to be sent

	mu    sync.Mutex // guards all below
	acks  []uint64   // no more than are in flight
	nacks []*sluicev1.SubscribeRequest_Nack
	last  bool // nothing will be added: send what there is, then close
}

// stream subscribes once and returns when that stream is over, or ctx has ended
// and all that was handled is acknowledged.
func (s *subscription) stream(ctx context.Context) (begun bool, err error) {
	// Not a child of ctx: acknowledgements are sent after its end.
	life, cancel := context.WithCancel(outgoing(context.WithoutCancel(ctx)))
	defer cancel()
	early := context.AfterFunc(ctx, cancel) // until there is something to finish
	rpc, err := s.c.rpc.Subscribe(life)
	if err == nil {
		err = rpc.Send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Start_{
			Start: &sluicev1.SubscribeRequest_Start{MaxInFlight: uint32(s.c.o.MaxInFlight)},
		}})
		if errors.Is(err, io.EOF) {
			_, err = rpc.Recv() // why
		}
	}
	if !early() || err != nil {
		return false, err
	}
	f := &feed{
		rpc: rpc, cancel: cancel,
		ended: make(chan struct{}), sent: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	go s.read(f)
	go f.write()
	select {
	case <-f.ended:
	case <-ctx.Done():
		s.farewell(f)
	}
	cancel()
	<-f.ended
	<-f.sent
	return f.begun, f.err
}

// farewell ends a stream in order: no new handlers, the acknowledgements of
// those that run, then the end, which the server confirms by ending too.
func (s *subscription) farewell(f *feed) {
	s.stop()
	f.mu.Lock()
	f.last = true
	f.mu.Unlock()
	f.rouse()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-f.ended:
	case <-timer.C:
	}
}

// read dispatches what comes until the stream is over.
func (s *subscription) read(f *feed) {
	defer close(f.ended)
	for {
		m, err := f.rpc.Recv()
		if err != nil {
			f.err = err
			return
		}
		if m.GetStarted() != nil {
			f.begun = true
		}
		if up := m.GetEvent(); up != nil {
			s.dispatch(f, up)
		}
	}
}

// over tells whether acknowledgements can still be sent.
func (f *feed) over() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

func (f *feed) ack(delivery uint64) {
	f.mu.Lock()
	f.acks = append(f.acks, delivery)
	f.mu.Unlock()
	f.rouse()
}

const maxReason = 256 // bytes of an error that travel

func (f *feed) nack(delivery uint64, err error) {
	reason := strings.ToValidUTF8(err.Error(), "?")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	f.mu.Lock()
	f.nacks = append(f.nacks, &sluicev1.SubscribeRequest_Nack{Delivery: delivery, Reason: reason})
	f.mu.Unlock()
	f.rouse()
}

func (f *feed) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// write sends acknowledgements, all that there are at a time.
func (f *feed) write() {
	defer close(f.sent)
	for {
		select {
		case <-f.wake:
		case <-f.ended:
			return
		}
		f.mu.Lock()
		acks, nacks, last := f.acks, f.nacks, f.last
		f.acks, f.nacks = nil, nil
		f.mu.Unlock()
		if !f.send(acks, nacks) {
			return
		}
		if last {
			_ = f.rpc.CloseSend()
			return
		}
	}
}

// send returns false when the stream is broken: the receiver learns why.
func (f *feed) send(acks []uint64, nacks []*sluicev1.SubscribeRequest_Nack) bool {
	if len(acks) > 0 {
		m := &sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Ack_{
			Ack: &sluicev1.SubscribeRequest_Ack{Deliveries: acks},
		}}
		if f.rpc.Send(m) != nil {
			return false
		}
	}
	for _, nack := range nacks {
		if f.rpc.Send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Nack_{Nack: nack}}) != nil {
			return false
		}
	}
	return true
}
