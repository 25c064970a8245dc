package gateway

import (
	"context"
	"errors"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/reason"
)

// Control joins, leaves or disconnects sockets for a component. A result is
// done when it is true here and in the index.
func (g *Gateway) Control(ctx context.Context, r *meshv1.ControlRequest) *meshv1.ControlResponse {
	out := &meshv1.ControlResponse{Results: make([]*meshv1.ControlResponse_Result, 0, len(r.Sockets))}
	for _, raw := range r.Sockets {
		result := &meshv1.ControlResponse_Result{Socket: raw, Outcome: meshv1.Outcome_OUTCOME_TIMEOUT}
		if ctx.Err() == nil {
			result.Outcome, result.Reason = g.controlOne(id.Socket(raw), r)
		}
		out.Results = append(out.Results, result)
	}
	return out
}

func (g *Gateway) controlOne(socket id.Socket, r *meshv1.ControlRequest) (meshv1.Outcome, string) {
	switch r.Op {
	case meshv1.ControlRequest_OP_JOIN:
		return g.controlJoin(socket, r.Documents)
	case meshv1.ControlRequest_OP_LEAVE:
		return g.controlLeave(socket, r.Documents)
	case meshv1.ControlRequest_OP_KICK:
		return g.kick(socket, r)
	default:
		return meshv1.Outcome_OUTCOME_REFUSED, "unknown_operation"
	}
}

func (g *Gateway) controlJoin(socket id.Socket, names []string) (meshv1.Outcome, string) {
	var joined []id.Doc
	defer func() { g.joinedDocs(socket, joined) }()
	for _, name := range names {
		d := id.Doc(name)
		if err := g.joinDoc(g.shardOf(socket), socket, d); err != nil {
			if errors.Is(err, errGone) {
				return meshv1.Outcome_OUTCOME_OFFLINE, string(joinReason(err))
			}
			return meshv1.Outcome_OUTCOME_REFUSED, string(joinReason(err))
		}
		joined = append(joined, d)
	}
	return meshv1.Outcome_OUTCOME_DONE, ""
}

func (g *Gateway) controlLeave(socket id.Socket, names []string) (meshv1.Outcome, string) {
	s := g.shardOf(socket)
	if _, ok := s.find(socket); !ok {
		return meshv1.Outcome_OUTCOME_OFFLINE, errGone.Error()
	}
	var left []id.Doc
	for _, name := range names {
		if g.leaveDoc(s, socket, id.Doc(name)) {
			left = append(left, id.Doc(name))
		}
	}
	g.leftDocs(socket, left)
	return meshv1.Outcome_OUTCOME_DONE, ""
}

// kick disconnects a socket: from one namespace, which stock clients do not
// reconnect to by themselves, or the whole connection. The connection of a
// client without namespaces is closed too.
func (g *Gateway) kick(socket id.Socket, r *meshv1.ControlRequest) (meshv1.Outcome, string) {
	ns := r.Namespace
	if ns == "" {
		ns = mainSpace
	}
	s := g.shardOf(socket)
	s.mu.Lock()
	c := s.conns[socket]
	if c == nil || (!r.Close && !c.inSpaceLocked(ns)) {
		s.mu.Unlock()
		return meshv1.Outcome_OUTCOME_OFFLINE, errGone.Error()
	}
	to, client, spaces := c.ref(), c.clientLocked(), c.spacesLocked()
	last := len(spaces) == 1
	if !r.Close && !last {
		c.dropSpaceLocked(ns)
	}
	s.mu.Unlock()

	why := r.Reason
	if why == "" {
		why = string(reason.Kicked)
	}
	if !r.Close {
		spaces = []string{ns}
	}
	for _, space := range spaces {
		_ = to.send(disconnectFrame(to.form, space)) // one that left is gone either way
	}
	if r.Close || last {
		to.session.CloseAfterFlush(reason.Kicked)
		return meshv1.Outcome_OUTCOME_DONE, ""
	}
	g.disconnected(&client, ns, why, nil)
	return meshv1.Outcome_OUTCOME_DONE, ""
}
