package gateway

import (
	"strconv"
	"sync"

	"sluice/pkg/reason"
	"sluice/pkg/socketio"
)

// busyEvent tells a client that an event of its was not taken, and when to try
// again: ["sluice:busy",{"event":"comment","ack":7,"code":"busy","retry":"later","retryAfterMs":1830}].
const busyEvent = reservedPrefix + "busy"

// busyNotice waits for what becomes of an event. It is used again, with its
// function: one less of each to allocate for a message of a client.
type busyNotice struct {
	gw      *Gateway
	to      ref
	ns      string
	event   []byte
	hasAck  bool
	ack     uint64
	settled func(error) // finish
}

var busyNotices sync.Pool

func newBusyNotice(g *Gateway, to ref, p socketio.Packet, event []byte) *busyNotice {
	n, _ := busyNotices.Get().(*busyNotice)
	if n == nil {
		n = new(busyNotice)
		n.settled = n.finish
	}
	n.gw, n.to, n.ns, n.hasAck, n.ack = g, to, p.Namespace, p.HasID, p.ID
	n.event = append(n.event[:0], event...)
	return n
}

// finish tells the client of a failure. Nobody may use n afterwards.
func (n *busyNotice) finish(err error) {
	if err != nil {
		n.gw.m.upFailed.Inc()
		n.gw.tellBusy(n)
	}
	n.gw, n.to, n.ns = nil, ref{}, ""
	busyNotices.Put(n)
}

// tellBusy sends the notice; the event that it is about is never acknowledged.
func (g *Gateway) tellBusy(n *busyNotice) {
	args := make([]byte, 0, 128)
	args = append(args, `[{"event":`...)
	args = appendJSONString(args, string(n.event))
	if n.hasAck {
		args = append(args, `,"ack":`...)
		args = strconv.AppendUint(args, n.ack, 10)
	}
	args = reason.Busy.AppendAdvice(append(args, ','), wait(reason.Busy))
	args = append(args, "}]"...)
	g.tell(n.to, n.ns, busyEvent, args)
}

// tell emits an event of the gateway itself to one connection.
func (g *Gateway) tell(to ref, ns, event string, args []byte) {
	m := message{ns: ns, event: event, args: args}
	f, err := m.frame(to.form)
	if err != nil {
		g.m.drop(dropEncode)
		return
	}
	g.m.sent(to.send(f), 1)
}
