package gateway

import (
	"context"
	"errors"
	"testing"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/socketio"
	"sluice/pkg/stream"
)

// settling is an uplink that has everything done at once.
type settling struct{ err error }

func (s settling) EnqueueFrom(_ *bus.Record, done func(error)) error {
	done(s.err)
	return nil
}

// speaking returns a connection that may send events, apart from its gateway's others.
func speaking(w *world, up Uplink) *Connection {
	g := w.gateway
	session := closedSession(w)
	w.instead.Store(&up)
	s := newShard(1, g.m)
	s.gw = g
	c := GetConn()
	c.shard, c.session, c.id, c.main, c.member = s, session, 7, true, true
	c.who.traits = g.intern.of(traits{authType: "web", version: "1.2", locale: "de"})
	s.joinLocked(c, id.UserTarget("ann"))
	s.joinLocked(c, id.DocTarget("d"))
	return c
}

// What stands between the transport and Kafka's producer, for an event that asks for
// an acknowledgement, of about 100 bytes, and for a receipt.
var upstream = map[string][]byte{
	"event":   []byte(`27["edit",{"guid":"doc-4711","at":128,"ops":[{"insert":"hello, world"},{"retain":12}]}]`),
	"receipt": []byte(`2["bench:receipt",1]`),
}

func TestEventOfAClientAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	c := speaking(newWorld(t, nil), settling{})
	for name, packet := range upstream {
		if n := testing.AllocsPerRun(1000, func() { c.Message(packet, false) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if c.ended {
		t.Error("the events were refused")
	}
}

func TestNoticeIsNotUsedAgainBeforeItIsTold(t *testing.T) {
	w := newWorld(t, nil)
	c := speaking(w, settling{errors.New("away")})
	for range 100 {
		c.Message(upstream["event"], false)
	}
	if n := newBusyNotice(w.gateway, ref{}, socketio.Packet{Namespace: "other"}, []byte("other")); string(n.event) != "other" || n.hasAck || n.ns != "other" {
		t.Errorf("a notice has kept something: %+v", n)
	}
}

func BenchmarkEventUp(b *testing.B) {
	c := speaking(newWorld(b, nil), settling{})
	for name, packet := range upstream {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Message(packet, false)
			}
		})
	}
}

// BenchmarkPushDown is what a durable push costs a gateway without receivers: the way
// from the stream to its shards.
func BenchmarkPushDown(b *testing.B) {
	g := newWorld(b, nil).gateway
	p := bus.Push{Target: id.DocTarget("d"), Namespace: "/", Event: "edit", Args: make([]byte, 400), Traceparent: "00-trace"}
	body, err := p.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	e := stream.Entry{Target: p.Target, Mid: 1, Body: body}
	b.ReportAllocs()
	for b.Loop() {
		g.broadcast(context.Background(), e)
	}
}
