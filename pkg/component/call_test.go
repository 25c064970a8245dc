package component

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestErrorsTellWhatToDo(t *testing.T) {
	var answer error
	addr, _ := serve(t, "", &fake{getSocket: func(ctx context.Context, _ *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error) {
		if answer == nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, answer
	}})
	c := dial(t, addr)
	for code, want := range map[codes.Code]error{
		codes.NotFound:          ErrNotFound,
		codes.AlreadyExists:     ErrConflict,
		codes.ResourceExhausted: ErrOverloaded,
		codes.Unauthenticated:   ErrDenied,
		codes.PermissionDenied:  ErrDenied,
		codes.InvalidArgument:   ErrInvalid,
	} {
		answer = status.Error(code, "why")
		_, err := c.GetSocket(timeout(t), "s")
		var e *Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Message != "why" || e.Op != "get socket" || e.Attempts != 1 {
			t.Errorf("%s: %v", code, err)
		}
	}

	busy, err := status.New(codes.ResourceExhausted, "quota").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	answer = busy.Err()
	var e *Error
	if _, err := c.GetSocket(timeout(t), "s"); !errors.As(err, &e) || e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("%v", err)
	}

	answer = nil
	ctx, cancel := context.WithTimeout(timeout(t), 30*time.Millisecond)
	defer cancel()
	if _, err := c.GetSocket(ctx, "s"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(timeout(t))
	cancel()
	if _, err := c.GetSocket(ctx, "s"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	_ = c.Close()
	if _, err := c.GetSocket(timeout(t), "s"); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
}

func TestCallReturnsEachSocketsAnswer(t *testing.T) {
	var got *sluicev1.CallRequest
	var left time.Duration
	addr, _ := serve(t, "", &fake{call: func(ctx context.Context, r *sluicev1.CallRequest) (*sluicev1.CallResponse, error) {
		got = r
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return &sluicev1.CallResponse{Results: []*sluicev1.CallResult{
			{Socket: "s1", Outcome: sluicev1.Outcome_OUTCOME_ACKED, Args: `["yes",{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{7}}},
			{Socket: "s2", Outcome: sluicev1.Outcome_OUTCOME_TIMEOUT},
		}}, nil
	}})
	c := dial(t, addr)
	answers, err := c.Call(context.Background(), Call{User: "u", Namespace: "/n", Event: "ask", Args: []any{"?"}, Timeout: 10 * time.Second})
	if err != nil || len(answers) != 2 || answers[0].Outcome != Acked || answers[1].Outcome != Timeout || answers[1].Socket != "s2" {
		t.Fatalf("Call = %+v, %v", answers, err)
	}
	var word string
	var blob []byte
	if err := answers[0].Bind(&word, &blob); err != nil || word != "yes" || !slices.Equal(blob, []byte{7}) {
		t.Errorf("answer %q, %v, %v", word, blob, err)
	}
	if got.GetUser() != "u" || got.GetNamespace() != "/n" || got.GetEvent().GetArgs() != `["?"]` || got.GetTimeout().AsDuration() != 10*time.Second {
		t.Errorf("server got %v", got)
	}
	if left < 10*time.Second || left > 11*time.Second {
		t.Errorf("the context had %v", left)
	}
	for _, call := range []Call{{Event: "e"}, {Event: "e", User: "u", Socket: "s"}} {
		if _, err := c.Call(timeout(t), call); err != ErrOneTarget {
			t.Errorf("%+v: %v", call, err)
		}
	}
}

func TestMembershipCalls(t *testing.T) {
	result := []*sluicev1.SocketResult{{Socket: "s", Outcome: sluicev1.Outcome_OUTCOME_ACKED}, {Socket: "x", Outcome: sluicev1.Outcome_OUTCOME_OFFLINE, Reason: "gone"}}
	want := []Change{{"s", Acked, ""}, {"x", Offline, "gone"}}
	who := Who{Sockets: []string{"s", "x"}, Users: []string{"u"}}
	sel := &sluicev1.Selection{Sockets: who.Sockets, Users: who.Users}
	var got proto.Message
	addr, _ := serve(t, "", &fake{
		join: func(r *sluicev1.JoinRequest) (*sluicev1.JoinResponse, error) {
			got = r
			return &sluicev1.JoinResponse{Results: result}, nil
		},
		leave: func(r *sluicev1.LeaveRequest) (*sluicev1.LeaveResponse, error) {
			got = r
			return &sluicev1.LeaveResponse{Results: result}, nil
		},
		kick: func(r *sluicev1.KickRequest) (*sluicev1.KickResponse, error) {
			got = r
			return &sluicev1.KickResponse{Results: result}, nil
		},
	})
	c, ctx := dial(t, addr), timeout(t)
	for _, tc := range []struct {
		name string
		do   func() ([]Change, error)
		sent proto.Message
	}{
		{"join", func() ([]Change, error) { return c.Join(ctx, who, "d1", "d2") }, &sluicev1.JoinRequest{Who: sel, Documents: []string{"d1", "d2"}}},
		{"leave", func() ([]Change, error) { return c.Leave(ctx, who, "d1") }, &sluicev1.LeaveRequest{Who: sel, Documents: []string{"d1"}}},
		{"kick", func() ([]Change, error) {
			return c.Kick(ctx, Kick{Who: who, Reason: "r", Close: true, Namespace: "/n"})
		},
			&sluicev1.KickRequest{Who: sel, Reason: "r", Close: true, Namespace: "/n"}},
	} {
		changes, err := tc.do()
		if err != nil || !reflect.DeepEqual(changes, want) || !proto.Equal(got, tc.sent) {
			t.Errorf("%s: %v, %v; server got %v", tc.name, changes, err, got)
		}
	}
}
