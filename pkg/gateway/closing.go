package gateway

import (
	"sluice/pkg/reason"
)

// closingEvent tells a client that the gateway ends its connection, and what to
// do then: ["sluice:closing",{"code":"drain","retry":"now","retryAfterMs":740}].
// pkg/reason says which reasons are told. Clients that do not know the event
// see the connection close, and do what they always do.
const closingEvent = reservedPrefix + "closing"

// end closes a connection for a reason, and tells its client why when the
// reason is one to be told. It does not block.
func (g *Gateway) end(r ref, why reason.Reason) {
	if ns := r.space(); ns != "" {
		g.tellClosing(r, ns, why)
	}
	r.session.CloseAfterFlush(why)
}

// tellClosing says in a namespace that it, or the connection, is about to end.
func (g *Gateway) tellClosing(r ref, ns string, why reason.Reason) {
	if e, _ := reason.Of(why); !e.Told || !g.cfg.TellClosing {
		return
	}
	args := why.AppendAdvice(append(make([]byte, 0, 80), `[{`...), wait(why))
	g.tell(r, ns, closingEvent, append(args, `}]`...))
}

// space is a namespace that the client is connected to, "/" if it can be; ""
// when it is connected to none, or gone.
func (r ref) space() string {
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	c := r.conn
	switch {
	case c.gen.Load() != r.gen || !c.member:
		return ""
	case c.main:
		return mainSpace
	case c.out != nil && len(c.out.spaces) > 0:
		return c.out.spaces[0]
	default:
		return ""
	}
}
