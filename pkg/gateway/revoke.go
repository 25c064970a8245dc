package gateway

import (
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/reason"
	"sluice/pkg/session"
)

// Revoke withdraws tokens: it remembers that, closes the connections that have
// their identity of them, and counts those.
func (g *Gateway) Revoke(r *meshv1.RevokeRequest) *meshv1.RevokeResponse {
	what := session.Revocation{
		RevokedTokens: session.RevokedTokens{User: id.User(r.GetUser()), ID: r.GetTokenId(), AuthType: r.GetAuthType()},
		Before:        time.UnixMilli(r.GetIssuedBefore()), Until: time.UnixMilli(r.GetUntil()),
	}
	g.revoked.tell(what) // first: whoever connects from now on knows it
	var gone []ref
	for _, s := range g.shards {
		gone = s.of(what, gone)
	}
	for _, to := range gone {
		g.sendOff(to, r.GetReason())
	}
	g.m.revokedSockets.Add(float64(len(gone)))
	g.log.Info("tokens revoked", elog.Int("sockets", len(gone)))
	return &meshv1.RevokeResponse{Sockets: uint64(len(gone))}
}

// of lists the connections that a revocation is about.
func (s *shard) of(what session.Revocation, into []ref) []ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what.User != "" {
		if r := s.rooms[id.UserTarget(what.User)]; r != nil {
			for i := range r.members {
				into = r.members[i].conn.ifOfLocked(what, into)
			}
		}
		return into
	}
	n := 0
	for _, c := range s.conns {
		into = c.ifOfLocked(what, into)
		if n++; n%lookAtOnce == 0 { // whoever comes meanwhile knows of the revocation
			s.mu.Unlock()
			s.mu.Lock()
		}
	}
	return into
}

func (c *Connection) ifOfLocked(what session.Revocation, into []ref) []ref {
	if !c.expired && what.Covers(tokenOf(&c.identity)) {
		c.expired = true // no new token saves it
		into = append(into, c.ref())
	}
	return into
}

// sendOff tells a client that its token is withdrawn, disconnects it from its
// namespaces, after which stock clients do not come back by themselves, and
// closes the connection.
func (g *Gateway) sendOff(to ref, message string) {
	spaces := to.spaces()
	if len(spaces) > 0 {
		args := reason.Revoked.AppendAdvice(append(make([]byte, 0, 96), `[{`...), wait(reason.Revoked))
		if message != "" {
			args = appendJSONString(append(args, `,"message":`...), message)
		}
		g.tell(to, spaces[0], closingEvent, append(args, `}]`...))
	}
	for _, ns := range spaces {
		_ = to.send(disconnectFrame(to.form, ns)) // one that left is gone either way
	}
	to.session.CloseAfterFlush(reason.Revoked)
}

// spaces are the namespaces that the client is connected to.
func (r ref) spaces() []string {
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	if r.conn.gen.Load() != r.gen || !r.conn.member {
		return nil
	}
	return r.conn.spacesLocked()
}
