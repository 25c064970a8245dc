package component

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

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
	ctx, cancel := context.WithTimeout(timeout(t), 300*time.Millisecond)
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

func TestOnlyHarmlessCallsAreRetried(t *testing.T) {
	var calls atomic.Int32
	var keys []string
	fail := func() error { calls.Add(1); return unavailable() }
	addr, _ := serve(t, "", &fake{
		push: func(_ context.Context, r *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
			keys = append(keys, r.GetIdempotencyKey())
			return nil, fail()
		},
		call: func(context.Context, *sluicev1.CallRequest) (*sluicev1.CallResponse, error) { return nil, fail() },
		join: func(*sluicev1.JoinRequest) (*sluicev1.JoinResponse, error) { return nil, fail() },
		kick: func(*sluicev1.KickRequest) (*sluicev1.KickResponse, error) { return nil, fail() },
		getSocket: func(context.Context, *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error) {
			return nil, fail()
		},
		listSockets: func(*sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error) { return nil, fail() },
		count:       func(*sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error) { return nil, fail() },
		reply:       func(*sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) { return nil, fail() },
	})
	ctx := timeout(t)
	for _, tc := range []struct {
		name string
		do   func(*Client) error
		want int32
	}{
		{"durable push", func(c *Client) error { _, err := c.Push(ctx, Push{All: true, Event: "e"}); return err }, 3},
		{"push with a key", func(c *Client) error { _, err := c.Push(ctx, Push{All: true, Event: "e", Key: "k"}); return err }, 3},
		{"ephemeral push", func(c *Client) error { _, err := c.Push(ctx, Push{All: true, Event: "e", Ephemeral: true}); return err }, 1},
		{"get socket", func(c *Client) error { _, err := c.GetSocket(ctx, "s"); return err }, 3},
		{"list sockets", func(c *Client) error { _, _, err := c.ListSockets(ctx, List{Of: Of{User: "u"}}, ""); return err }, 3},
		{"count sockets", func(c *Client) error { _, err := c.CountSockets(ctx, Of{User: "u"}); return err }, 3},
		{"call", func(c *Client) error { _, err := c.Call(ctx, Call{User: "u", Event: "e"}); return err }, 1},
		{"join", func(c *Client) error { _, err := c.Join(ctx, Who{}); return err }, 1},
		{"kick", func(c *Client) error { _, err := c.Kick(ctx, Kick{}); return err }, 1},
		{"reply", func(c *Client) error { _, err := c.Reply(ctx, "r"); return err }, 1},
	} {
		keys = nil
		calls.Store(0)
		err := tc.do(dial(t, addr))
		var e *Error
		if !errors.Is(err, ErrUnavailable) || !errors.As(err, &e) || int32(e.Attempts) != tc.want || status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := calls.Load(); got != tc.want {
			t.Errorf("%s: tried %d times, want %d", tc.name, got, tc.want)
		}
		for _, key := range keys {
			if key != keys[0] || key == "" && tc.want > 1 {
				t.Errorf("%s: keys %q", tc.name, keys)
			}
		}
	}

	calls.Store(0)
	c := dial(t, addr, func(o *Options) { o.NoKeys = true })
	if _, err := c.Push(ctx, Push{All: true, Event: "e"}); err == nil || calls.Load() != 1 {
		t.Errorf("without keys: %d calls, %v", calls.Load(), err)
	}
}

func TestARetryCanSucceed(t *testing.T) {
	var calls atomic.Int32
	addr, _ := serve(t, "", &fake{push: func(context.Context, *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
		if calls.Add(1) < 3 {
			return nil, unavailable()
		}
		return &sluicev1.PushResponse{Mid: "m"}, nil
	}})
	if res, err := dial(t, addr).Push(timeout(t), Push{All: true, Event: "e"}); err != nil || res.Mid != "m" || res.Key == "" {
		t.Errorf("Push = %+v, %v", res, err)
	}
}

func TestRetriesAreATenthOfTheRequests(t *testing.T) {
	var calls atomic.Int32
	addr, _ := serve(t, "", &fake{count: func(*sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error) {
		calls.Add(1)
		return nil, unavailable()
	}})
	c := dial(t, addr)
	const n = 100
	for range n {
		_, _ = c.CountSockets(timeout(t), Of{User: "u"})
	}
	// The credit that was saved up, and one for each ten requests.
	if got := int(calls.Load()); got < n+retryCredit || got > n+retryCredit+n/10 {
		t.Errorf("%d calls for %d requests", got, n)
	}
}

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

func TestSocketsPagesUntilTheEnd(t *testing.T) {
	const n = 25
	var requests []*sluicev1.ListSocketsRequest
	addr, _ := serve(t, "", &fake{listSockets: func(r *sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error) {
		requests = append(requests, r)
		var from int
		fmt.Sscan(r.GetPageToken(), &from)
		if r.GetDocument() == "broken" && from > 0 {
			return nil, status.Error(codes.Internal, "page lost")
		}
		resp := new(sluicev1.ListSocketsResponse)
		for i := from; i < min(from+10, n); i++ {
			resp.Sockets = append(resp.Sockets, &sluicev1.Socket{Id: fmt.Sprint(i), Seen: timestamppb.New(time.Unix(int64(i), 0))})
		}
		if from+10 < n {
			resp.NextPageToken = fmt.Sprint(from + 10)
		}
		return resp, nil
	}})
	c, ctx := dial(t, addr), timeout(t)
	var got []string
	for s, err := range c.Sockets(ctx, List{Of: Of{Document: "d"}, Details: true, PageSize: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Seen.Unix() != int64(len(got)) || !s.Since.IsZero() {
			t.Errorf("socket %s has times %v, %v", s.ID, s.Seen, s.Since)
		}
		got = append(got, s.ID)
	}
	if len(got) != n || got[n-1] != "24" || len(requests) != 3 || requests[0].GetDocument() != "d" || !requests[2].GetDetails() || requests[2].GetPageSize() != 10 {
		t.Errorf("%d sockets in %d requests: %v", len(got), len(requests), requests)
	}

	requests = nil
	for range c.Sockets(ctx, List{Of: Of{Document: "d"}}) {
		break
	}
	if len(requests) != 1 {
		t.Errorf("%d pages fetched for the first socket", len(requests))
	}

	var errs []error
	count := 0
	for _, err := range c.Sockets(ctx, List{Of: Of{Document: "broken"}}) {
		count++
		if err != nil {
			errs = append(errs, err)
		}
	}
	if count != 11 || len(errs) != 1 || status.Code(errs[0]) != codes.Internal {
		t.Errorf("%d values with errors %v", count, errs)
	}
	for _, err := range c.Sockets(ctx, List{Of: Of{User: "u", Document: "d"}}) {
		if err != ErrOneTarget {
			t.Errorf("two targets: %v", err)
		}
	}
}

func TestLookUps(t *testing.T) {
	addr, _ := serve(t, "", &fake{
		getSocket: func(_ context.Context, r *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error) {
			return &sluicev1.GetSocketResponse{Socket: &sluicev1.Socket{
				Id: r.GetSocket(), User: "u", Documents: []string{"d"}, Replica: 7, AuthType: "jwt", ClientVersion: "1.2", Locale: "en",
				Since: timestamppb.New(time.Unix(1, 0)), Seen: timestamppb.New(time.Unix(2, 0)),
			}}, nil
		},
		count: func(r *sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error) {
			return &sluicev1.CountSocketsResponse{Sockets: uint64(len(r.GetUser())*10 + len(r.GetDocument()))}, nil
		},
	})
	c, ctx := dial(t, addr), timeout(t)
	s, err := c.GetSocket(ctx, "s")
	want := Socket{ID: "s", User: "u", Documents: []string{"d"}, Replica: 7, AuthType: "jwt", ClientVersion: "1.2", Locale: "en",
		Since: time.Unix(1, 0).UTC(), Seen: time.Unix(2, 0).UTC()}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("GetSocket = %+v, %v", s, err)
	}
	if n, err := c.CountSockets(ctx, Of{User: "ab"}); err != nil || n != 20 {
		t.Errorf("of a user: %d, %v", n, err)
	}
	if n, err := c.CountSockets(ctx, Of{Document: "abc"}); err != nil || n != 3 {
		t.Errorf("of a document: %d, %v", n, err)
	}
	if _, err := c.CountSockets(ctx, Of{}); err != ErrOneTarget {
		t.Errorf("of nothing: %v", err)
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
