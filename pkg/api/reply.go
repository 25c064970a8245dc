package api

import (
	"context"

	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Reply answers the acknowledgement request of a client's event. The answer goes to
// the process that received the event: on another one, or after a restart, nobody
// waits for it.
func (s *Server) Reply(ctx context.Context, req *sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) {
	r, err := s.cfg.Limits.reply(req)
	if err != nil {
		return nil, err
	}
	if s.dead(ctx, r.to) {
		return &sluicev1.ReplyResponse{Outcome: sluicev1.Outcome_OUTCOME_OFFLINE}, nil
	}
	resp, err := s.deps.Mesh.Reply(ctx, r.to.replica, &meshv1.ReplyRequest{
		Boot: r.to.boot, Socket: uint64(r.to.socket), Namespace: r.to.namespace, AckId: r.to.ackID,
		Args: r.args, Attachments: r.attachments,
	})
	if err != nil {
		return &sluicev1.ReplyResponse{Outcome: s.outcomeOfError(err)}, nil
	}
	return &sluicev1.ReplyResponse{Outcome: outcomeOf(resp.GetOutcome())}, nil
}

// dead reports whether another process has the replica's number by now. The mesh
// addresses whoever has the number, and the ack id would mean something else there.
func (s *Server) dead(ctx context.Context, to replyTo) bool {
	nodes, err := s.deps.Index.Living(ctx)
	if err != nil {
		return false // unknown: the gateway answers for itself
	}
	for _, n := range nodes {
		if n.Replica == to.replica {
			return n.Boot != to.boot
		}
	}
	return false // a young process may not be listed yet
}
