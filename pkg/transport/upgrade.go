package transport

import (
	"math"
	"net/http"

	"sluice/pkg/engineio"
)

// trial is a WebSocket that wants to take over a polling session. Guarded by
// the session's mu.
type trial struct {
	link  *link // nil while the connection is being taken over
	until int64 // when it has failed
	noop  int64 // when to release a waiting GET; 0 before the client's ping
}

// upgrade serves a request for a WebSocket that names a session.
func (v *Server) upgrade(w http.ResponseWriter, r *http.Request, s *Session, q *engineio.Query) {
	code := v.checkUpgrade(s, q)
	if code == engineio.OK && !v.mayUpgrade(w, r) {
		return
	}
	if code == engineio.OK && !v.hold(s) {
		code = engineio.SessionUnknown
	}
	if code != engineio.OK {
		v.refuse(w, code, true)
		return
	}
	t := s.beginTrial()
	l, err := takeOver(s, w, r)
	if err != nil {
		s.endTrial(t, "failed")
		v.running.Done()
		return
	}
	l.trial = true
	if !s.joinTrial(t, l) { // there is a WebSocket already: this one is closed
		l.shut(emptyClose)
	}
	l.begin()
	l.start()
}

func (v *Server) checkUpgrade(s *Session, q *engineio.Query) engineio.Code {
	if !v.rules.Upgrades {
		return engineio.BadRequest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Closed() {
		return engineio.SessionUnknown
	}
	return s.state.Request(q, true)
}

// beginTrial is nil when the session does not want another WebSocket.
func (s *Session) beginTrial() *trial {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.BeginProbe() {
		return nil
	}
	t := &trial{until: s.srv.now() + s.srv.cfg.UpgradeTimeout.Milliseconds()}
	s.enterLocked().trial = t
	return t
}

// joinTrial gives a trial its link. It is false when there is none (any more).
func (s *Session) joinTrial(t *trial, l *link) bool {
	s.mu.Lock()
	if t == nil || s.phaseLocked().trial != t {
		s.mu.Unlock()
		return false
	}
	t.link = l
	s.mu.Unlock()
	s.srv.wake(s, t.until)
	return true
}

// endTrial ends an attempt; the session goes on over polling. It is false when
// it has ended already.
func (s *Session) endTrial(t *trial, outcome string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t == nil || s.phaseLocked().trial != t {
		return false
	}
	s.phase.trial = nil
	s.state.EndProbe()
	s.srv.metrics.upgrades.WithLabelValues(outcome).Inc()
	return true
}

// trialOf is the trial of a link, nil when it has ended.
func (s *Session) trialOf(l *link) *trial {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.phaseLocked().trial; t != nil && t.link == l {
		return t
	}
	return nil
}

// trialOver is called when the connection of such a WebSocket has ended.
func (s *Session) trialOver(l *link) { s.endTrial(s.trialOf(l), "lost") }

// tryOut takes a packet that came over such a WebSocket. Called by its reader.
func (l *link) tryOut(pkt engineio.Packet, err error) {
	t := l.s.trialOf(l)
	if t == nil {
		return // it is being closed
	}
	step := engineio.Reject
	if err == nil {
		step = l.probe.Packet(pkt)
	}
	if step == engineio.AnswerPong && l.send(probeFrame.wire(wsV4), false) != nil {
		step = engineio.Reject // it asks and asks, and does not read the answers
	}
	switch step {
	case engineio.AnswerPong:
		l.s.releasePolls(t)
	case engineio.Switch:
		l.s.switchTo(l, t)
	default:
		if l.s.endTrial(t, "rejected") {
			l.shut(emptyClose)
		}
	}
}

// releasePolls answers the waiting GET, and those that may follow it, so that
// the client can finish with polling.
func (s *Session) releasePolls(t *trial) {
	s.mu.Lock()
	t.noop = s.srv.now() + noopEvery
	next := t.noop
	s.wakeLocked()
	s.mu.Unlock()
	s.srv.wake(s, next)
}

// switchTo makes l the carrier: what waits for a poll goes first, then all that
// is sent from now on.
func (s *Session) switchTo(l *link, t *trial) {
	s.mu.Lock()
	if s.phaseLocked().trial != t || !s.state.Switch() {
		s.mu.Unlock()
		l.shut(emptyClose)
		return
	}
	s.phase.trial = nil
	l.trial = false
	mine := s.moveLocked(l)
	fading := s.phaseLocked().fading
	s.mu.Unlock()
	if fading {
		l.farewell(true)
	}
	if mine {
		l.begin()
	}
	s.srv.metrics.upgrades.WithLabelValues("done").Inc()
	s.srv.metrics.session(engineio.Polling, s.version(), -1)
	s.srv.metrics.session(engineio.WebSocket, s.version(), 1)
}

// moveLocked hands what is queued over to l and makes it the carrier. Nobody
// else sends on l yet. mine means that l.begin has to follow, without the lock.
// Otherwise somebody has the role: who had it before what was queued came, and
// does not give it back before that has left.
func (s *Session) moveLocked(l *link) (mine bool) {
	if p := s.phaseLocked().poll; p != nil {
		for _, f := range p.queue {
			l.push(l.encoded(f))
		}
		s.takeLocked(p)
		p.last = noopFrame
		s.wakeLocked()
		s.phase.poll = nil
	}
	mine = l.take() // and not earlier: it might be given back in between
	s.link.Store(l)
	s.settleLocked()
	return mine
}

// tickTrialLocked looks after a trial: late is a link to be closed, next when
// to look again.
func (s *Session) tickTrialLocked(now int64) (late *link, next int64) {
	t := s.phaseLocked().trial
	if t == nil {
		return nil, math.MaxInt64
	}
	if now >= t.until {
		s.phase.trial = nil
		s.state.EndProbe()
		s.srv.metrics.upgrades.WithLabelValues("timeout").Inc()
		return t.link, math.MaxInt64
	}
	if t.noop == 0 {
		return nil, t.until
	}
	if now >= t.noop {
		s.wakeLocked()
		t.noop = now + noopEvery
	}
	return nil, min(t.until, t.noop)
}
