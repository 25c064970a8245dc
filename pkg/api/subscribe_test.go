package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

const socketA, socketB, socketC = id.Socket(1<<22 | 1), id.Socket(1<<22 | 2), id.Socket(1<<22 | 3)

// upWorld is a world that consumes from k.
func upWorld(t testing.TB, k *testKafka, change ...func(w *world)) *world {
	return newWorld(t, append([]func(w *world){func(w *world) { w.deps.Consumer = k.consumer }}, change...)...)
}

func TestAnEventArrivesWithAllItsFields(t *testing.T) {
	k := newKafka(t, 2)
	w := upWorld(t, k)
	s := w.subscribe("docs", 0)
	at := time.Now()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	k.up(clientEvent(9, socketA, "edit", func(h *bus.Headers, up *bus.Up) {
		h.AuthType, h.ClientVersion, h.Locale, h.TraceID = "jwt", "1.2", "en-GB", trace
		up.Namespace, up.Args, up.Attachments = "/chat-7", []byte(`[{"_placeholder":true,"num":0}]`), [][]byte{{7}}
		up.HasAck, up.AckID, up.Docs = true, 5, []id.Doc{"doc-1", "other", "doc-2"}
	}))
	got := s.next()
	if got.GetTime().AsTime().Sub(at).Abs() > time.Minute {
		t.Errorf("time %v", got.GetTime().AsTime())
	}
	got.Time = nil
	want := &sluicev1.UpEvent{
		Delivery: 1, Mid: id.Message(9).String(), Kind: sluicev1.UpKind_UP_KIND_MESSAGE, Socket: socketA.String(), User: "user-1",
		Namespace: "/chat-7", Event: &sluicev1.Event{Name: "edit", Args: `[{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{7}}},
		ReplyTo:  replyTo{socket: socketA, replica: 1, boot: "boot-1", namespace: "/chat-7", ackID: 5}.String(),
		AuthType: "jwt", ClientVersion: "1.2", Locale: "en-GB", Traceparent: trace, Attempt: 1, Documents: []string{"doc-1", "doc-2"},
	}
	if !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	s.ack(got)
	eventually(t, "the ack", func() bool { return counted(w.deps.Metrics.upstream, "docs", "acked") == 1 })
}

func TestOnlyWhatTheEntrySelectsArrives(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k, func(w *world) {
		quiet := docs()
		quiet.Name, quiet.Presence, quiet.Namespaces, quiet.Events = "quiet", false, nil, []string{"edit"}
		w.cfg.Components = append(w.cfg.Components, quiet)
	})
	in := func(ns string) func(h *bus.Headers, up *bus.Up) {
		return func(_ *bus.Headers, up *bus.Up) { up.Namespace = ns }
	}
	kind := func(e bus.Event, ns string) func(h *bus.Headers, up *bus.Up) {
		return func(h *bus.Headers, up *bus.Up) { h.Event, up.Namespace, up.Reason = e, ns, "bye" }
	}
	for i, rec := range []bus.Record{
		clientEvent(1, socketA, "edit"),
		clientEvent(2, socketA, "edits"),
		clientEvent(3, socketA, "cursor:move"),
		clientEvent(4, socketA, "edit", in("/other")),
		clientEvent(5, socketA, "edit", in("/chat/1")),
		clientEvent(6, socketA, "edit", in("")),
		clientEvent(7, socketA, "", kind(bus.EventConnect, "/")),
		clientEvent(8, socketA, "", kind(bus.EventDisconnect, "/")),
		clientEvent(9, socketA, "", kind(bus.EventDisconnect, "")),
		clientEvent(10, socketA, "", kind(bus.EventConnect, "/other")),
		clientEvent(11, socketA, "edit", func(h *bus.Headers, _ *bus.Up) { h.Inner = "join" }),
		clientEvent(12, socketA, "edit", func(h *bus.Headers, _ *bus.Up) { h.Event = "Novelty" }),
		clientEvent(13, socketA, "edit"),
	} {
		if rec.Headers.Mid != id.Message(i+1) {
			t.Fatal("the table is numbered wrongly")
		}
		k.up(rec)
	}
	for component, want := range map[string]string{"docs": "1 3 5 6 7 8 9 13", "quiet": "1 6 13"} {
		s := w.subscribe(component, 0)
		var got []string
		for len(got) < strings.Count(want, " ")+1 {
			e := s.next()
			mid, _ := id.ParseMessage(e.GetMid())
			got = append(got, fmt.Sprint(uint64(mid)))
			switch {
			case e.GetKind() == sluicev1.UpKind_UP_KIND_DISCONNECT && (e.GetReason() != "bye" || e.GetEvent() != nil),
				e.GetKind() == sluicev1.UpKind_UP_KIND_CONNECT && e.GetEvent().GetArgs() != "[7]",
				e.GetKind() == sluicev1.UpKind_UP_KIND_MESSAGE && e.GetNamespace() == "":
				t.Errorf("%v", e)
			}
			s.ack(e)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", component, got, want)
		}
		s.idle()
	}
	if n := counted(w.deps.Metrics.upstream, "quiet", "skipped"); n != 10 {
		t.Errorf("%v skipped", n)
	}
}

func TestOneEventOfASocketIsInFlightAtATime(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k)
	s := w.subscribe("docs", 10)
	for i := range 3 {
		k.up(clientEvent(id.Message(10+i), socketA, "edit"))
		k.up(clientEvent(id.Message(20+i), socketB, "edit"))
	}
	for i := range 3 {
		a, b := s.next(), s.next()
		if a.GetSocket() != socketA.String() {
			a, b = b, a
		}
		if a.GetMid() != id.Message(10+i).String() || b.GetMid() != id.Message(20+i).String() {
			t.Fatalf("round %d: %v and %v", i, a, b)
		}
		s.ack(a, b)
	}
}

func TestNoMoreEventsThanTheWindowAreInFlight(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k)
	s := w.subscribe("docs", 3)
	for i := range 10 {
		k.up(clientEvent(id.Message(i+1), id.Socket(i+1), "edit"))
	}
	first := []*sluicev1.UpEvent{s.next(), s.next(), s.next()}
	if n := counted(w.deps.Metrics.upstream, "docs", "delivered"); n != 3 {
		t.Errorf("%v delivered", n)
	}
	s.idle()
	s.ack(first[1])
	s.ack(s.next(), first[0])
	for range 6 {
		s.ack(s.next())
	}
}

func TestASocketStaysWithItsStream(t *testing.T) {
	k := newKafka(t, 2)
	w := upWorld(t, k)
	streams := []*sub{w.subscribe("docs", 100), w.subscribe("docs", 100), w.subscribe("docs", 100)}
	const sockets, rounds = 20, 5
	at := map[string]int{}
	for round := range rounds {
		for i := range sockets {
			k.up(clientEvent(id.Message(round*sockets+i+1), id.Socket(i+1), "edit"))
		}
		for range sockets {
			var e *sluicev1.UpEvent
			var n int
			select {
			case e = <-streams[0].events:
			case e = <-streams[1].events:
				n = 1
			case e = <-streams[2].events:
				n = 2
			case <-time.After(patience):
				t.Fatal("no event")
			}
			if was, ok := at[e.GetSocket()]; ok && was != n {
				t.Errorf("socket %s moved from stream %d to %d", e.GetSocket(), was, n)
			}
			at[e.GetSocket()] = n
			streams[n].ack(e)
		}
	}
}

func TestASlowComponentDelaysNoOther(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k, func(w *world) {
		slow := docs()
		slow.Name = "slow"
		w.cfg.Components = append(w.cfg.Components, slow)
	})
	slow, fast := w.subscribe("slow", 1), w.subscribe("docs", 10)
	held := make(chan *sluicev1.UpEvent, 1)
	for i := range 200 {
		k.up(clientEvent(id.Message(i+1), id.Socket(i%7+1), "edit"))
		if i == 0 {
			held <- slow.next() // and never acked
		}
		fast.ack(fast.next())
	}
	slow.idle()
}

func TestWrongSubscriptionsAreRefused(t *testing.T) {
	w := upWorld(t, newKafka(t, 1), func(w *world) {
		w.cfg.Subscribe.StartTimeout = time.Second
		w.cfg.Subscribe.MaxStreams = 1
	})
	start := &sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Start_{Start: &sluicev1.SubscribeRequest_Start{}}}
	ack := &sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Ack_{Ack: &sluicev1.SubscribeRequest_Ack{}}}
	wide := &sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Start_{Start: &sluicev1.SubscribeRequest_Start{MaxInFlight: 4097}}}
	for name, tc := range map[string]struct {
		send  []*sluicev1.SubscribeRequest
		close bool
		code  codes.Code
		field string
	}{
		"no start":            {nil, false, codes.DeadlineExceeded, ""},
		"closed at once":      {nil, true, codes.InvalidArgument, "start"},
		"ack first":           {[]*sluicev1.SubscribeRequest{ack}, false, codes.InvalidArgument, "start"},
		"nothing first":       {[]*sluicev1.SubscribeRequest{{}}, false, codes.InvalidArgument, "start"},
		"a window too wide":   {[]*sluicev1.SubscribeRequest{wide}, false, codes.InvalidArgument, "start.max_in_flight"},
		"start twice":         {[]*sluicev1.SubscribeRequest{start, start}, false, codes.InvalidArgument, "start"},
		"nothing after start": {[]*sluicev1.SubscribeRequest{start, {}}, false, codes.InvalidArgument, "message"},
		"an orderly end":      {[]*sluicev1.SubscribeRequest{start}, true, codes.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.open("docs")
			for _, req := range tc.send {
				s.send(req)
			}
			if tc.close {
				_ = s.grpc.CloseSend()
			}
			s.read()
			err := take(t, "the end", s.ended)
			if tc.code == codes.OK {
				if err.Error() != "EOF" {
					t.Errorf("%v", err)
				}
				return
			}
			if status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.field) {
				t.Errorf("%v", err)
			}
		})
	}
	eventually(t, "the end of all streams", func() bool { return value(w.deps.Metrics.streams.WithLabelValues("docs")) == 0 })
	w.subscribe("docs", 0)
	s := w.open("docs")
	s.send(start)
	s.read()
	if err := take(t, "the end", s.ended); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one stream too many: %v", err)
	}
}

func TestALeavingServerWaitsForAcksAndSendsItsStreamsElsewhere(t *testing.T) {
	k := newKafka(t, 1)
	leaving := upWorld(t, k)
	s := leaving.subscribe("docs", 2)
	for i := range 6 {
		k.up(clientEvent(id.Message(i+1), id.Socket(i+1), "edit"))
	}
	first, second := s.next(), s.next()
	stopped := make(chan struct{}, 1)
	go func() {
		leaving.stop()
		stopped <- struct{}{}
	}()
	eventually(t, "the drain", func() bool {
		u := leaving.server.uplink("docs")
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.draining
	})
	s.ack(first)
	select {
	case err := <-s.ended:
		t.Fatalf("ended before the second ack: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.ack(second)
	if err := take(t, "the end", s.ended); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
	s.idle()
	take(t, "the end of Run", stopped)

	next := upWorld(t, &testKafka{t: t, cfg: k.cfg, bus: openBus(t, k.cfg)})
	s = next.subscribe("docs", 10)
	got := map[string]bool{}
	for range 4 {
		e := s.next()
		got[e.GetMid()] = true
		s.ack(e)
	}
	if got[first.GetMid()] || got[second.GetMid()] || len(got) != 4 {
		t.Errorf("came again: %v", got)
	}
}

func TestADrainDoesNotWaitForeverForAcks(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k, func(w *world) { w.cfg.Subscribe.DrainTimeout = 50 * time.Millisecond })
	s := w.subscribe("docs", 2)
	k.up(clientEvent(1, socketA, "edit"))
	s.next()
	w.stop()
	if err := take(t, "the end", s.ended); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
	again := w.open("docs")
	again.read()
	if err := take(t, "the end", again.ended); status.Code(err) != codes.Unavailable {
		t.Errorf("a new stream: %v", err)
	}
}

func TestARemovedComponentLosesItsStreams(t *testing.T) {
	w := upWorld(t, newKafka(t, 1))
	s := w.subscribe("docs", 2)
	other := docs()
	other.Name = "other"
	if err := w.server.SetComponents(nil); err == nil {
		t.Error("no components were accepted")
	}
	if err := w.server.SetComponents([]ComponentConfig{other}); err != nil {
		t.Fatal(err)
	}
	if err := take(t, "the end", s.ended); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
	if _, err := w.client.GetSocket(w.ctx(), &sluicev1.GetSocketRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("%v", err)
	}
	if _, err := w.client.GetSocket(w.as("other", token), &sluicev1.GetSocketRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("%v", err)
	}
}

// TestAComponentThatReadsNothingIsEnded blocks the sender in gRPC's flow control.
