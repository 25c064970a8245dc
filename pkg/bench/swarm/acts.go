package swarm

import (
	"bytes"
	"math/rand/v2"
)

// maxUnsent is how much a client may have to write before it sends no more.
const maxUnsent = 64 << 10

// leaveOne makes a client that is up say goodbye. It reads on until the server
// has ended the connection: what is unread would turn the end into a reset,
// which may overtake what the client has sent.
func (l *loop) leaveOne() {
	for range 32 {
		c := &l.clients[rand.IntN(len(l.clients))]
		if c.state != up || c.slow || len(c.out) > 0 || l.waits(c) {
			continue
		}
		l.stats.Left++
		l.stats.Up--
		c.state, c.left = leaving, Now()
		l.out = appendFrame(appendFrame(l.out, opText, []byte("41")), opClose, nil)
		l.flush(c)
		if c.state == leaving && c.tls != nil {
			_ = c.tls.conn.CloseWrite() // link takes it
			l.flush(c)
		}
		if c.state == leaving {
			finish(int(c.fd))
		}
		return
	}
}

// waits tells whether a client has asked for what it would not hear any more.
func (l *loop) waits(c *client) bool {
	return l.upstream.Ack && c.sender != nil && c.sender.acks.Missing(1, c.sender.sent) > 0
}

// cut resets connections without a word.
func (l *loop) cut(share float64) {
	n := int(share*float64(len(l.clients)) + 0.5)
	for _, i := range rand.Perm(len(l.clients)) {
		c := &l.clients[i]
		if n <= 0 {
			return
		}
		if c.state != up || c.slow {
			continue
		}
		n--
		l.stats.Left++
		l.stats.Up--
		hangUp(int(c.fd), true)
		c.fd, c.state, c.left = -1, leaving, Now()
		l.end(c, "")
	}
}

func (l *loop) setUpstream(u Upstream, rate float64) {
	l.upstream, l.filling = u, bytes.Repeat([]byte{'x'}, u.Bytes)
	l.sends.set(rate, Now())
	l.sends.on = rate > 0
}

// sendOne lets the next client send that can; false means that none can.
func (l *loop) sendOne() bool {
	for range len(l.clients) {
		c := &l.clients[l.cursor]
		l.cursor = (l.cursor + 1) % len(l.clients)
		if c.state == up && !c.slow && len(c.out) < maxUnsent {
			l.send(c)
			return true
		}
	}
	return false
}
