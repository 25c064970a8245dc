package swarm

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"sluice/pkg/bench/tally"
)

// ready serves a client whose connection is.
func (l *loop) ready(tag uint32, readable, writable bool) {
	c := &l.clients[tag]
	switch {
	case c.state == idle:
		return // of an event that came before its end
	case c.state == dialling:
		if writable {
			l.dialled(c)
		}
		return
	}
	if writable && len(c.out) > 0 {
		l.flush(c)
	}
	if readable && c.state != idle {
		l.read(c)
	}
}

// read takes what is there. TLS may hold more than the kernel tells of: it is
// read until there is nothing left.
func (l *loop) read(c *client) {
	for l.readOnce(c) && c.tls != nil {
		continue
	}
}

// readOnce tells whether there may be more.
func (l *loop) readOnce(c *client) bool {
	n, err := c.read(l.buf)
	if err != nil {
		l.end(c, reasonOf(err))
		return false
	}
	if n == 0 || c.slow && c.state == up { // then a hang-up comes after what was there
		return false
	}
	l.now = Now()
	l.stats.Bytes += uint64(n)
	data := l.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	rest, err := l.feed(c, data)
	if len(rest) > 0 {
		c.in = append(c.in[:0], rest...)
	} else {
		c.in = nil
	}
	var reason ended
	switch {
	case errors.As(err, &reason):
		l.end(c, string(reason))
	case err != nil:
		l.end(c, reasonOf(err))
	default:
		l.flush(c)
	}
	return c.state != idle
}

// flush writes what is in out, behind what is left from before.
func (l *loop) flush(c *client) {
	l.seal(c)
	data := l.out
	if len(c.out) > 0 {
		c.out = append(c.out, l.out...)
		data = c.out
	}
	l.out = l.out[:0]
	if len(data) == 0 {
		return
	}
	n, err := writeNow(int(c.fd), data)
	if err != nil {
		l.end(c, reasonOf(err))
		return
	}
	waited := len(c.out) > 0
	if n == len(data) {
		if c.out = nil; waited {
			l.watch(c, forReading)
		}
		return
	}
	c.out = bytes.Clone(data[n:])
	if !waited {
		l.watch(c, forBoth)
	}
}

func (l *loop) watch(c *client, events uint32) {
	if c.slow && c.state == up {
		events &^= forReading
	}
	if err := l.poll.change(int(c.fd), c.index, events); err != nil {
		l.end(c, reasonOf(err))
	}
}

// dial begins a client's connection.
func (l *loop) dial(c *client) {
	number := l.first + c.index
	server := l.cfg.Servers[int(number)%len(l.cfg.Servers)]
	var source netip.Addr
	if len(l.cfg.Sources) > 0 {
		source = l.cfg.Sources[int(number)/len(l.cfg.Servers)%len(l.cfg.Sources)]
	}
	c.state, c.since = dialling, Now()
	l.inside++
	if l.cfg.TLS != nil {
		l.dialSecure(c, source, server)
		return
	}
	fd, err := dial(source, server, c.slow)
	if err == nil {
		c.fd = int32(fd)
		err = l.poll.add(fd, c.index, forBoth)
	}
	if err != nil {
		l.end(c, reasonOf(err))
	}
}

func (l *loop) dialled(c *client) {
	err := dialled(int(c.fd))
	if err == nil {
		err = l.poll.change(int(c.fd), c.index, forReading)
	}
	if err != nil {
		l.end(c, reasonOf(err))
		return
	}
	c.state = upgrading
	l.out = appendHandshake(l.out, l.cfg.Host, l.cfg.Path)
	l.flush(c)
}

// joined begins a session.
func (l *loop) joined(c *client) {
	now := Now()
	l.stats.ConnectTime.Add(time.Duration(now - c.since))
	l.stats.Connects++
	l.stats.Connected = now
	l.stats.Up++
	l.inside--
	c.state, c.since, c.seen = up, now, tally.Sequence{}
	if c.slow {
		l.stats.Slow++
		l.watch(c, forReading)
	}
}

// end closes a client's connection and lets it come back.
func (l *loop) end(c *client, reason string) {
	was := c.state
	if c.fd >= 0 {
		hangUp(int(c.fd), false)
	}
	l.out, l.sealed = l.out[:0], l.sealed[:0] // it was for this one
	c.fd, c.state, c.in, c.parts, c.out, c.tls = -1, idle, nil, nil, nil, nil
	back := l.now
	switch {
	case was == leaving:
		l.finished(c, c.left, l.cfg.Settle)
	case was == up && c.slow:
		l.stats.Up--
		l.stats.Slow--
		l.stats.SlowEnds = addAll(l.stats.SlowEnds, map[string]uint64{reason: 1})
		back += int64(l.cfg.RetryAfter)
	case was == up:
		l.stats.Up--
		l.stats.Drops = addAll(l.stats.Drops, map[string]uint64{reason: 1})
		l.finished(c, Now(), 0)
		back += int64(l.cfg.RetryAfter)
	default:
		l.inside--
		l.stats.Failures = addAll(l.stats.Failures, map[string]uint64{reason: 1})
		back += int64(l.cfg.RetryAfter)
	}
	if back > l.now {
		l.later = append(l.later, retry{at: back, index: c.index})
	} else {
		l.waiting = append(l.waiting, c.index)
	}
}
