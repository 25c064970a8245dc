package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/auth"
	"sluice/pkg/session"
)

// revoked is what this gateway was told of withdrawn tokens. Redis has them all;
// this memory answers without it, and settles the race of a connect with a
// revocation: it is told before the connections are looked through.
type revoked struct {
	most int
	now  func() time.Time
	told atomic.Uint64 // counts what was told

	mu    sync.RWMutex // guards known
	known map[session.RevokedTokens]revokedUntil
}

// revokedUntil are the times of a revocation, Unix ms.
type revokedUntil struct{ before, until int64 }

func newRevoked(most int, now func() time.Time) *revoked {
	return &revoked{most: most, now: now, known: make(map[session.RevokedTokens]revokedUntil)}
}

// version changes with everything that is told.
func (r *revoked) version() uint64 { return r.told.Load() }

// tell remembers a revocation; a repeated one changes nothing but what is later.
func (r *revoked) tell(what session.Revocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.known[what.RevokedTokens]
	r.known[what.RevokedTokens] = revokedUntil{
		before: max(old.before, what.Before.UnixMilli()), until: max(old.until, what.Until.UnixMilli()),
	}
	for len(r.known) > r.most {
		r.forgetLocked()
	}
	r.told.Add(1)
}

// knows tells whether it was told all that a revocation says, or that it is over.
func (r *revoked) knows(what session.Revocation) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	times, ok := r.known[what.RevokedTokens]
	return ok && times.before >= what.Before.UnixMilli() && times.until >= what.Until.UnixMilli() ||
		!what.Until.After(r.now())
}

// forgetLocked makes room: what has ended, or what ends first of a few.
func (r *revoked) forgetLocked() {
	const look = 64
	now := r.now().UnixMilli()
	var first session.RevokedTokens
	var until int64
	n := 0
	for key, times := range r.known {
		if times.until <= now {
			delete(r.known, key)
			continue
		}
		if until == 0 || times.until < until {
			first, until = key, times.until
		}
		if n++; n == look {
			break
		}
	}
	if len(r.known) > r.most {
		delete(r.known, first)
	}
}

// covers tells whether a token was withdrawn, as far as this gateway was told.
func (r *revoked) covers(t session.Token) bool {
	if r.told.Load() == 0 {
		return false
	}
	now := r.now().UnixMilli()
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, key := range t.RevokedBy() {
		times, ok := r.known[key]
		if ok && times.until > now && t.Before(key, times.before) {
			return true
		}
	}
	return false
}

// tokenOf is what a revocation can be about.
func tokenOf(who *auth.Identity) session.Token {
	return session.Token{User: who.User, ID: who.TokenID, AuthType: who.AuthType, Issued: who.Issued}
}

// withdrawn asks whether the token of an identity was revoked: this gateway's
// memory, then Redis. known is false when Redis could not tell.
func (g *Gateway) withdrawn(who *auth.Identity) (yes, known bool) {
	t := tokenOf(who)
	if t.User == "" && t.ID == "" {
		return false, true
	}
	if g.revoked.covers(t) {
		return true, true
	}
	yes, err := g.deps.Revocations.Revoked(within(g.cfg.IndexTimeout), t)
	if err != nil {
		g.m.revocationUnknown.Inc()
		g.log.Warn("revocations", elog.FieldErr(err))
		return false, false
	}
	return yes, true
}
