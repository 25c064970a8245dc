package gateway

import (
	"context"

	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/session"
)

// client is what the index and the event headers say of the connection.
func (c *Connection) client() session.Client {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.clientLocked()
}

func (c *Connection) clientLocked() session.Client {
	return session.Client{
		Socket: c.id, User: c.userLocked(), Docs: c.docsLocked(),
		Replica: c.shard.gw.deps.Replica, Boot: c.shard.gw.deps.Boot,
		AuthType: c.who.traits.authType, ClientVersion: c.who.traits.version, Locale: c.who.traits.locale,
		Since: c.since(), Seen: c.session.LastSeen(),
	}
}

// speaks tells whether the client is connected to the namespace, and whether
// its identity is over: nobody acts for a token that has ended. If it may speak,
// who it is for the headers of its events is added to who, in the same step and
// without an allocation.
func (c *Connection) speaks(ns string, who *session.Client) (in, over bool) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	in, over = c.member && c.inSpaceLocked(ns), c.who.expired
	if in && !over {
		who.User, who.AuthType = c.userLocked(), c.who.traits.authType
		who.ClientVersion, who.Locale = c.who.traits.version, c.who.traits.locale
		who.Docs = c.appendDocsLocked(who.Docs)
	}
	return in, over
}

// Each calls f for every connected socket until it returns false. A shard is
// copied before f is called, so that f may take its time.
func (g *Gateway) Each(f func(id.Socket) bool) {
	var batch []id.Socket
	for _, s := range g.shards {
		batch = batch[:0]
		s.mu.Lock()
		for socket := range s.conns {
			batch = append(batch, socket)
		}
		s.mu.Unlock()
		for _, socket := range batch {
			if !f(socket) {
				return
			}
		}
	}
}

// Lookup returns a connected socket as it is now.
func (g *Gateway) Lookup(socket id.Socket) (session.Client, bool) {
	s := g.shardOf(socket)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[socket]
	if c == nil {
		return session.Client{}, false
	}
	return c.clientLocked(), true
}

// Holds tells whether any connected socket is a member of the document.
func (g *Gateway) Holds(d id.Doc) bool {
	for _, s := range g.shards {
		s.mu.Lock()
		held := s.docs.find(string(d)) != nil
		s.mu.Unlock()
		if held {
			return true
		}
	}
	return false
}

// Lost is called for every socket that a dead replica left behind: it publishes
// the Disconnect event that the dead one owed, and reports when Kafka has it.
func (g *Gateway) Lost(ctx context.Context, c session.Client) error {
	done := make(chan error, 1)
	g.disconnected(&c, mainSpace, string(reason.ReplicaLost), func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sockets counts the connected sockets of this replica.
func (g *Gateway) Sockets() int64 {
	var n int64
	for _, s := range g.shards {
		s.mu.Lock()
		n += int64(len(s.conns))
		s.mu.Unlock()
	}
	return n
}
