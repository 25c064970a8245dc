package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

const (
	defaultInFlight = 256
	maxInFlight     = 4096
	maxNackReason   = 256
)

type subscription = grpc.BidiStreamingServer[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]

// Subscribe delivers upstream events to one stream of a component. This goroutine
// only waits for the end: a sender and a receiver beside it may be stuck in gRPC's
// flow control, which its return undoes.
func (s *Server) Subscribe(ss subscription) error {
	c := caller(ss.Context())
	received := make(chan error, 1)
	started := make(chan int, 1)
	attached := make(chan *upStream, 1)
	u := s.uplink(c.name)
	if !s.start(func() { received <- receive(ss, u, started, attached) }) {
		return ErrClosing
	}
	window, err := s.awaitStart(ss.Context(), started, received)
	if err != nil {
		return err
	}
	if err := ss.Send(&sluicev1.SubscribeResponse{Message: &sluicev1.SubscribeResponse_Started_{
		Started: &sluicev1.SubscribeResponse_Started{Component: c.name},
	}}); err != nil {
		return err
	}
	st, err := u.open(window)
	if err != nil {
		return err
	}
	defer u.shut(st)
	attached <- st
	sent := make(chan error, 1)
	if !s.start(func() { sent <- send(ss, u, st) }) {
		return ErrClosing
	}
	select {
	case err := <-st.end:
		return err
	case err := <-received:
		return err
	case err := <-sent:
		return err
	case <-ss.Context().Done():
		return ss.Context().Err()
	}
}

// awaitStart waits for the stream's first message.
func (s *Server) awaitStart(ctx context.Context, started <-chan int, received <-chan error) (int, error) {
	t := time.NewTimer(s.cfg.Subscribe.StartTimeout)
	defer t.Stop()
	select {
	case window := <-started:
		return window, nil
	case err := <-received:
		if err == nil {
			err = invalid("start", "must be the first message")
		}
		return 0, err
	case <-t.C:
		return 0, fmt.Errorf("await the start: %w", context.DeadlineExceeded)
	case <-s.closing:
		return 0, ErrClosing
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// send passes events on until the stream ends.
func send(ss subscription, u *uplink, st *upStream) error {
	for {
		if resp := u.next(st); resp != nil {
			if err := ss.Send(resp); err != nil {
				return errors.Join(ss.Context().Err(), fmt.Errorf("send an event: %w", err))
			}
			continue
		}
		select {
		case <-st.wake:
		case <-ss.Context().Done():
			return ss.Context().Err()
		}
	}
}

// receive reads the start and then acks and nacks until the stream ends; nil is the
// component's orderly end.
func receive(ss subscription, u *uplink, started chan<- int, attached <-chan *upStream) error {
	req, err := ss.Recv()
	if err != nil {
		return ended(err)
	}
	start := req.GetStart()
	if start == nil {
		return invalid("start", "must be the first message")
	}
	window := int(start.GetMaxInFlight())
	switch {
	case window == 0:
		window = defaultInFlight
	case window > maxInFlight:
		return invalid("start.max_in_flight", fmt.Sprintf("must be at most %d", maxInFlight))
	}
	started <- window
	var st *upStream
	select {
	case st = <-attached:
	case <-ss.Context().Done():
		return ss.Context().Err()
	}
	for {
		req, err := ss.Recv()
		if err != nil {
			return ended(err)
		}
		switch m := req.GetMessage().(type) {
		case *sluicev1.SubscribeRequest_Ack_:
			u.ack(st, m.Ack.GetDeliveries())
		case *sluicev1.SubscribeRequest_Nack_:
			u.nack(st, m.Nack.GetDelivery(), nackReason(m.Nack.GetReason()))
		case *sluicev1.SubscribeRequest_Start_:
			return invalid("start", "must be sent once")
		default:
			return invalid("message", "one of ack and nack is needed")
		}
	}
}

// ended tells the component's own end of its stream from a broken one.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("receive from the component: %w", context.Canceled)
}

func invalid(field, reason string) error {
	return &InvalidError{Violations: []Violation{{Field: field, Reason: reason}}}
}

// nackReason is what a dead letter will say. It is the component's text, so it is
// cut, and what could break a header or a log line is taken out.
func nackReason(s string) error {
	if len(s) > maxNackReason {
		s = s[:maxNackReason]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, clean(s))
	if s == "" {
		return errNacked
	}
	return errors.New(s)
}
