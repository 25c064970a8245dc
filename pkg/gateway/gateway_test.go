package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/stream"
	"sluice/pkg/transport"
)

func TestAClientConnectsAndIsKnown(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann","authType":"web","clientVersion":"1.2","locale":"en","documents":["open-1","secret"]}`)
	c, ok := w.indexed(p.id)
	if !ok || c.User != "ann" || c.AuthType != "web" || c.ClientVersion != "1.2" || c.Locale != "en" || fmt.Sprint(c.Docs) != "[open-1]" {
		t.Errorf("the index has %+v, %v", c, ok)
	}
	if got := w.events(); !slices.Equal(got, []string{"Connect"}) {
		t.Errorf("components hear %v", got)
	}
	if w.gateway.Sockets() != 1 || !w.gateway.Holds("open-1") || w.gateway.Holds("secret") {
		t.Error("the gateway does not hold what it should")
	}
}

func TestWhoIsRefusedIsToldAndMayTryAgain(t *testing.T) {
	w := newWorld(t, nil)
	p := w.open()
	p.send(`40{"token":"bad"}`, "40/nowhere,", `40{"token":7}`)
	p.expect(`44{"message":"Not authorized","data":{"code":"unauthorized","retry":"new_token"}}`,
		`44/nowhere,{"message":"Invalid namespace"}`,
		`44{"message":"Bad credentials","data":{"code":"credentials","retry":"never"}}`)
	p.send(`40{"token":"ann"}`)
	if got := p.next(); !strings.HasPrefix(got, "40{") {
		t.Errorf("the second try is answered %q", got)
	}
}

func TestWhoNeverConnectsIsClosed(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.ConnectTimeout = time.Second })
	w.open()
	stays := w.dial(`{"token":"ann"}`)
	eventually(t, "the silent client to be closed", func() bool { return w.gateway.transport.Len() == 1 })
	stays.send(`42["still here"]`)
}

func TestProtocolErrorsCloseTheConnection(t *testing.T) {
	for name, packet := range map[string]string{
		"event before connect":      `42["x"]`,
		"connect twice":             `40`,
		"event in other namespace":  `42/other,["x"]`,
		"payload is an array":       `40/a,[]`,
		"binary out of the blue":    "bAQID",
		"text while parts missing":  `51-["x",{"_placeholder":true,"num":0}]` + "\x1e" + `42["x"]`,
		"connect error from client": `44{"message":"x"}`,
		"reserved event":            `42["sluice:unknown"]`,
		"disconnect with payload":   `41{"x":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
			p := w.open()
			if name != "event before connect" {
				p.send(`40{"token":"ann"}`)
				p.next()
			}
			p.send(packet)
			eventually(t, "the connection to be closed", func() bool { return w.gateway.transport.Len() == 0 })
		})
	}
}

func TestEventsGoUpWithTheirRouting(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann","authType":"web"}`)
	p.send(`420["comment",{"a":1}]`, `451-1["file",{"_placeholder":true,"num":0}]`, "bAQID")
	eventually(t, "three events", func() bool { return len(w.events()) == 3 })
	comment, file := w.up[1], w.up[2]
	if comment.Key != p.id.String() || comment.Headers.User != "ann" || comment.Headers.AuthType != "web" || comment.Headers.Mid == 0 || comment.Headers.TraceID == "" {
		t.Errorf("routing is %+v", comment.Headers)
	}
	u, err := bus.DecodeUp(comment.Body)
	if err != nil || u.Event != "comment" || string(u.Args) != `[{"a":1}]` || !u.HasAck || u.AckID != 0 {
		t.Errorf("body is %+v, %v", u, err)
	}
	u, err = bus.DecodeUp(file.Body)
	if err != nil || len(u.Attachments) != 1 || string(u.Attachments[0]) != "\x01\x02\x03" || u.AckID != 1 {
		t.Errorf("body is %+v, %v", u, err)
	}
	if r := w.gateway.Reply(&meshv1.ReplyRequest{Socket: uint64(p.id), Namespace: "/", AckId: 1, Args: []byte(`["ok"]`)}); r.Outcome != meshv1.Outcome_OUTCOME_DONE {
		t.Errorf("reply: %v", r.Outcome)
	}
	p.expect(`431["ok"]`)
}

func TestAnEventThatKafkaDoesNotTakeIsAnsweredBusy(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	w.mu.Lock()
	w.upErr = errAway
	w.mu.Unlock()
	p.send(`427["comment",1]`)
	if got := p.next(); !strings.HasPrefix(got, `42["sluice:busy",{"event":"comment","ack":7,"code":"busy","retry":"later","retryAfterMs":`) {
		t.Errorf("told %q", got)
	}
	w.mu.Lock()
	w.upErr = nil
	w.mu.Unlock()
}

func TestPushesReachWhomTheyAreFor(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.dial(`{"token":"ann","documents":["open-1"]}`)
	ann2 := w.dial(`{"token":"ann"}`)
	bob := w.dial(`{"token":"bob","documents":["open-1"]}`)
	send := func(target id.Target, n int) {
		w.push(bus.Push{Target: target, Namespace: "/", Event: "n", Args: fmt.Appendf(nil, "[%d]", n)})
	}
	send(id.DocTarget("open-1"), 1)
	send(id.UserTarget("ann"), 2)
	send(id.SocketTarget(bob.id), 3)
	send(id.DocTarget("elsewhere"), 4)
	w.push(bus.Push{Target: id.AllTarget(), Namespace: "/", Event: "n", Args: []byte("[5]"), Except: []id.Socket{ann2.id}})
	send(id.AllTarget(), 6)
	ann.expect(`42["n",1]`, `42["n",2]`, `42["n",5]`, `42["n",6]`)
	ann2.expect(`42["n",2]`, `42["n",6]`)
	bob.expect(`42["n",1]`, `42["n",3]`, `42["n",5]`, `42["n",6]`)
}

func TestAPushWithSeveralTargetsComesOnce(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann","documents":["open-1","open-2"]}`)
	mid, _ := w.gateway.deps.IDs.Message()
	for _, target := range []id.Target{id.DocTarget("open-1"), id.DocTarget("open-2"), id.UserTarget("ann")} {
		w.push(bus.Push{Mid: mid, Multi: true, Target: target, Event: "n", Args: []byte("[1]")})
	}
	w.push(bus.Push{Target: id.AllTarget(), Event: "end", Args: []byte("[]")})
	p.expect(`42["n",1]`, `42["end"]`)
}

func TestAGapIsToldToTheMembersOfItsDocuments(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann","documents":["open-1"]}`)
	w.handle(stream.Entry{Shard: 2, Gap: &stream.Gap{From: 1, To: 9, Reason: stream.GapTrimmed}})
	p.expect(`42["sluice:gap",{"document":"open-1"}]`)
}

func TestACallIsAnsweredByTheClientOnly(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	question := bus.Push{Namespace: "/", Event: "q", Args: []byte(`["?"]`)}
	body, err := question.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan *meshv1.CallResponse, 1)
	call := func(ctx context.Context) { answers <- w.gateway.Call(ctx, p.id, body) }

	go call(t.Context())
	p.expect(`420["q","?"]`)
	p.send(`430["yes"]`)
	if r := <-answers; r.Outcome != meshv1.Outcome_OUTCOME_DONE || string(r.Args) != `["yes"]` {
		t.Errorf("answered %v", r)
	}

	p.send(`430["again"]`, `4399["never asked"]`) // ignored
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	go call(short)
	if r := <-answers; r.Outcome != meshv1.Outcome_OUTCOME_TIMEOUT {
		t.Errorf("without an answer: %v", r)
	}
	p.expect(`421["q","?"]`)

	go call(t.Context())
	p.expect(`422["q","?"]`)
	p.send("1") // it leaves instead
	if r := <-answers; r.Outcome != meshv1.Outcome_OUTCOME_TIMEOUT {
		t.Errorf("client left: %v", r)
	}
	if r := w.gateway.Call(t.Context(), 12345, body); r.Outcome != meshv1.Outcome_OUTCOME_OFFLINE {
		t.Errorf("nobody there: %v", r)
	}
}

func TestTooManyCallsOfOneSocketAreRefused(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.MaxCalls = 1 })
	p := w.dial(`{"token":"ann"}`)
	question := bus.Push{Namespace: "/", Event: "q", Args: []byte(`[]`)}
	body, _ := question.Append(nil)
	first := make(chan *meshv1.CallResponse, 1)
	go func() { first <- w.gateway.Call(t.Context(), p.id, body) }()
	p.expect(`420["q"]`)
	if r := w.gateway.Call(t.Context(), p.id, body); r.Outcome != meshv1.Outcome_OUTCOME_OVERLOADED {
		t.Errorf("the second call: %v", r)
	}
	p.send(`430[]`)
	if r := <-first; r.Outcome != meshv1.Outcome_OUTCOME_DONE {
		t.Errorf("the first call: %v", r)
	}
}

func TestComponentsAndGrantsMakeMembers(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.MaxDocuments = 2 })
	p := w.dial(`{"token":"ann"}`)
	control := func(op meshv1.ControlRequest_Op, docs ...string) string {
		r := w.gateway.Control(t.Context(), &meshv1.ControlRequest{Op: op, Sockets: []uint64{uint64(p.id)}, Documents: docs}).Results[0]
		return r.Outcome.String() + " " + r.Reason
	}
	if got := control(meshv1.ControlRequest_OP_JOIN, "secret"); got != "OUTCOME_DONE " {
		t.Errorf("join: %s", got)
	}
	if c, _ := w.indexed(p.id); fmt.Sprint(c.Docs) != "[secret]" {
		t.Errorf("the index has %v", c.Docs)
	}
	p.send(`421["sluice:join","open-1"]`, `422["sluice:join","other"]`, `423["sluice:join","open-2"]`, `424["sluice:join"]`)
	p.expect(`431[{"ok":true}]`, `432[{"error":"forbidden","retry":"never"}]`,
		`433[{"error":"too_many_documents","retry":"never"}]`, `434[{"error":"bad_request","retry":"never"}]`)
	if got := control(meshv1.ControlRequest_OP_LEAVE, "secret"); got != "OUTCOME_DONE " || w.gateway.Holds("secret") {
		t.Errorf("leave: %s", got)
	}
	p.send(`425["sluice:leave","open-1"]`)
	p.expect(`435[{"ok":true}]`)
	if c, _ := w.indexed(p.id); len(c.Docs) != 0 {
		t.Errorf("the index has %v", c.Docs)
	}
}

func TestAKickedClientIsToldAndGone(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	r := w.gateway.Control(t.Context(), &meshv1.ControlRequest{Op: meshv1.ControlRequest_OP_KICK, Sockets: []uint64{uint64(p.id), 99}, Close: true})
	if r.Results[0].Outcome != meshv1.Outcome_OUTCOME_DONE || r.Results[1].Outcome != meshv1.Outcome_OUTCOME_OFFLINE {
		t.Errorf("kick: %v", r.Results)
	}
	p.expect("41") // as any Socket.IO server says it
	eventually(t, "its Disconnect event", func() bool {
		return slices.Equal(w.events(), []string{"Connect", "Disconnect kicked"})
	})
	eventually(t, "the index to be empty", func() bool { _, found := w.indexed(p.id); return !found })
}

func TestLeavingANamespaceAndComingBack(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
	p := w.dial(`{"token":"ann","documents":["open-1"]}`)
	p.send(`40/a,{"token":"ann"}`)
	if got := p.next(); !strings.HasPrefix(got, `40/a,{"sid":`) {
		t.Fatalf("second namespace: %q", got)
	}
	p.send(`40/a,{"token":"bob"}`)
	eventually(t, "connecting twice to close", func() bool { return w.gateway.transport.Len() == 0 })

	q := w.dial(`{"token":"ann","documents":["open-1"]}`)
	q.send("41")
	eventually(t, "the only namespace to be left", func() bool { return w.gateway.Sockets() == 0 })
	q.send(`40{"token":"bob"}`)
	if got := q.next(); !strings.HasPrefix(got, `40{"sid":`) {
		t.Errorf("back again: %q", got)
	}
	if c, ok := w.indexed(q.id); !ok || c.User != "bob" || len(c.Docs) != 0 {
		t.Errorf("the index has %+v, %v", c, ok)
	}
}

func TestAnotherIdentityOnTheSameConnectionIsRefused(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Namespaces = []string{"/", "/a"} })
	p := w.dial(`{"token":"ann"}`)
	p.send(`40/a,{"token":"bob"}`)
	p.expect(`44/a,{"message":"Not authorized","data":{"code":"identity","retry":"never"}}`)
}

func TestDrainSendsEverybodyAwayAndSettles(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	w.open() // never connects
	done := make(chan error, 1)
	go func() { done <- w.gateway.Drain(t.Context()) }()
	if got := p.next(); !strings.HasPrefix(got, `42["sluice:closing",{"code":"drain","retry":"now","retryAfterMs":`) {
		t.Errorf("told %q", got)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := w.events(); !slices.Equal(got, []string{"Connect", "Disconnect drain"}) {
		t.Errorf("components hear %v", got)
	}
	if _, found := w.indexed(p.id); found || w.gateway.Accepting() {
		t.Error("not gone, or still accepting")
	}
	if got := (&poller{w: w, url: w.server.URL + "/socket.io/?EIO=4&transport=polling"}).poll(); got[0] != "HTTP 503" {
		t.Errorf("a new client gets %v", got)
	}
}

func TestEphemeralEventsReachWhoListens(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann","documents":["open-1"]}`)
	cursor := func(n int) {
		c := bus.Push{Target: id.DocTarget("open-1"), Event: "cursor", Args: fmt.Appendf(nil, "[%d]", n)}
		body, err := c.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !w.gateway.Deliver(body) {
			t.Error("not taken")
		}
	}
	got := make(chan string, 1)
	go func() { got <- p.next() }()
	eventually(t, "a cursor to arrive", func() bool {
		cursor(1)
		select {
		case packet := <-got:
			return packet == `42["cursor",1]`
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
}

func TestOlderClientsAreConnectedUnasked(t *testing.T) {
	w := newWorld(t, nil)
	p := &poller{w: w, url: w.server.URL + "/socket.io/?EIO=3&transport=polling&token=ann&b64=1"}
	hello := strings.Join(p.poll(), "")
	if !strings.Contains(hello, `0{"sid":`) {
		t.Fatalf("handshake is answered %q", hello)
	}
	if !strings.Contains(hello, "2:40") {
		_, rest, _ := strings.Cut(hello, `"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		p.url += "&sid=" + sid
		hello = strings.Join(p.poll(), "")
	}
	if !strings.Contains(hello, "2:40") {
		t.Errorf("not connected: %q", hello)
	}
	if got := w.events(); !slices.Equal(got, []string{"Connect"}) {
		t.Errorf("components hear %v", got)
	}
}
