package gateway

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

// A session's later requests (polls, POSTs, the upgrade) need no token: the sid
// is the secret. One that shows a token all the same must show one of whom the
// session belongs to. Clients repeat the query and the headers of the handshake
// in every request, so that the first look is a comparison of hashes.

// markOf is a short hash of a token under a key of this process; never 0.
func (g *Gateway) markOf(token string) uint64 {
	return max(maphash.String(g.marks, token), 1)
}

// shownToken is the token in a request, as queryCredentials finds it; without
// allocations where a token has no escapes.
func shownToken(r *http.Request) string {
	for rest := r.URL.RawQuery; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		value, found := strings.CutPrefix(pair, "token=")
		if !found || value == "" {
			continue
		}
		if !strings.ContainsAny(value, "%+") {
			return value
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			return plain
		}
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if len(bearer) == len(r.Header.Get("Authorization")) {
		return ""
	}
	return bearer
}

// follow refuses later requests of a session that come from somebody else. The
// session goes on.
func (g *Gateway) follow(s *transport.Session, r *http.Request) *transport.Refusal {
	token := shownToken(r)
	if token == "" {
		return nil
	}
	c, ok := s.Receiver().(*Connection)
	if !ok || c.mark.Load() == g.markOf(token) {
		return nil
	}
	why := g.followWith(id.Socket(s.ID()), c.mark.Load(), r, token)
	if why == "" {
		return nil
	}
	g.m.followersRefused.WithLabelValues(string(why)).Inc()
	return transport.Refuse(why)
}

// followWith looks at a token that is not the handshake's: the client's next
// one, or somebody else's.
func (g *Gateway) followWith(socket id.Socket, mark uint64, r *http.Request, token string) reason.Reason {
	user, owner, ok := g.identityOf(socket)
	if !ok { // not connected yet: its identity is the handshake's token, if any
		if mark == 0 {
			return ""
		}
		return reason.Identity
	}
	authType := r.URL.Query().Get("authType")
	if authType == "" {
		authType = owner.authType
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.cfg.AuthTimeout)
	defer cancel()
	who, err := g.deps.Verifier.Verify(ctx, authType, token)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		return reason.AuthUnavailable
	case err != nil || who.User != user || who.AuthType != owner.authType || who.Anonymous != owner.anonymous:
		return reason.Identity
	}
	return ""
}

// identityOf returns the identity of a connected socket.
func (g *Gateway) identityOf(socket id.Socket) (id.User, *traits, bool) {
	s := g.shardOf(socket)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[socket]
	if c == nil {
		return "", nil, false
	}
	return c.userLocked(), c.who.traits, true
}
