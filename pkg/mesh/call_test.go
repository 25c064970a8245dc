package mesh

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

func TestCallsReachTheHandlerWithAllTheirFields(t *testing.T) {
	var control *meshv1.ControlRequest
	var reply *meshv1.ReplyRequest
	h := &fake{
		call: func(_ context.Context, s id.Socket, body []byte) *meshv1.CallResponse {
			return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE, Args: append([]byte{byte(s)}, body...),
				Attachments: [][]byte{{1}, {2}}}
		},
		control: func(_ context.Context, req *meshv1.ControlRequest) *meshv1.ControlResponse {
			control = req
			return &meshv1.ControlResponse{Results: []*meshv1.ControlResponse_Result{{Socket: 7, Reason: "r"}}}
		},
		reply: func(req *meshv1.ReplyRequest) *meshv1.ReplyResponse {
			reply = req
			return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_OFFLINE}
		},
	}
	cfg := testConfig()
	p := start(t, cfg, 3, "boot-a", "", h)
	c := dial(t, cfg, newBook(p.Member))
	ctx := timeout(t)

	got, err := c.Call(ctx, 3, &meshv1.CallRequest{Socket: 5, Body: []byte("xy")})
	if err != nil || string(got.GetArgs()) != "\x05xy" || len(got.GetAttachments()) != 2 {
		t.Errorf("Call = %v, %v", got, err)
	}

	sent := &meshv1.ControlRequest{Op: meshv1.ControlRequest_OP_KICK, Sockets: []uint64{7, 8}, Documents: []string{"d"},
		Reason: "why", Close: true, Namespace: "/n"}
	results, err := c.Control(ctx, 3, sent)
	if err != nil || results.GetResults()[0].GetReason() != "r" {
		t.Errorf("Control = %v, %v", results, err)
	}
	if sent.Boot != "" {
		t.Error("Control changed the caller's request, which may be on its way to others")
	}
	sent.Boot = "boot-a"
	if !proto.Equal(control, sent) {
		t.Errorf("handler got %v, want %v", control, sent)
	}

	answer := &meshv1.ReplyRequest{Socket: 9, Namespace: "/n", AckId: 4, Args: []byte("[1]"), Attachments: [][]byte{{3}}}
	replied, err := c.Reply(ctx, 3, answer)
	if err != nil || replied.GetOutcome() != meshv1.Outcome_OUTCOME_OFFLINE {
		t.Errorf("Reply = %v, %v", replied, err)
	}
	answer.Boot = "boot-a"
	if !proto.Equal(reply, answer) {
		t.Errorf("handler got %v, want %v", reply, answer)
	}
}

func done(context.Context, id.Socket, []byte) *meshv1.CallResponse {
	return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE}
}

func TestCallErrorsAreTyped(t *testing.T) {
	cfg := testConfig()
	called := make(chan struct{}, 1)
	p := start(t, cfg, 1, "boot-b", "", &fake{call: func(ctx context.Context, _ id.Socket, _ []byte) *meshv1.CallResponse {
		select {
		case called <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return nil
	}})
	nobody := Member{Replica: 2, Boot: "x", Address: "127.0.0.1:1"}
	predecessor := Member{Replica: 3, Boot: "boot-a", Address: p.Address}
	dir := newBook(p.Member, nobody, predecessor)
	c := dial(t, cfg, dir)
	req := &meshv1.CallRequest{Socket: 1}

	other := cfg
	other.Token = "not the token of the others"
	stranger := dial(t, other, dir)
	none := cfg
	none.Token = ""
	mute := dial(t, none, dir)

	gone, cancelGone := context.WithCancel(timeout(t))
	defer cancelGone()

	for _, tc := range []struct {
		name string
		call func() error
		want error
	}{
		{"replica not in the directory", func() error { _, err := c.Call(timeout(t), 9, req); return err }, ErrUnknown},
		{"another boot answers", func() error { _, err := c.Call(timeout(t), 3, req); return err }, ErrUnknown},
		{"nobody listens", func() error { _, err := c.Call(timeout(t), 2, req); return err }, ErrUnreachable},
		{"wrong token", func() error { _, err := stranger.Call(timeout(t), 1, req); return err }, ErrRefused},
		{"no token", func() error { _, err := mute.Call(timeout(t), 1, req); return err }, ErrRefused},
		{"deadline", func() error {
			short, cancel := context.WithTimeout(timeout(t), 50*time.Millisecond)
			defer cancel()
			_, err := c.Call(short, 1, req)
			return err
		}, context.DeadlineExceeded},
		{"cancelled", func() error {
			for len(called) > 0 {
				<-called // of the call before
			}
			go func() { <-called; cancelGone() }()
			_, err := c.Call(gone, 1, req)
			return err
		}, context.Canceled},
	} {
		if err := tc.call(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestTheTokenIsCheckedOnEveryMethod(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 1, "boot", "", &fake{}) // a call that came through would crash
	other := cfg
	other.Token = "not the token of the others"
	c := dial(t, other, newBook(p.Member))
	l, err := c.take(p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.give(l)
	mc, ctx := meshv1.NewMeshClient(l.cc), timeout(t)

	calls := map[string]func() error{
		"Call":    func() error { _, err := mc.Call(ctx, &meshv1.CallRequest{Boot: "boot"}); return err },
		"Control": func() error { _, err := mc.Control(ctx, &meshv1.ControlRequest{Boot: "boot"}); return err },
		"Reply":   func() error { _, err := mc.Reply(ctx, &meshv1.ReplyRequest{Boot: "boot"}); return err },
		"Revoke":  func() error { _, err := mc.Revoke(ctx, &meshv1.RevokeRequest{Boot: "boot"}); return err },
		"Forward": func() error { _, err := mc.Forward(ctx, &meshv1.ForwardRequest{Boot: "boot"}); return err },
		"Deliver": func() error {
			s, err := mc.Deliver(ctx)
			if err != nil {
				return err
			}
			_ = s.Send(&meshv1.Delivery{Boot: "boot"})
			_, err = s.CloseAndRecv()
			return err
		},
		"Tunnel": func() error {
			s, err := mc.Tunnel(ctx)
			if err != nil {
				return err
			}
			_ = s.Send(&meshv1.Chunk{Request: &meshv1.ForwardRequest{Boot: "boot"}})
			_, err = s.Recv()
			return err
		},
	}
	if n := len(meshv1.Mesh_ServiceDesc.Methods) + len(meshv1.Mesh_ServiceDesc.Streams); n != len(calls) {
		t.Errorf("the service has %d methods, %d are tested", n, len(calls))
	}
	for name, call := range calls {
		if err := c.typed(ctx, name, 1, call()); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want %v", name, err, ErrRefused)
		}
	}
}

func TestARestartedReplicaIsCalledAgain(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 1, "boot-a", "", &fake{call: done})
	dir := newBook(p.Member)
	c := dial(t, cfg, dir)
	call := func() error { _, err := c.Call(timeout(t), 1, &meshv1.CallRequest{}); return err }
	if err := call(); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if err := call(); !errors.Is(err, ErrUnreachable) {
		t.Errorf("call to a killed process: %v", err)
	}
	next := start(t, cfg, 1, "boot-b", p.Address, &fake{call: done})
	eventually(t, "the successor to be reached and to refuse", func() bool { return errors.Is(call(), ErrUnknown) })
	dir.put(next.Member)
	if err := call(); err != nil {
		t.Errorf("call to the successor: %v", err)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	cfg := testConfig()
	cfg.IdleAfter = 30 * time.Millisecond
	p := start(t, cfg, 1, "boot", "", &fake{call: done})
	c := dial(t, cfg, newBook(p.Member))
	if _, err := c.Call(timeout(t), 1, &meshv1.CallRequest{}); err != nil {
		t.Fatal(err)
	}
	links := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.links)
	}
	eventually(t, "the connection to be closed", func() bool { return links() == 0 })
	if _, err := c.Call(timeout(t), 1, &meshv1.CallRequest{}); err != nil {
		t.Errorf("call after that: %v", err)
	}
}

func TestAClosedClientRefuses(t *testing.T) {
	cfg := testConfig()
	entered := make(chan struct{})
	p := start(t, cfg, 1, "boot", "", &fake{call: func(ctx context.Context, _ id.Socket, _ []byte) *meshv1.CallResponse {
		close(entered)
		<-ctx.Done()
		return nil
	}})
	c := dial(t, cfg, newBook(p.Member))
	failed := make(chan error, 1)
	go func() {
		_, err := c.Call(context.Background(), 1, &meshv1.CallRequest{})
		failed <- err
	}()
	within(t, "the call", entered)
	c.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("call during Close: %v", err)
	}
	if _, err := c.Call(timeout(t), 1, &meshv1.CallRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("call after Close: %v", err)
	}
	if err := c.Deliver(1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Deliver after Close: %v", err)
	}
}
