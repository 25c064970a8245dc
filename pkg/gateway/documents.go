package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
	"sluice/pkg/reason"
)

// Why a socket does not become a member of a document. The texts are the
// reasons that components and clients are told.
var (
	errForbidden = joinError(reason.Forbidden)
	errDocument  = joinError(reason.BadDocument)
	errFull      = joinError(reason.TooManyDocuments)
	errGone      = joinError(reason.Offline)
)

// joinError is a reason as an error.
type joinError reason.Reason

func (e joinError) Error() string { return string(e) }

func joinReason(err error) reason.Reason {
	if known, ok := errors.AsType[joinError](err); ok {
		return reason.Reason(known)
	}
	return reason.Internal
}

// join makes the connection a member of a document that its token grants.
func (c *Connection) join(d id.Doc) error {
	c.shard.mu.Lock()
	granted := c.who.grants.mayJoin(d)
	c.shard.mu.Unlock()
	if !granted {
		return errForbidden
	}
	return c.shard.gw.joinDoc(c.shard, c.id, d)
}

// joinDoc makes a socket a member of a document, here and not yet in the
// index: whoever asked does that next, so that a push that finds the socket in
// the index finds it here too.
func (g *Gateway) joinDoc(s *shard, socket id.Socket, d id.Doc) error {
	if err := id.CheckDoc(string(d)); err != nil {
		return errDocument
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[socket]
	if c == nil {
		return errGone
	}
	t := id.DocTarget(d)
	if c.rooms.docs() >= g.cfg.MaxDocuments && !s.inLocked(c, t) {
		return errFull
	}
	s.joinLocked(c, t)
	return nil
}

// leaveDoc ends a membership here; false if there was none.
func (g *Gateway) leaveDoc(s *shard, socket id.Socket, d id.Doc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[socket]
	return c != nil && s.leaveLocked(c, id.DocTarget(d))
}

// joinedDocs writes memberships to the index.
func (g *Gateway) joinedDocs(socket id.Socket, docs []id.Doc) {
	if len(docs) > 0 {
		g.indexDo("join", func(ctx context.Context) error { return g.deps.Index.Join(ctx, socket, docs...) })
	}
}

// leftDocs takes memberships from the index.
func (g *Gateway) leftDocs(socket id.Socket, docs []id.Doc) {
	if len(docs) > 0 {
		g.indexDo("leave", func(ctx context.Context) error { return g.deps.Index.Leave(ctx, socket, docs...) })
	}
}

// indexDo runs one write to the session index. An index that is away delays a
// client by IndexTimeout at most; what was missed is repaired by the index's
// own refresh, which reads the connections here.
func (g *Gateway) indexDo(what string, do func(context.Context) error) {
	start := time.Now()
	g.indexDone(what, start, do(within(g.cfg.IndexTimeout)))
}

// indexDone notes how such a write, which began at start, has ended.
func (g *Gateway) indexDone(what string, start time.Time, err error) {
	if err != nil {
		g.m.indexFailed.WithLabelValues(what).Inc()
		g.log.Warn("session index", elog.String("op", what), elog.FieldErr(err))
	}
	g.m.indexTime.WithLabelValues(what).Observe(time.Since(start).Seconds())
}
