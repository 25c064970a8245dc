package component

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

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
