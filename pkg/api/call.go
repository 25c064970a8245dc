package api

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/session"
)

// Call emits an event with an acknowledgement request to a socket, or to all
// sockets of a user, and waits for the answers.
func (s *Server) Call(ctx context.Context, req *sluicev1.CallRequest) (*sluicev1.CallResponse, error) {
	comp := caller(ctx)
	c, err := s.cfg.Limits.call(req)
	if err != nil {
		return nil, err
	}
	sockets := []id.Socket{c.socket}
	if c.user != "" {
		sockets, err = s.socketsOf(ctx, c.user, s.cfg.Work.Calls)
		if errors.Is(err, ErrInvalid) {
			return nil, &InvalidError{Violations: []Violation{{Field: "user", Reason: "has too many sockets"}}}
		}
		if err != nil {
			return nil, dependency(ctx, "session index", err)
		}
	}
	if err := comp.quota.push(s.now(), c.event.size()*max(1, len(sockets))); err != nil {
		return nil, err
	}
	mid, err := s.mint()
	if err != nil {
		return nil, err
	}
	msg := bus.Push{
		Mid: mid, Namespace: c.namespace, Event: c.event.name, Args: c.event.args,
		Attachments: c.event.attachments, Component: comp.name, Multi: len(sockets) > 1,
		Traceparent: s.traceparent(ctx, mid), SentAt: s.now().UnixMilli(),
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait(ctx, c.wait))
	defer cancel()
	return s.callAll(ctx, sockets, msg)
}

// wait is how long clients may take, so that the answer is there before the caller
// stops waiting for it.
func (s *Server) wait(ctx context.Context, wish time.Duration) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return wish
	}
	left := time.Until(end)
	return min(wish, max(left-answerSlack, left/2))
}

func (s *Server) callAll(ctx context.Context, sockets []id.Socket, msg bus.Push) (*sluicev1.CallResponse, error) {
	bodies := make([][]byte, len(sockets))
	for i, socket := range sockets {
		msg.Target = id.SocketTarget(socket)
		var err error
		if bodies[i], err = msg.Append(nil); err != nil {
			return nil, fmt.Errorf("encode the call: %w", err)
		}
	}
	out := &sluicev1.CallResponse{Results: make([]*sluicev1.CallResult, len(sockets))}
	var wg errgroup.Group
	for i, socket := range sockets {
		wg.Go(func() error {
			return s.safely("call", func() error {
				out.Results[i] = s.callOne(ctx, socket, bodies[i])
				return nil
			})
		})
	}
	if err := wg.Wait(); err != nil {
		return nil, err
	}
	s.fit(out)
	return out, nil
}

// fit leaves answers out that would make the response larger than gRPC sends: an
// acked result then has empty args, which no client's answer has.
func (s *Server) fit(out *sluicev1.CallResponse) {
	room := s.cfg.Server.answerRoom()
	for _, r := range out.Results {
		size := len(r.Args)
		for _, a := range r.Attachments {
			size += len(a)
		}
		if size > room {
			r.Args, r.Attachments = "", nil
			continue
		}
		room -= size
	}
}

// callOne asks the replica that the socket's id names, and the one that the index
// names when the socket is not there: most sockets never move, and then it costs no
// look-up.
func (s *Server) callOne(ctx context.Context, socket id.Socket, body []byte) *sluicev1.CallResult {
	at := socket.Replica()
	out, err := s.callAt(ctx, at, socket, body)
	if out.Outcome != sluicev1.Outcome_OUTCOME_OFFLINE {
		return out
	}
	c, lookup := s.deps.Index.Get(ctx, socket)
	switch {
	case errors.Is(lookup, session.ErrNotFound):
		return out
	case lookup != nil:
		// It may be elsewhere: offline would be a claim that nobody has checked.
		out.Outcome = sluicev1.Outcome_OUTCOME_TIMEOUT
		return out
	case c.Replica != at:
		out, err = s.callAt(ctx, c.Replica, socket, body)
	}
	if err != nil && out.Outcome == sluicev1.Outcome_OUTCOME_OFFLINE {
		out.Outcome = youngProcess
	}
	return out
}

// youngProcess is the outcome for a socket that the index knows, on a process that
// the mesh does not know yet: nothing was sent, and a later attempt will arrive.
const youngProcess = sluicev1.Outcome_OUTCOME_OVERLOADED

// callAt calls a socket at one replica; the error is set when the replica did not
// answer.
func (s *Server) callAt(ctx context.Context, at id.Replica, socket id.Socket, body []byte) (*sluicev1.CallResult, error) {
	out := &sluicev1.CallResult{Socket: socket.String()}
	resp, err := s.deps.Mesh.Call(ctx, at, &meshv1.CallRequest{Socket: uint64(socket), Body: body})
	if err != nil {
		out.Outcome = s.outcomeOfError(err)
		return out, err
	}
	out.Outcome = outcomeOf(resp.GetOutcome())
	switch {
	case out.Outcome != sluicev1.Outcome_OUTCOME_ACKED:
	case !utf8.Valid(resp.GetArgs()):
		out.Args = "[]" // it cannot travel in a string, and no gateway lets it in
	default:
		out.Args, out.Attachments = string(resp.GetArgs()), resp.GetAttachments()
	}
	return out, nil
}

// outcomeOf translates what a gateway answered. A call that the gateway refuses to
// make has reached nobody.
func outcomeOf(o meshv1.Outcome) sluicev1.Outcome {
	switch o {
	case meshv1.Outcome_OUTCOME_DONE:
		return sluicev1.Outcome_OUTCOME_ACKED
	case meshv1.Outcome_OUTCOME_OFFLINE, meshv1.Outcome_OUTCOME_REFUSED:
		return sluicev1.Outcome_OUTCOME_OFFLINE
	case meshv1.Outcome_OUTCOME_OVERLOADED:
		return sluicev1.Outcome_OUTCOME_OVERLOADED
	default:
		return sluicev1.Outcome_OUTCOME_TIMEOUT
	}
}

// outcomeOfError tells what is known after a failed inner call: without proof that
// nothing happened it is a timeout, which promises nothing.
func (s *Server) outcomeOfError(err error) sluicev1.Outcome {
	switch {
	case errors.Is(err, s.deps.Gone):
		return sluicev1.Outcome_OUTCOME_OFFLINE
	case errors.Is(err, s.deps.Busy):
		return sluicev1.Outcome_OUTCOME_OVERLOADED
	default:
		return sluicev1.Outcome_OUTCOME_TIMEOUT
	}
}
