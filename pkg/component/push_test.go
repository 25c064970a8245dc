package component

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestPushPassesEveryField(t *testing.T) {
	var got *sluicev1.PushRequest
	addr, _ := serve(t, "", &fake{push: func(_ context.Context, r *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
		got = r
		return &sluicev1.PushResponse{Mid: "m1", Duplicate: true}, nil
	}})
	c := dial(t, addr)
	res, err := c.Push(timeout(t), Push{
		Sockets: []string{"s"}, Users: []string{"u"}, Documents: []string{"d"}, All: true, Except: []string{"x"},
		Namespace: "/n", Event: "e", Args: []any{1, []byte("b")},
		Filter:    Filter{AuthTypes: []string{"jwt"}, MinVersion: "1.9", MaxVersion: "1.10", Locales: []string{"en"}},
		Ephemeral: true, LatestKey: "l", Key: "k", Within: time.Minute,
	})
	if err != nil || res != (Result{Mid: "m1", Duplicate: true, Key: "k"}) {
		t.Errorf("Push = %+v, %v", res, err)
	}
	want := &sluicev1.PushRequest{
		Sockets: []string{"s"}, Users: []string{"u"}, Documents: []string{"d"}, All: true, ExceptSockets: []string{"x"},
		Namespace: "/n", Event: &sluicev1.Event{Name: "e", Args: `[1,{"_placeholder":true,"num":0}]`, Attachments: [][]byte{[]byte("b")}},
		Filter:   &sluicev1.Filter{AuthTypes: []string{"jwt"}, MinClientVersion: "1.9", MaxClientVersion: "1.10", Locales: []string{"en"}},
		Delivery: sluicev1.Delivery_DELIVERY_EPHEMERAL, LatestKey: "l", IdempotencyKey: "k", DeliverWithin: durationpb.New(time.Minute),
	}
	if !proto.Equal(got, want) {
		t.Errorf("server got %v, want %v", got, want)
	}
	if _, err := c.Push(timeout(t), Push{All: true, Event: "e", Args: []any{1}, Payload: Payload{Args: []byte("[2]")}}); err != ErrBothForms {
		t.Errorf("both forms: %v", err)
	}
}

func TestPusherCountsWhatWasAccepted(t *testing.T) {
	addr, _ := serve(t, "", &fake{pushStream: func(s grpc.ClientStreamingServer[sluicev1.PushRequest, sluicev1.PushStreamResponse]) error {
		for n := uint64(0); ; n++ {
			r, err := s.Recv()
			if err == io.EOF {
				return s.SendAndClose(&sluicev1.PushStreamResponse{Accepted: n, Duplicates: 1})
			}
			if err != nil {
				return err
			}
			if r.GetEvent().GetName() == "bad" {
				return status.Errorf(codes.InvalidArgument, "push %d: event", n)
			}
			if r.GetIdempotencyKey() != "" {
				return status.Error(codes.Internal, "unasked-for key")
			}
		}
	}})
	c := dial(t, addr)
	p, err := c.PushStream(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Send(Push{Event: "e", Args: []any{func() {}}}); err == nil {
		t.Error("a function was sent")
	}
	for range 1000 {
		if err := p.Send(Push{All: true, Event: "good"}); err != nil {
			t.Fatal(err)
		}
	}
	if sum, err := p.Close(); err != nil || sum != (PushSummary{1000, 1}) {
		t.Errorf("Close = %+v, %v", sum, err)
	}
	if err := p.Send(Push{All: true, Event: "good"}); err != ErrPusherClosed {
		t.Errorf("Send after Close: %v", err)
	}

	p, err = c.PushStream(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Send(Push{All: true, Event: "good"})
	_ = p.Send(Push{All: true, Event: "bad"})
	eventually(t, "the refusal", func() bool { err = p.Send(Push{All: true, Event: "good"}); return err != nil })
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "push 1") {
		t.Errorf("Send: %v", err)
	}
	if _, again := p.Close(); again != err {
		t.Errorf("Close: %v", again)
	}
}
