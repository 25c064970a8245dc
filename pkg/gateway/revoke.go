package gateway

import (
	"context"
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
		Before:        time.UnixMilli(r.GetIssuedBefore()), Until: time.UnixMilli(r.GetUntil()), Reason: r.GetReason(),
	}
	return &meshv1.RevokeResponse{Sockets: g.withdraw(what)}
}

func (g *Gateway) withdraw(what session.Revocation) (sockets uint64) {
	g.revoked.tell(what) // first: whoever connects from now on knows it
	var gone []ref
	whom := g.withdrawalOf(what)
	for _, s := range g.shards {
		gone = s.of(&whom, gone)
	}
	for _, to := range gone {
		g.sendOff(to, what.Reason)
	}
	g.m.revokedSockets.Add(float64(len(gone)))
	g.log.Info("tokens revoked", elog.Int("sockets", len(gone)))
	return uint64(len(gone))
}

// Revocations that the mesh did not bring are looked for in Redis, a little
// further back than the last look: clocks differ.
const (
	recentEvery   = 5 * time.Second
	recentOverlap = time.Minute
)

// followRevocations looks for revocations until ctx ends.
func (g *Gateway) followRevocations(ctx context.Context) {
	tick := time.NewTicker(recentEvery)
	defer tick.Stop()
	since := g.now()
	for {
		select {
		case <-tick.C:
			since = g.catchUp(ctx, since)
		case <-ctx.Done():
			return
		}
	}
}

// catchUp withdraws what others have since a time and this gateway was not told
// of, and returns the time to look from next.
func (g *Gateway) catchUp(ctx context.Context, since time.Time) time.Time {
	now := g.now()
	ctx, cancel := context.WithTimeout(ctx, g.cfg.IndexTimeout)
	defer cancel()
	recent, err := g.deps.Revocations.Recent(ctx, since.Add(-recentOverlap))
	if err != nil {
		return since // whatever it is, connects notice it as well
	}
	for _, what := range recent {
		if !g.revoked.knows(what) {
			g.withdraw(what)
		}
	}
	return now
}

// of lists the connections that a revocation is about.
func (s *shard) of(what *withdrawal, into []ref) []ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what.User != "" {
		if r := s.users.find(string(what.User)); r != nil {
			for i := range r.size() {
				into = r.at(i).ifOfLocked(what, into)
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

func (c *Connection) ifOfLocked(what *withdrawal, into []ref) []ref {
	if !c.who.expired && what.coversLocked(c) {
		c.who.expired = true // no new token saves it
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
