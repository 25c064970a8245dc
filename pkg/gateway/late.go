package gateway

import (
	"errors"
	"time"

	"sluice/pkg/transport"
)

// Ephemeral events that a socket has no room for wait here, the newest per key
// only, and not for long: an old cursor is worth nothing.
const (
	lateFor   = 250 * time.Millisecond
	lateRetry = 50 * time.Millisecond
	lateKeys  = 32 // per connection; more keys drop the oldest
)

// lateSet holds what waits for one connection, oldest first.
type lateSet struct{ events []lateEvent }

type lateEvent struct {
	key   string
	frame *transport.Frame
	until time.Time
}

// put replaces the event of the same key; it returns how many were dropped.
func (l *lateSet) put(e lateEvent) (dropped int) {
	for i := range l.events {
		if l.events[i].key == e.key {
			l.events = append(l.events[:i], l.events[i+1:]...)
			dropped++
			break
		}
	}
	if len(l.events) == lateKeys {
		l.events = append(l.events[:0], l.events[1:]...)
		dropped++
	}
	l.events = append(l.events, e)
	return dropped
}

// expire drops what waited too long.
func (l *lateSet) expire(now time.Time) (dropped int) {
	for len(l.events) > 0 && now.After(l.events[0].until) {
		l.events = append(l.events[:0], l.events[1:]...)
		dropped++
	}
	return dropped
}

// sendLatest sends an ephemeral event, or lets it wait for room behind what
// waits already.
func (s *shard) sendLatest(r ref, p *push, f *transport.Frame) {
	if !s.isLate(r) {
		err := s.batch.SendVolatile(r.session, f)
		if !errors.Is(err, transport.ErrBehind) {
			s.m.sent(err, 1)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.conn.gen.Load() != r.gen || !r.conn.member {
		return
	}
	o := r.conn.outboxLocked()
	if o.late == nil {
		o.late = new(lateSet)
		s.late = append(s.late, r)
	}
	dropped := o.late.put(lateEvent{key: p.latestKey, frame: f, until: time.Now().Add(lateFor)})
	s.m.drops(dropSuperseded, dropped)
}

func (s *shard) isLate(r ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.lateLocked() != nil
}

// lateLocked is what waits for the connection; nil when nothing does, or when it
// is gone.
func (r ref) lateLocked() *lateSet {
	if r.conn.gen.Load() != r.gen || r.conn.out == nil {
		return nil
	}
	return r.conn.out.late
}

// retryLate sends what waits to the connections that have room again.
func (s *shard) retryLate(now time.Time) {
	still := s.late[:0]
	for _, r := range s.late {
		if s.retryOne(r, now) {
			still = append(still, r)
		}
	}
	clear(s.late[len(still):])
	s.late = still
}

// retryOne reports whether the connection still has events that wait.
func (s *shard) retryOne(r ref, now time.Time) bool {
	for {
		e, ok := s.nextLate(r, now)
		if !ok {
			return false
		}
		err := r.session.SendVolatile(e.frame)
		if errors.Is(err, transport.ErrBehind) {
			return true
		}
		s.m.sent(err, 1)
		s.dropLate(r, e)
	}
}

// nextLate returns the oldest event that may still be sent. The worker is the
// only one to add and remove, so that it is still the first in dropLate.
func (s *shard) nextLate(r ref, now time.Time) (lateEvent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := r.lateLocked()
	if l == nil {
		return lateEvent{}, false
	}
	s.m.drops(dropLate, l.expire(now))
	if len(l.events) == 0 {
		r.conn.out.late = nil
		r.conn.tidyLocked()
		return lateEvent{}, false
	}
	return l.events[0], true
}

func (s *shard) dropLate(r ref, e lateEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := r.lateLocked(); l != nil && len(l.events) > 0 && l.events[0].frame == e.frame {
		l.events = append(l.events[:0], l.events[1:]...)
	}
}
