package gateway

import (
	"strconv"

	"sluice/pkg/reason"
)

// busyEvent tells a client that an event of its was not taken, and when to try
// again: ["sluice:busy",{"event":"comment","ack":7,"code":"busy","retry":"later","retryAfterMs":1830}].
const busyEvent = reservedPrefix + "busy"

type busyNotice struct {
	to     ref
	ns     string
	event  string
	hasAck bool
	ack    uint64
}

// tellBusy sends the notice; the event that it is about is never acknowledged.
func (g *Gateway) tellBusy(n busyNotice) {
	args := make([]byte, 0, 128)
	args = append(args, `[{"event":`...)
	args = appendJSONString(args, n.event)
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
