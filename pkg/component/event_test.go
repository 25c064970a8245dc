package component

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestAnEventTellsWhatTheClientDid(t *testing.T) {
	type got struct {
		e     *Event
		trace string
		left  time.Duration
	}
	events := make(chan got, 1)
	l, _, _ := start(t, func(ctx context.Context, e *Event) error {
		deadline, _ := ctx.Deadline()
		events <- got{e, Traceparent(ctx), time.Until(deadline)}
		return nil
	}, func(o *Options) { o.HandlerTimeout = 7 * time.Second })
	at := time.Unix(1700000000, 5).UTC()
	l.event(t, 1, "s1", func(up *sluicev1.UpEvent) {
		up.User, up.Namespace, up.AuthType, up.ClientVersion, up.Locale = "u", "/n", "jwt", "1.2", "en"
		up.Event = &sluicev1.Event{Name: "draw", Args: `[3,{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{1, 2}}}
		up.Time, up.Traceparent, up.Attempt, up.Documents = timestamppb.New(at), "00-ab-cd-01", 2, []string{"d1", "d2"}
		up.ReplyTo = "r"
	})
	g := receive(t, "the event", events)
	e := g.e
	var n int
	var blob []byte
	if err := e.Bind(&n, &blob); err != nil || n != 3 || !slices.Equal(blob, []byte{1, 2}) {
		t.Errorf("Bind: %v, %d, %v", err, n, blob)
	}
	if e.Mid() != "mid-1" || e.Kind() != Message || e.Name() != "draw" || e.Socket() != "s1" || e.User() != "u" || e.Namespace() != "/n" ||
		e.AuthType() != "jwt" || e.ClientVersion() != "1.2" || e.Locale() != "en" || !e.Time().Equal(at) || e.Attempt() != 2 ||
		!slices.Equal(e.Documents(), []string{"d1", "d2"}) || !e.WantsReply() || e.ReplyTo() != "r" || e.Traceparent() != "00-ab-cd-01" ||
		string(e.Args()) != `[3,{"_placeholder":true,"num":0}]` {
		t.Errorf("event %v", e.up)
	}
	if g.trace != "00-ab-cd-01" || g.left > 7*time.Second || g.left < 6*time.Second {
		t.Errorf("context with trace %q and %v left", g.trace, g.left)
	}

	l.event(t, 2, "s1", func(up *sluicev1.UpEvent) {
		up.Kind, up.Event, up.Reason = sluicev1.UpKind_UP_KIND_DISCONNECT, nil, "ping_timeout"
	})
	e = receive(t, "the disconnect", events).e
	if e.Kind() != Disconnect || e.Name() != "" || string(e.Args()) != "[]" || e.Reason() != "ping_timeout" || e.WantsReply() || !e.Time().IsZero() {
		t.Errorf("event %v", e.up)
	}
}

func TestReplies(t *testing.T) {
	var got *sluicev1.ReplyRequest
	outcome := sluicev1.Outcome_OUTCOME_ACKED
	hub := newHub()
	addr, _ := serve(t, "", &fake{subscribe: hub.subscribe, reply: func(r *sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) {
		got = r
		return &sluicev1.ReplyResponse{Outcome: outcome}, nil
	}})
	events := make(chan *Event, 1)
	subscribe(t, dial(t, addr), func(_ context.Context, e *Event) error { events <- e; return nil })
	l := receive(t, "the subscription", hub.streams)

	l.event(t, 1, "s")
	if err := receive(t, "the event", events).Reply(timeout(t), 1); err != ErrNoReply {
		t.Errorf("reply to an event that wants none: %v", err)
	}
	l.event(t, 2, "s", func(up *sluicev1.UpEvent) { up.ReplyTo = "back" })
	e := receive(t, "the event", events)
	if err := e.Reply(timeout(t), "ok", []byte{9}); err != nil {
		t.Error(err)
	}
	if got.GetReplyTo() != "back" || got.GetArgs() != `["ok",{"_placeholder":true,"num":0}]` || len(got.GetAttachments()) != 1 {
		t.Errorf("server got %v", got)
	}
	outcome = sluicev1.Outcome_OUTCOME_OFFLINE
	if err := e.Reply(timeout(t)); err != ErrOffline {
		t.Errorf("reply to a client that is gone: %v", err)
	}
	if got.GetArgs() != "[]" {
		t.Errorf("no arguments are sent as %q", got.GetArgs())
	}
	outcome = sluicev1.Outcome_OUTCOME_OVERLOADED
	if err := e.Reply(timeout(t)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("reply without room: %v", err)
	}
}

func TestMuxPicksTheHandler(t *testing.T) {
	var picked string
	pick := func(name string) Handler {
		return func(context.Context, *Event) error { picked = name; return nil }
	}
	var m Mux
	up := func(kind sluicev1.UpKind, name string) *Event {
		return &Event{up: &sluicev1.UpEvent{Kind: kind, Event: &sluicev1.Event{Name: name}}}
	}
	try := func(e *Event) string {
		picked = "none"
		if err := m.Handle(context.Background(), e); err != nil {
			t.Error(err)
		}
		return picked
	}
	if got := try(up(sluicev1.UpKind_UP_KIND_MESSAGE, "say")); got != "none" {
		t.Errorf("the zero Mux picked %s", got)
	}
	m.On("say", pick("say"))
	m.OnKind(Connect, pick("connect"))
	if got := try(up(sluicev1.UpKind_UP_KIND_MESSAGE, "other")); got != "none" {
		t.Errorf("other: %s", got)
	}
	m.OnKind(Message, pick("rest"))
	for _, tc := range []struct {
		e    *Event
		want string
	}{
		{up(sluicev1.UpKind_UP_KIND_MESSAGE, "say"), "say"},
		{up(sluicev1.UpKind_UP_KIND_MESSAGE, "other"), "rest"},
		{up(sluicev1.UpKind_UP_KIND_CONNECT, "say"), "connect"},
		{up(sluicev1.UpKind_UP_KIND_DISCONNECT, ""), "none"},
	} {
		if got := try(tc.e); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.e.up, got, tc.want)
		}
	}
}
