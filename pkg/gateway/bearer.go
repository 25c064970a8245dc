package gateway

import (
	"slices"
	"strings"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/session"
)

// bearer is whom a connection speaks for: what is needed later of an
// auth.Identity, in a third of its bytes. The user is not in it: its name is
// that of its room. Guarded by shard.mu once a connection has it.
type bearer struct {
	traits *traits // shared; never nil on a member
	token  uint64  // mark of the token's id; 0: it has none
	grants grants
	ends   int64  // Unix ms; 0: does not end
	issued uint32 // Unix seconds; 0 if unknown

	warned  bool // that the identity ends
	expired bool // it has ended, or was revoked; the session is closing
}

// traits are what many identities have in common, kept once for all of them.
type traits struct {
	authType, version, locale string
	anonymous                 bool
}

// bearerOf packs an identity.
func (g *Gateway) bearerOf(who *auth.Identity) bearer {
	b := bearer{
		traits: g.intern.of(traits{who.AuthType, who.ClientVersion, who.Locale, who.Anonymous}),
		grants: grantsOf(who.Docs),
		issued: uint32(min(max(who.Issued, 0), 1<<32-1)), // nobody is older or younger
	}
	if who.TokenID != "" {
		b.token = g.markOf(who.TokenID)
	}
	if !who.ExpiresAt.IsZero() {
		b.ends = max(who.ExpiresAt.UnixMilli(), 1)
	}
	return b
}

// grants are the documents and prefixes that may be joined, one behind another
// with a NUL between: no document has one in its name.
type grants string

func grantsOf(docs []string) grants {
	bad := func(d string) bool { return strings.Contains(d, grantsSep) }
	if slices.ContainsFunc(docs, bad) {
		docs = slices.DeleteFunc(slices.Clone(docs), bad)
	}
	return grants(strings.Join(docs, grantsSep))
}

const grantsSep = "\x00"

// mayJoin is auth.Identity's MayJoin.
func (g grants) mayJoin(doc id.Doc) bool {
	if doc == "" {
		return false
	}
	for grant := range strings.SplitSeq(string(g), grantsSep) {
		prefix, isPrefix := strings.CutSuffix(grant, "*")
		if isPrefix && strings.HasPrefix(string(doc), prefix) || !isPrefix && string(doc) == grant {
			return true
		}
	}
	return false
}

// withdrawal is a revocation as the connections are compared with it.
type withdrawal struct {
	session.Revocation
	mark uint64 // of the token's id that it names; 0: it names a user
}

func (g *Gateway) withdrawalOf(what session.Revocation) withdrawal {
	w := withdrawal{Revocation: what}
	if what.ID != "" {
		w.mark = g.markOf(what.ID)
	}
	return w
}

// coversLocked tells whether the connection's token is withdrawn. Ids of tokens
// are compared by their marks, which are as good as different for different ids.
func (w *withdrawal) coversLocked(c *Connection) bool {
	if w.mark != 0 && c.who.token != w.mark {
		return false // most connections: nothing is built for them
	}
	t := session.Token{User: c.userLocked(), AuthType: c.who.traits.authType, Issued: int64(c.who.issued)}
	if w.mark != 0 {
		t.ID = w.ID
	}
	return w.Covers(t)
}
