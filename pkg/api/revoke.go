package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
	"sluice/pkg/session"
)

// Revoke withdraws tokens: first it is remembered, so that they do not come back,
// then every gateway closes the sockets that it holds of them. Gateways that do not
// answer are named: what they hold stays until they find the revocation in Redis, or
// the call is repeated.
func (s *Server) Revoke(ctx context.Context, req *sluicev1.RevokeRequest) (*sluicev1.RevokeResponse, error) {
	r, err := s.cfg.Limits.revoke(req, s.now())
	if err != nil {
		return nil, err
	}
	if err := s.deps.Revocations.Remember(ctx, r.what); err != nil {
		return nil, dependency(ctx, "revocations", err)
	}
	gateways, err := s.living(ctx)
	if err != nil {
		return nil, dependency(ctx, "session index", err)
	}
	out := s.revokeAt(ctx, gateways, &meshv1.RevokeRequest{
		User: string(r.what.User), TokenId: r.what.ID, AuthType: r.what.AuthType, Reason: r.reason,
		IssuedBefore: r.what.Before.UnixMilli(), Until: r.what.Until.UnixMilli(),
	})
	s.log.Info("tokens revoked", elog.String("component", caller(ctx).name),
		elog.String("user", string(r.what.User)), elog.String("token", r.what.ID), elog.String("type", r.what.AuthType),
		elog.String("reason", r.reason), elog.Any("sockets", out.Sockets), elog.Int("gateways", len(gateways)), elog.Any("unreached", out.Unreached))
	return out, nil
}

// revokeAt tells the gateways, several at once.
func (s *Server) revokeAt(ctx context.Context, gateways []id.Replica, req *meshv1.RevokeRequest) *sluicev1.RevokeResponse {
	var mu sync.Mutex
	out := &sluicev1.RevokeResponse{}
	told := map[id.Replica]bool{}
	_ = s.parallel(ctx, len(gateways), func(ctx context.Context, i int) error { // who is not told is counted below
		resp, err := s.deps.Mesh.Revoke(ctx, gateways[i], req)
		if err != nil {
			s.log.Warn("a gateway was not told of revoked tokens", elog.Int("replica", int(gateways[i])), elog.FieldErr(err))
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		told[gateways[i]] = true
		out.Sockets += resp.GetSockets()
		return nil
	})
	mu.Lock()
	defer mu.Unlock()
	for _, g := range gateways {
		if !told[g] {
			out.Unreached = append(out.Unreached, uint32(g))
		}
	}
	slices.Sort(out.Unreached)
	return out
}

// revoke is a validated RevokeRequest.
type revoke struct {
	what   session.Revocation
	reason string
}

func (l Limits) revoke(req *sluicev1.RevokeRequest, now time.Time) (*revoke, error) {
	c := &checker{limits: l}
	out := &revoke{reason: req.GetReason(), what: session.Revocation{Before: now}}
	switch req.GetOf().(type) {
	case *sluicev1.RevokeRequest_User:
		out.what.User = one(c, "user", req.GetUser(), readUser)
	case *sluicev1.RevokeRequest_TokenId:
		out.what.ID = string(one(c, "token_id", req.GetTokenId(), readUser)) // the same form
	default:
		c.refuse("of", "one of user and token_id is needed")
	}
	out.what.Reason = out.reason
	if out.what.AuthType = req.GetAuthType(); out.what.AuthType != "" {
		c.text("auth_type", out.what.AuthType, 1, maxFilterText)
	}
	if out.reason != "" {
		c.text("reason", out.reason, 1, maxReason)
	}
	remember := c.duration("remember", req.GetRemember(), maxRemember)
	if remember == 0 {
		remember = defaultRemember
	}
	out.what.Until = now.Add(remember)
	if at := req.GetIssuedBefore(); at != nil {
		if out.what.Before = at.AsTime(); at.CheckValid() != nil || out.what.Before.After(now.Add(maxAhead)) {
			c.refuse("issued_before", "must be a time that is not in the future")
		}
	}
	return out, c.err()
}
