package api

import (
	"context"

	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Reply answers the acknowledgement request of a client's event. The answer goes to
// the boot that received the event: on another replica, or after a restart, nobody
// waits for it.
func (s *Server) Reply(ctx context.Context, req *sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) {
	r, err := s.cfg.Limits.reply(req)
	if err != nil {
		return nil, err
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
