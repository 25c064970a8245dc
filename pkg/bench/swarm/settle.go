package swarm

import (
	"time"

	"sluice/pkg/bench/tally"
)

// leaveTimeout is how long a server may take to end what a client has left.
const leaveTimeout = 5 * time.Second

// finished keeps a session until it can be settled.
func (l *loop) finished(c *client, until int64, settle time.Duration) {
	l.ended = append(l.ended, endedSession{client: c, stream: c.stream, Session: tally.Session{
		From: c.since, Until: until, Settle: int64(settle), Seen: c.seen,
	}})
	c.seen = tally.Sequence{}
}

// sweep ends what takes too long, and settles what ended long enough ago for
// all its messages to be announced.
func (l *loop) sweep() {
	l.swept = l.now
	for i := range l.clients {
		switch c := &l.clients[i]; c.state {
		case dialling, upgrading, opening, joining:
			if c.fd < 0 {
				continue // a handshake of TLS ends itself
			}
			if l.now-c.since > int64(l.cfg.ConnectTimeout) {
				l.end(c, "timeout")
			}
		case leaving:
			if l.now-c.left > int64(leaveTimeout) {
				l.end(c, "")
			}
		case idle, up:
		}
	}
	old := 0
	for old < len(l.ended) && l.ended[old].Until < l.now-int64(10*time.Second) {
		l.settle(&l.ended[old])
		old++
	}
	l.ended = l.ended[old:]
}

func (l *loop) settle(s *endedSession) {
	b := l.ledgers[s.stream].Settle(&s.Session)
	l.stats.Balance.Add(b)
	if b.Lost > 0 {
		l.missed(s.client, s.stream, &s.Session)
	}
}

func (l *loop) snapshot() Stats {
	l.stats.Connecting = l.inside
	return l.stats.take()
}

func (l *loop) balance() tally.Balance {
	for i := range l.ended {
		l.settle(&l.ended[i])
	}
	l.ended = nil
	sum := l.stats.Balance
	for i := range l.clients {
		c := &l.clients[i]
		if c.slow {
			continue
		}
		switch c.state {
		case up:
			sum.Add(l.ledgers[c.stream].Settle(&tally.Session{From: c.since, Until: Now(), Seen: c.seen}))
		case leaving:
			sum.Add(l.ledgers[c.stream].Settle(&tally.Session{From: c.since, Until: c.left, Settle: int64(l.cfg.Settle), Seen: c.seen}))
		case idle, dialling, upgrading, opening, joining:
		}
	}
	return sum
}
