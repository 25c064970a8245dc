package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/auth"
	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/session"
	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

// errCredentials is an auth payload that cannot be read.
var errCredentials = errors.New("gateway: unreadable credentials")

// open makes a connection of a new Engine.IO session. It is not a member of
// anything until its CONNECT packet was accepted.
func (g *Gateway) open(s *transport.Session, r *http.Request) transport.Receiver {
	c := GetConn()
	c.session, c.id = s, id.Socket(s.ID())
	c.shard = g.shardOf(c.id)
	if query := queryCredentials(r); query != nil {
		c.inbox().query = query
		if query.Token != "" {
			c.mark.Store(g.markOf(query.Token))
		}
	}
	if trace := traceparentOf(r); trace != "" {
		c.inbox().trace = trace
	}
	if s.Protocol() == 3 {
		c.form = oldForm(r)
	}
	g.admission.sessions.Enter(s.RemoteAddr())
	g.connecting.watch(c.ref(), nil)
	if c.form.old() {
		c.greet()
	}
	return c
}

// greet connects clients of the older generation, which are told that they are
// connected without asking. What is sent here leaves behind the open packet.
func (c *Connection) greet() {
	cred := credentials{}
	if query := c.query(); query != nil {
		cred = *query
	}
	if err := c.connectTo(mainSpace, nil, cred, cred.check()); err != nil {
		c.session.Close(reason.Protocol)
	}
}

// handleConnect admits the client to a namespace, or tells it why not.
func (c *Connection) handleConnect(p socketio.Packet) error {
	if !c.form.old() {
		cred, err := parseCredentials(p.Data, c.query())
		return c.connectTo(p.Namespace, p.Data, cred, err)
	}
	if p.Namespace == mainSpace && c.inSpace(mainSpace) {
		return nil // these clients confirm what they were told unasked
	}
	cred, payload := namespaceCredentials(p.Query, c.query())
	return c.connectTo(p.Namespace, payload, cred, cred.check())
}

// connectTo admits to a namespace with credentials, and what was wrong with
// them. payload is what the components are told.
func (c *Connection) connectTo(ns string, payload []byte, cred credentials, wrong error) error {
	closed := c.shard.gw.closed(ns)
	switch {
	case errors.Is(wrong, errProtocol):
		return wrong
	case closed != nil:
		return c.refuseClosed(closed)
	case wrong != nil:
		return c.refuse(ns, reason.Credentials)
	case c.inSpace(ns):
		return fmt.Errorf("%w: CONNECT twice", errProtocol)
	case !slices.Contains(c.shard.gw.cfg.Namespaces, ns):
		return c.refuse(ns, reason.Namespace)
	case c.namespaces() >= c.shard.gw.cfg.MaxNamespaces:
		return c.refuse(ns, reason.Namespaces)
	}
	if why := c.authenticate(ns, cred); why != "" {
		return c.refuse(ns, why)
	}
	c.joinGranted(cred.Documents)
	client := c.client()
	// In this order: who can be told to call a socket finds it in the index, and
	// what a component says to it comes behind the answer. A Redis that is away
	// delays nobody for long, and the index is rebuilt from here when it is back.
	g, start := c.shard.gw, time.Now()
	g.indexDone("add", start, g.deps.Index.Add(within(g.cfg.IndexTimeout), client)) // no function that would hold client
	c.session.Proven()
	_ = c.send(c.connectedFrame(ns)) // if it left meanwhile, Closed follows
	c.announce(ns, payload, client)
	c.forgetHandshake()
	g.m.accepted.Inc()
	return nil
}

// forgetHandshake drops what the handshake said, a token among it, when no other
// namespace can ask for it any more.
func (c *Connection) forgetHandshake() {
	if c.in != nil && len(c.shard.gw.cfg.Namespaces) == 1 {
		c.in.query, c.in.trace = nil, ""
		c.tidyIn()
	}
}

// authenticate verifies the credentials and makes the connection a member; why
// is "" when it is one.
func (c *Connection) authenticate(ns string, cred credentials) (why reason.Reason) {
	g := c.shard.gw
	seen := g.revoked.version()
	who, why := g.identify(cred.AuthType, cred.Token)
	if why != "" {
		return why
	}
	if cred.ClientVersion != "" {
		who.ClientVersion = cred.ClientVersion
	}
	if cred.Locale != "" {
		who.Locale = cred.Locale
	}
	if !c.joined() && g.userFull(who.User) {
		return reason.UserSockets
	}
	as := g.bearerOf(&who)
	for {
		switch c.admit(ns, who.User, as, seen) {
		case entered:
			if cred.Token != "" && c.mark.Load() == 0 {
				c.mark.Store(g.markOf(cred.Token))
			}
			return ""
		case stranger:
			return reason.Identity
		case late:
			return reason.Expired
		}
		seen = g.revoked.version()
		if g.revoked.covers(tokenOf(&who)) {
			return reason.Revoked
		}
	}
}

// identify verifies a token and asks whether it was revoked. What a client is
// told does not say what is wrong with a token, unless it was right once.
func (g *Gateway) identify(authType, token string) (who auth.Identity, why reason.Reason) {
	who, err := g.deps.Verifier.Verify(within(g.cfg.AuthTimeout), authType, token)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		return who, reason.AuthUnavailable
	case err != nil:
		return who, reason.Unauthorized
	}
	switch yes, known := g.withdrawn(&who); {
	case yes:
		return auth.Identity{}, reason.Revoked
	case !known && g.policy.RefuseUnknown:
		return auth.Identity{}, reason.AuthUnavailable
	}
	return who, ""
}

// entry is how an identity comes to a connection, or does not.
type entry uint8

const (
	entered   entry = iota
	overtaken       // tokens were revoked meanwhile: look again
	stranger        // another identity has the connection
	late            // the connection is ending
)

// admit makes the connection a member here, before anybody is told. The
// identity of the first namespace is that of the connection. seen is the version
// of the revocations that the identity was compared with.
func (c *Connection) admit(ns string, user id.User, as bearer, seen uint64) entry {
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.who.expired:
		return late
	case c.shard.gw.revoked.version() != seen:
		return overtaken
	case c.member:
		if c.userLocked() != user || c.who.traits.authType != as.traits.authType {
			return stranger
		}
		c.addSpaceLocked(ns)
		return entered
	}
	c.who = as
	c.member = true
	c.addSpaceLocked(ns)
	s.conns[c.id] = c
	if user != "" {
		s.joinLocked(c, id.UserTarget(user))
	}
	s.expectEndLocked(c, &c.shard.gw.policy)
	return entered
}

// joinGranted joins the documents that the client asked for and its token
// grants; the others are counted, and the client sees that it is no member.
func (c *Connection) joinGranted(names []string) []id.Doc {
	var docs []id.Doc
	for _, name := range names {
		if c.join(id.Doc(name)) == nil {
			docs = append(docs, id.Doc(name))
		}
	}
	return docs
}

// announce tells the components.
func (c *Connection) announce(ns string, payload []byte, client session.Client) {
	g := c.shard.gw
	u := uplinks.Get().(*uplink)
	defer u.free()
	u.args = appendConnectArgs(u.args[:0], payload)
	up := bus.Up{Namespace: ns, Args: u.args, Docs: client.Docs, Replica: g.deps.Replica, Boot: g.deps.Boot}
	trace := ""
	if c.in != nil {
		trace = c.in.trace
	}
	if err := g.upWith(u, c.id, &client, eventConnect, &up, trace, nil); err != nil {
		g.countFailed(err)
		g.log.Warn("connect event not taken", elog.String("socket", c.id.String()), elog.FieldErr(err))
	}
}

// appendConnectArgs appends the auth payload as the argument list of a Connect event.
func appendConnectArgs(args, payload []byte) []byte {
	if len(payload) == 0 {
		return append(args, "[{}]"...)
	}
	return append(append(append(args, '['), payload...), ']')
}

func (c *Connection) namespaces() int {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.spaceCountLocked()
}

func (c *Connection) send(f *transport.Frame) error { return c.session.Send(f) }
