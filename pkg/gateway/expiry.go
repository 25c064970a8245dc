package gateway

import (
	"container/heap"
	"context"
	"strconv"
	"time"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/reason"
)

// expiringEvent tells a client that its identity ends, so that it shows a new
// token in time: ["sluice:expiring",{"expiresAt":1767326645000,"inMs":60000}].
const expiringEvent = reservedPrefix + "expiring"

// A connection whose identity ends costs nothing until shortly before: a shard
// looks through its connections now and then and lists those whose turn comes
// within lookAhead.
const (
	expiryTick  = 100 * time.Millisecond
	lookAhead   = 2 * time.Minute
	lookEvery   = time.Minute // less than lookAhead
	lookAtOnce  = 1024        // connections while the lock is held
	expireBatch = 256         // connections told or closed before the lock is taken again
)

// expiry is what a shard knows of the ends of its identities. Guarded by
// shard.mu.
type expiry struct {
	ends   int   // members whose identity ends
	listed int64 // every turn before this time is in soon; Unix ms
	soon   turns
}

// turn is when a connection is to be told, or closed. It is looked up then:
// whoever has shown a new token meanwhile, or left, is passed over.
type turn struct {
	at     int64 // Unix ms
	socket id.Socket
	close  bool
}

// warnAt and closeAt are when the connection's turns come, in Unix ms; the
// second is spread by the id.
func (c *Connection) warnAtLocked(p *auth.Policy) int64 {
	return c.who.ends - p.Warning.Milliseconds()
}

func (c *Connection) closeAtLocked(p *auth.Policy) int64 {
	spread := int64(mix(c.id)) * p.Jitter.Milliseconds() >> 32
	return c.who.ends + spread
}

// turnsLocked lists the turns of c that come in [from, to).
func (s *shard) turnsLocked(c *Connection, p *auth.Policy, from, to int64) {
	if c.who.ends == 0 || c.warnAtLocked(p) >= to {
		return // the usual case: the close comes later still
	}
	if at := c.warnAtLocked(p); p.Warning > 0 && !c.who.warned && at >= from && at < to {
		heap.Push(&s.expiry.soon, turn{at: at, socket: c.id})
	}
	if at := c.closeAtLocked(p); at >= from && at < to {
		heap.Push(&s.expiry.soon, turn{at: at, socket: c.id, close: true})
	}
}

// expectEndLocked is called when c has an identity that it did not have before.
func (s *shard) expectEndLocked(c *Connection, p *auth.Policy) {
	if c.who.ends != 0 {
		s.expiry.ends++
		s.turnsLocked(c, p, 0, s.expiry.listed)
	}
}

// forgetEndLocked is called when c has its identity no more.
func (s *shard) forgetEndLocked(c *Connection) {
	if c.who.ends != 0 {
		s.expiry.ends--
	}
}

// look lists the turns that come within lookAhead, when it is time to. The lock
// is let go now and then: whoever comes meanwhile lists its own turns, and one
// that is listed twice is told once.
func (s *shard) look(p *auth.Policy, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := s.expiry.listed, now+lookAhead.Milliseconds()
	if to-from < lookEvery.Milliseconds() {
		return
	}
	s.expiry.listed = to
	if s.expiry.ends == 0 {
		return
	}
	n := 0
	for _, c := range s.conns {
		s.turnsLocked(c, p, from, to)
		if n++; n%lookAtOnce == 0 {
			s.mu.Unlock()
			s.mu.Lock()
		}
	}
}

// ending is a connection whose turn has come.
type ending struct {
	ref   ref
	at    int64 // the identity's end, Unix ms
	close bool
}

// due takes some of the connections whose turn has come, and says whether there
// may be more.
func (s *shard) due(p *auth.Policy, now int64, into []ending) ([]ending, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.expiry.soon.Len() > 0 && s.expiry.soon[0].at <= now {
		if len(into) == expireBatch {
			return into, true
		}
		t := heap.Pop(&s.expiry.soon).(turn)
		c := s.conns[t.socket]
		switch {
		case c == nil || c.who.ends == 0 || c.who.expired:
			continue
		case t.close && c.closeAtLocked(p) <= now:
			c.who.expired = true
		case !t.close && !c.who.warned && c.warnAtLocked(p) <= now && now < c.closeAtLocked(p):
			c.who.warned = true
		default:
			continue // another identity by now
		}
		into = append(into, ending{ref: c.ref(), at: c.who.ends, close: t.close})
	}
	if s.expiry.soon.Len() == 0 {
		s.expiry.soon = nil
	}
	return into, false
}

// runExpiry tells and closes connections until ctx ends.
func (g *Gateway) runExpiry(ctx context.Context) {
	tick := time.NewTicker(expiryTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.expire(g.now())
		case <-ctx.Done():
			return
		}
	}
}

// expire gives everybody whose turn has come by now what is theirs.
func (g *Gateway) expire(now time.Time) {
	var batch []ending
	for _, s := range g.shards {
		s.look(&g.policy, now.UnixMilli())
		for more := true; more; {
			batch, more = s.due(&g.policy, now.UnixMilli(), batch[:0])
			for _, e := range batch {
				g.endIdentity(e, now)
			}
		}
	}
}

func (g *Gateway) endIdentity(e ending, now time.Time) {
	if e.close {
		g.m.expiries.WithLabelValues("closed").Inc()
		g.end(e.ref, reason.Expired)
		return
	}
	ns := e.ref.space()
	if ns == "" {
		return
	}
	g.m.expiries.WithLabelValues("warned").Inc()
	args := strconv.AppendInt([]byte(`[{"expiresAt":`), e.at, 10)
	args = strconv.AppendInt(append(args, `,"inMs":`...), max(e.at-now.UnixMilli(), 0), 10)
	g.tell(e.ref, ns, expiringEvent, append(args, "}]"...))
}

type turns []turn

func (q turns) Len() int           { return len(q) }
func (q turns) Less(i, j int) bool { return q[i].at < q[j].at }
func (q turns) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *turns) Push(x any)        { *q = append(*q, x.(turn)) }
func (q *turns) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	*q = (*q)[:last]
	return t
}
