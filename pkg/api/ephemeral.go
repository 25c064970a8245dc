package api

import (
	"context"
	"errors"
	"fmt"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// pushEphemeral hands an event to the replicas that have receivers: one delivery for
// each replica and target. What cannot be handed over is dropped and counted; only a
// session index that does not answer is an error, as then nobody would get anything.
func (s *Server) pushEphemeral(ctx context.Context, c *component, p *push) (*sluicev1.PushResponse, error) {
	mid, err := s.mint()
	if err != nil {
		return nil, err
	}
	routes, err := s.routes(ctx, p)
	if err != nil {
		return nil, err
	}
	msg := s.message(ctx, c, p, mid)
	if msg.LatestKey == "" {
		msg.LatestKey = msg.Event
	}
	for _, r := range routes {
		if len(r.replicas) == 0 {
			s.m.drop(dropNobody)
			continue
		}
		msg.Target = r.target
		body, err := msg.Append(nil)
		if err != nil {
			return nil, fmt.Errorf("encode the push: %w", err)
		}
		for _, to := range r.replicas {
			s.deliver(to, body)
		}
	}
	s.m.pushes.WithLabelValues(c.name, "ephemeral").Inc()
	return &sluicev1.PushResponse{Mid: mid.String()}, nil
}

func (s *Server) deliver(to id.Replica, body []byte) {
	err := s.deps.Mesh.Deliver(to, body)
	switch {
	case err == nil:
	case errors.Is(err, s.deps.Busy):
		s.m.drop(dropBusy)
	case errors.Is(err, s.deps.Gone):
		s.m.drop(dropGone)
	default:
		s.m.drop(dropFailed)
	}
}
