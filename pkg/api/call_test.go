package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func callSocket(s id.Socket) *sluicev1.CallRequest {
	return &sluicev1.CallRequest{Target: &sluicev1.CallRequest_Socket{Socket: s.String()}, Event: &sluicev1.Event{Name: "ask", Args: "[1]"}}
}

func TestACallReturnsTheClientsAnswer(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	var got bus.Push
	one.call = func(_ context.Context, p bus.Push) *meshv1.CallResponse {
		got = p
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE, Args: []byte(`["yes"]`), Attachments: [][]byte{{1}}}
	}
	req := callSocket(a)
	req.Namespace, req.Event.Args, req.Event.Attachments = "/chat", `[{"_placeholder":true,"num":0}]`, [][]byte{{9}}
	resp, err := h.client.Call(h.ctx(), req)
	if err != nil || len(resp.GetResults()) != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	r := resp.GetResults()[0]
	if r.GetSocket() != a.String() || r.GetOutcome() != sluicev1.Outcome_OUTCOME_ACKED || r.GetArgs() != `["yes"]` || r.GetAttachments()[0][0] != 1 {
		t.Errorf("%v", r)
	}
	if got.Target != id.SocketTarget(a) || got.Namespace != "/chat" || got.Event != "ask" || got.Attachments[0][0] != 9 || got.Component != "docs" || got.Mid == 0 {
		t.Errorf("%+v", got)
	}
}

func TestACallFindsASocketThatHasMoved(t *testing.T) {
	h := newHouse(t)
	h.resident(1)
	two := h.resident(2)
	moved, far := two.connect(sid(1, 5), "ann"), two.connect(sid(3, 5), "ann") // of a living and of a dead replica
	for _, s := range []id.Socket{moved, far} {
		resp, err := h.client.Call(h.ctx(), callSocket(s))
		if err != nil || resp.GetResults()[0].GetOutcome() != sluicev1.Outcome_OUTCOME_ACKED {
			t.Errorf("%v, %v", resp, err)
		}
	}
	if got := h.mesh.log(); !slices.Equal(got, []string{"call@1", "call@2", "call@3", "call@2"}) {
		t.Errorf("%v", got)
	}
}

func TestEveryOutcomeOfACall(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	ask := func() (*sluicev1.CallResult, error) {
		resp, err := h.client.Call(h.ctx(), callSocket(a))
		if err != nil {
			return nil, err
		}
		return resp.GetResults()[0], nil
	}
	for mesh, want := range map[meshv1.Outcome]sluicev1.Outcome{
		meshv1.Outcome_OUTCOME_DONE:        sluicev1.Outcome_OUTCOME_ACKED,
		meshv1.Outcome_OUTCOME_OFFLINE:     sluicev1.Outcome_OUTCOME_OFFLINE,
		meshv1.Outcome_OUTCOME_REFUSED:     sluicev1.Outcome_OUTCOME_OFFLINE,
		meshv1.Outcome_OUTCOME_OVERLOADED:  sluicev1.Outcome_OUTCOME_OVERLOADED,
		meshv1.Outcome_OUTCOME_TIMEOUT:     sluicev1.Outcome_OUTCOME_TIMEOUT,
		meshv1.Outcome_OUTCOME_UNSPECIFIED: sluicev1.Outcome_OUTCOME_TIMEOUT,
		77:                                 sluicev1.Outcome_OUTCOME_TIMEOUT,
	} {
		one.call = func(context.Context, bus.Push) *meshv1.CallResponse {
			return &meshv1.CallResponse{Outcome: mesh, Args: []byte("[\"\xff\"]")}
		}
		r, err := ask()
		if err != nil || r.GetOutcome() != want {
			t.Errorf("%v: %v, %v", mesh, r, err)
		}
		if args := r.GetArgs(); args != "" && args != "[]" {
			t.Errorf("%v: args %q", mesh, args)
		}
	}
	for _, tc := range []struct {
		err  error
		want sluicev1.Outcome
	}{
		{fmt.Errorf("a: %w", errGone), sluicev1.Outcome_OUTCOME_OVERLOADED}, // the index knows the socket
		{fmt.Errorf("a: %w", errBusy), sluicev1.Outcome_OUTCOME_OVERLOADED},
		{errors.New("broken in the middle"), sluicev1.Outcome_OUTCOME_TIMEOUT},
		{context.DeadlineExceeded, sluicev1.Outcome_OUTCOME_TIMEOUT},
	} {
		h.mesh.mu.Lock()
		h.mesh.fail = tc.err
		h.mesh.mu.Unlock()
		if r, err := ask(); err != nil || r.GetOutcome() != tc.want {
			t.Errorf("%v: %v, %v", tc.err, r, err)
		}
	}
}

func TestOfflineIsNotClaimedWhileTheIndexIsAway(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	one.leave()
	one.disconnect(a)
	h.mini.SetError("LOADING away")
	resp, err := h.client.Call(h.ctx(), callSocket(a))
	if err != nil || resp.GetResults()[0].GetOutcome() != sluicev1.Outcome_OUTCOME_TIMEOUT {
		t.Errorf("%v, %v", resp, err)
	}
	_, err = h.client.Call(h.ctx(), &sluicev1.CallRequest{Target: &sluicev1.CallRequest_User{User: "ann"}, Event: &sluicev1.Event{Name: "e"}})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a user: %v", err)
	}
	kicked, err := h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: &sluicev1.Selection{Sockets: []string{a.String()}}})
	if err != nil || kicked.GetResults()[0].GetOutcome() != sluicev1.Outcome_OUTCOME_TIMEOUT || kicked.GetResults()[0].GetReason() != "lookup" {
		t.Errorf("kick: %v, %v", kicked, err)
	}
}

func TestACallToAUserAsksAllSocketsAtOnce(t *testing.T) {
	h := newHouse(t, func(w *world) { w.cfg.Work.Calls = 8 })
	one, two := h.resident(1), h.resident(2)
	all := make(chan struct{}, 8)
	call := func(ctx context.Context, p bus.Push) *meshv1.CallResponse {
		all <- struct{}{}
		for len(all) < cap(all) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE, Args: []byte(`["` + p.Target.Name + `"]`)}
	}
	one.call, two.call = call, call
	for i := range 4 {
		one.connect(sid(1, i+1), "ann")
		two.connect(sid(2, i+1), "ann")
	}
	req := &sluicev1.CallRequest{Target: &sluicev1.CallRequest_User{User: "ann"}, Event: &sluicev1.Event{Name: "ask"}}
	resp, err := h.client.Call(h.ctx(), req)
	if err != nil || len(resp.GetResults()) != 8 {
		t.Fatalf("%v, %v", resp, err)
	}
	for _, r := range resp.GetResults() {
		if r.GetOutcome() != sluicev1.Outcome_OUTCOME_ACKED || r.GetArgs() != `["`+r.GetSocket()+`"]` {
			t.Errorf("%v", r)
		}
	}
	one.connect(sid(1, 99), "ann")
	if _, err := h.client.Call(h.ctx(), req); status.Code(err) != codes.InvalidArgument {
		t.Errorf("one socket too many: %v", err)
	}
	req.Target = &sluicev1.CallRequest_User{User: "nobody"}
	if resp, err := h.client.Call(h.ctx(), req); err != nil || len(resp.GetResults()) != 0 {
		t.Errorf("nobody: %v, %v", resp, err)
	}
}

func TestACallAnswersBeforeItsCallerStopsWaiting(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	var end time.Time
	var left time.Duration
	one.call = func(ctx context.Context, _ bus.Push) *meshv1.CallResponse {
		end, _ = ctx.Deadline()
		left = time.Until(end)
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_TIMEOUT}
	}
	bare := metadata.AppendToOutgoingContext(context.Background(), metaComponent, "docs", metaToken, token)
	for _, tc := range []struct {
		name           string
		deadline, wish time.Duration
		low, high      time.Duration
	}{
		{"no deadline, no wish", 0, 0, 2 * time.Second, 3 * time.Second},
		{"no deadline, a long wish", 0, 10 * time.Second, 9 * time.Second, 10 * time.Second},
		{"no deadline, the longest wish", 0, 30 * time.Second, 29 * time.Second, 30*time.Second - answerSlack},
		{"a short deadline", 5 * time.Second, 10 * time.Second, 4 * time.Second, 5*time.Second - answerSlack},
		{"a long deadline", 24 * time.Hour, 30 * time.Second, 29 * time.Second, 30*time.Second - answerSlack},
		{"a short wish", 20 * time.Second, 50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond},
	} {
		start := time.Now()
		ctx, cancel := bare, context.CancelFunc(func() {})
		if tc.deadline > 0 {
			ctx, cancel = context.WithTimeout(bare, tc.deadline)
		}
		req := callSocket(a)
		if tc.wish > 0 {
			req.Timeout = durationpb.New(tc.wish)
		}
		if _, err := h.client.Call(ctx, req); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		cancel()
		if from := end.Sub(start); from < tc.low || left > tc.high { // on a slow machine less is left
			t.Errorf("%s: clients have %s, %s from the beginning, want %s to %s", tc.name, left, from, tc.low, tc.high)
		}
	}
}

func TestAVeryShortDeadlineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), answerSlack*3/2)
		defer cancel()
		if got := new(Server).wait(ctx, time.Minute); got != answerSlack*3/4 {
			t.Errorf("clients have %s of it", got)
		}
	})
}

func TestAnswersGoToTheProcessThatAsked(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	reply := func(to replyTo) (sluicev1.Outcome, error) {
		resp, err := h.client.Reply(h.ctx(), &sluicev1.ReplyRequest{
			ReplyTo: to.String(), Args: `[{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{4}},
		})
		return resp.GetOutcome(), err
	}
	good := replyTo{socket: a, replica: 1, boot: one.boot, namespace: "/chat", ackID: 12}
	if o, err := reply(good); err != nil || o != sluicev1.Outcome_OUTCOME_ACKED {
		t.Fatalf("%v, %v", o, err)
	}
	got := one.replies[0]
	if got.GetSocket() != uint64(a) || got.GetNamespace() != "/chat" || got.GetAckId() != 12 || got.GetBoot() != one.boot ||
		string(got.GetArgs()) != `[{"_placeholder":true,"num":0}]` || got.GetAttachments()[0][0] != 4 {
		t.Errorf("%v", got)
	}
	for name, change := range map[string]func(r *replyTo){
		"a successor":   func(r *replyTo) { r.boot = "an earlier boot" },
		"a dead one":    func(r *replyTo) { r.replica = 2 },
		"a gone socket": func(r *replyTo) { r.socket = sid(1, 2) },
	} {
		to := good
		change(&to)
		if o, err := reply(to); err != nil || o != sluicev1.Outcome_OUTCOME_OFFLINE {
			t.Errorf("%s: %v, %v", name, o, err)
		}
	}
	if len(one.replies) != 2 {
		t.Errorf("%d replies arrived: %v", len(one.replies), one.replies)
	}
	h.mesh.mu.Lock()
	h.mesh.fail = fmt.Errorf("b: %w", errBusy)
	h.mesh.mu.Unlock()
	if o, err := reply(good); err != nil || o != sluicev1.Outcome_OUTCOME_OVERLOADED {
		t.Errorf("busy: %v, %v", o, err)
	}
}

func TestAnswersThatDoNotFitAreLeftOut(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	one.call = func(context.Context, bus.Push) *meshv1.CallResponse {
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE, Args: []byte("[]"), Attachments: [][]byte{make([]byte, 900_000)}}
	}
	for i := range 6 {
		one.connect(sid(1, i+1), "ann")
	}
	resp, err := h.client.Call(h.ctx(), &sluicev1.CallRequest{Target: &sluicev1.CallRequest_User{User: "ann"}, Event: &sluicev1.Event{Name: "ask"}})
	if err != nil {
		t.Fatal(err)
	}
	whole, left := 0, 0
	for _, r := range resp.GetResults() {
		switch {
		case r.GetOutcome() != sluicev1.Outcome_OUTCOME_ACKED:
			t.Errorf("%v", r.GetOutcome())
		case r.GetArgs() == "[]" && len(r.GetAttachments()) == 1:
			whole++
		case r.GetArgs() == "" && len(r.GetAttachments()) == 0:
			left++
		}
	}
	if whole != 3 || left != 3 {
		t.Errorf("%d whole, %d left out", whole, left)
	}
}

func TestAPanicEndsTheCallAndNotTheProcess(t *testing.T) {
	h := newHouse(t, func(w *world) {
		w.deps.Producer = producerFunc(func(bus.Record, func(error)) error { panic("a secret cause") })
	})
	one := h.resident(1)
	a := one.connect(sid(1, 1), "ann")
	b := one.connect(sid(1, 2), "ann")
	h.mesh.mu.Lock()
	h.mesh.panics = true
	h.mesh.mu.Unlock()
	stream := func() error {
		ps, err := h.client.PushStream(h.ctx())
		if err != nil {
			return err
		}
		if err := ps.Send(pushTo("doc-1", "e", "[]")); err != nil {
			return err
		}
		return streamEnd(ps)
	}
	both := &sluicev1.Selection{Sockets: []string{a.String(), b.String(), sid(2, 1).String()}}
	for name, err := range map[string]error{
		"call":   second(h.client.Call(h.ctx(), callSocket(a))),
		"kick":   second(h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: both})),
		"push":   second(h.client.Push(h.ctx(), pushTo("doc-1", "e", "[]"))),
		"stream": stream(),
	} {
		if status.Code(err) != codes.Internal || !strings.HasSuffix(err.Error(), "internal error") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.client.GetSocket(h.ctx(), &sluicev1.GetSocketRequest{Socket: a.String()}); err != nil {
		t.Error(err)
	}
}
