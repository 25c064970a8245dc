package gateway

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/socketio"
)

// callAnswer is what a call waits for: the client's acknowledgement, or its end.
type callAnswer struct {
	gone        bool
	args        []byte
	attachments [][]byte
}

// Call emits an event to one socket and waits for its acknowledgement until
// ctx ends. Nothing but an acknowledgement of the client is reported as done.
func (g *Gateway) Call(ctx context.Context, socket id.Socket, body []byte) *meshv1.CallResponse {
	p, err := bus.DecodePush(body)
	if err != nil {
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_REFUSED}
	}
	m := newMessage(&p)
	s := g.shardOf(socket)
	to, ack, answer, outcome := s.expect(socket, m.ns, g.cfg.MaxCalls)
	if outcome != meshv1.Outcome_OUTCOME_UNSPECIFIED {
		return &meshv1.CallResponse{Outcome: outcome}
	}
	defer s.forget(to, ack)
	f, err := m.call(to.form, uint64(ack))
	if err != nil {
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_REFUSED}
	}
	if err := to.send(f); err != nil {
		g.m.sent(err, 1)
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_OFFLINE}
	}
	select {
	case a := <-answer:
		if a.gone { // it may have been received before the end
			return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_TIMEOUT}
		}
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE, Args: a.args, Attachments: a.attachments}
	case <-ctx.Done():
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_TIMEOUT}
	}
}

// expect registers a call. The outcome is set when there can be none.
func (s *shard) expect(socket id.Socket, ns string, limit int) (ref, uint32, chan callAnswer, meshv1.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[socket]
	switch {
	case c == nil || !c.inSpaceLocked(ns):
		return ref{}, 0, nil, meshv1.Outcome_OUTCOME_OFFLINE
	case c.out != nil && len(c.out.calls) >= limit:
		return ref{}, 0, nil, meshv1.Outcome_OUTCOME_OVERLOADED
	}
	ack := c.nextCall
	c.nextCall++
	answer := make(chan callAnswer, 1)
	o := c.outboxLocked()
	o.calls = append(o.calls, call{ack: ack, answer: answer})
	return c.ref(), ack, answer, meshv1.Outcome_OUTCOME_UNSPECIFIED
}

func (s *shard) forget(to ref, ack uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to.conn.gen.Load() == to.gen {
		to.conn.takeCallLocked(uint64(ack))
	}
}

// takeCallLocked takes a call out; nil when nobody waits for that
// acknowledgement.
func (c *Connection) takeCallLocked(ack uint64) chan callAnswer {
	o := c.out
	if o == nil {
		return nil
	}
	for i := range o.calls {
		if uint64(o.calls[i].ack) == ack {
			answer := o.calls[i].answer
			o.calls = slices.Delete(o.calls, i, i+1)
			c.tidyLocked()
			return answer
		}
	}
	return nil
}

// takeCallsLocked takes all calls out.
func (c *Connection) takeCallsLocked() []call {
	if c.out == nil {
		return nil
	}
	calls := c.out.calls
	c.out.calls = nil
	c.tidyLocked()
	return calls
}

// hangUp tells whoever waits that the client is gone.
func hangUp(calls []call) {
	for _, w := range calls {
		w.answer <- callAnswer{gone: true}
	}
}

// errStrayAcks is an acknowledgement too many that nobody asked for.
var errStrayAcks = errors.New("gateway: acknowledgements that nobody asked for")

// handleAck passes a client's acknowledgement to the call that waits for it.
// One that nobody waits for came late, or was never asked for: it is counted.
func (c *Connection) handleAck(p socketio.Packet, attachments [][]byte) error {
	if !p.HasID {
		return nil // as the reference does
	}
	s := c.shard
	s.mu.Lock()
	answer := c.takeCallLocked(p.ID)
	s.mu.Unlock()
	if answer == nil {
		c.shard.gw.m.strayAcks.Inc()
		in := c.inbox()
		if in.stray++; int(in.stray) > c.shard.gw.cfg.MaxStrayAcks {
			return errStrayAcks
		}
		return nil
	}
	kept := make([][]byte, len(attachments))
	for i := range attachments {
		kept[i] = bytes.Clone(attachments[i])
	}
	answer <- callAnswer{args: slices.Clone(p.Data), attachments: kept}
	return nil
}

// Reply acknowledges a client's event with a component's answer.
func (g *Gateway) Reply(r *meshv1.ReplyRequest) *meshv1.ReplyResponse {
	to, ok := g.shardOf(id.Socket(r.Socket)).find(id.Socket(r.Socket))
	if !ok {
		return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_OFFLINE}
	}
	f, err := ackFrame(to.form, r.Namespace, r.AckId, r.Args, r.Attachments)
	if err != nil {
		return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_REFUSED}
	}
	if err := to.send(f); err != nil {
		g.m.sent(err, 1)
		return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_OFFLINE}
	}
	return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_DONE}
}
