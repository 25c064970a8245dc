package gateway

import (
	"encoding/json"
	"strconv"
	"time"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/socketio"
)

// authEvent shows a new token on a connection that is there: its argument is
// {"token":"..."}, its acknowledgement {"ok":true,"expiresAt":1767326645000} or
// {"ok":false,"code":"unauthorized","retry":"new_token"}.
const authEvent = reservedPrefix + "auth"

// handleAuth gives the connection the identity of a new token. It must be of the
// same user and auth type; otherwise everything stays as it is.
func (c *Connection) handleAuth(p socketio.Packet, args []byte) error {
	var shown []struct {
		Token string `json:"token"`
	}
	why := reason.BadRequest
	var who auth.Identity
	switch {
	case c.tooSoon(): // before anything is read or asked
		why = reason.Busy
	case json.Unmarshal(args, &shown) == nil && len(shown) == 1 && shown[0].Token != "":
		who, why = c.renew(shown[0].Token)
	}
	if why != "" {
		c.shard.gw.m.renewals.WithLabelValues(string(why)).Inc()
		args := why.AppendAdvice([]byte(`[{"ok":false,`), wait(why))
		return c.answer(p, append(args, `}]`...))
	}
	c.shard.gw.m.renewals.WithLabelValues("ok").Inc()
	answer := []byte(`[{"ok":true`)
	if !who.ExpiresAt.IsZero() {
		answer = strconv.AppendInt(append(answer, `,"expiresAt":`...), who.ExpiresAt.UnixMilli(), 10)
	}
	return c.answer(p, append(answer, `}]`...))
}

// renewTick is how exactly a connection remembers when it showed a new token:
// 32 bits hold more than a year of them.
const renewTick = 10 * time.Millisecond

// tooSoon tells whether the client has shown another token a moment ago: each
// costs a signature, or a call, and a look into Redis.
func (c *Connection) tooSoon() bool {
	now := max(uint32(c.shard.gw.now().Sub(c.since())/renewTick), 1)
	if c.shown != 0 && now-c.shown < uint32(c.shard.gw.policy.RenewEvery/renewTick) {
		return true
	}
	c.shown = now
	return false
}

// renew verifies a token and gives the connection its identity; why is "" when
// it has it. Documents that the old token granted and the new one does not are
// left; those that a component joined stay.
func (c *Connection) renew(token string) (who auth.Identity, why reason.Reason) {
	g := c.shard.gw
	seen := g.revoked.version()
	who, why = g.identify(c.authType(), token)
	for why == "" {
		left, result := c.become(&who, seen)
		switch result {
		case entered:
			g.leftDocs(c.id, left)
			return who, ""
		case overtaken:
			seen = g.revoked.version()
			if g.revoked.covers(tokenOf(&who)) {
				why = reason.Revoked
			}
		case stranger:
			why = reason.Identity
		default:
			why = reason.Expired
		}
	}
	return auth.Identity{}, why
}

func (c *Connection) authType() string {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if !c.member {
		return ""
	}
	return c.who.traits.authType
}

// become replaces the identity, and lists the documents that were left for it.
func (c *Connection) become(who *auth.Identity, seen uint64) (left []id.Doc, result entry) {
	s, g := c.shard, c.shard.gw
	s.mu.Lock()
	defer s.mu.Unlock()
	old := &c.who
	switch {
	case g.revoked.version() != seen:
		return nil, overtaken
	case !c.member || old.expired:
		return nil, late
	case c.userLocked() != who.User || old.traits.authType != who.AuthType || old.traits.anonymous:
		return nil, stranger
	}
	// What the client said of itself when it connected goes on to hold.
	who.ClientVersion, who.Locale = old.traits.version, old.traits.locale
	as := g.bearerOf(who)
	for _, d := range c.docsLocked() {
		if old.grants.mayJoin(d) && !as.grants.mayJoin(d) {
			s.leaveLocked(c, id.DocTarget(d))
			left = append(left, d)
		}
	}
	s.forgetEndLocked(c)
	c.who = as
	s.expectEndLocked(c, &g.policy)
	return left, entered
}
