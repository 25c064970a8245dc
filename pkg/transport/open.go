package transport

import (
	"net/http"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/engineio"
	"sluice/pkg/reason"
)

// handshake serves a request without a sid.
func (v *Server) handshake(w http.ResponseWriter, r *http.Request, q *engineio.Query, upgrade, allowed bool) {
	code := v.rules.Handshake(q, r.Method, upgrade)
	if code == engineio.OK && upgrade && !v.mayUpgrade(w, r) {
		return
	}
	if code != engineio.OK {
		v.metrics.handshakes.WithLabelValues(string(codeReasons[code])).Inc()
		refuse(w, code, upgrade)
		return
	}
	s, refusal := v.admit(r, q, allowed)
	if refusal != nil {
		v.metrics.handshakes.WithLabelValues(refusal.label()).Inc()
		refusal.answer(w, upgrade)
		return
	}
	v.metrics.handshakes.WithLabelValues("opened").Inc()
	if upgrade {
		s.openWebSocket(w, r)
	} else {
		s.openPolling(w, r, q)
	}
}

// mayUpgrade answers a request for a WebSocket that lacks what it takes.
func (v *Server) mayUpgrade(w http.ResponseWriter, r *http.Request) bool {
	why := upgradeProblem(r)
	if why == "" {
		return true
	}
	v.metrics.handshakes.WithLabelValues(string(reason.BadRequest)).Inc()
	refuseUpgrade(w, why)
	return false
}

// admit makes the session of a handshake that is well-formed.
func (v *Server) admit(r *http.Request, q *engineio.Query, allowed bool) (*Session, *Refusal) {
	if !allowed {
		return nil, forbidden
	}
	if v.hooks.Admit != nil {
		if refusal := v.hooks.Admit(r); refusal != nil {
			return nil, refusal
		}
	}
	id, err := v.hooks.NewID()
	if err != nil {
		v.log.Error("no id for a new session", elog.FieldErr(err))
		return nil, Refuse(reason.NoID)
	}
	s := v.newSession(id, q, r.RemoteAddr)
	readers := 0
	if q.Carrier == engineio.WebSocket {
		readers = 1
	}
	if !v.insert(s, readers, s.beat.Begin(&v.policy, s.version(), q.Dynamic, v.now())) {
		return nil, Refuse(reason.Draining)
	}
	rcv := v.hooks.Open(s, r)
	if rcv == nil {
		v.abandon(s)
		v.running.Add(-1 - readers)
		return nil, Refuse(reason.Refused)
	}
	v.opened(s, rcv)
	return s, nil
}

// newSession makes a session whose turn is taken until it is opened.
func (v *Server) newSession(id uint64, q *engineio.Query, remote string) *Session {
	s := &Session{
		srv:    v,
		id:     id,
		secret: newSecret(),
		form:   wsForm(q.Version, q.B64),
		state:  engineio.NewState(q.Version, q.Carrier),
		turn:   true,
	}
	s.setRemote(remote)
	s.seen.Store(v.now())
	if q.Carrier == engineio.Polling {
		s.enterLocked().poll = new(poller)
	}
	return s
}

// opened lets calls of the Receiver begin. It may have been closed already.
func (v *Server) opened(s *Session, rcv Receiver) {
	v.open.Add(1)
	s.mu.Lock()
	s.rcv = rcv
	carrier := s.state.Carrier()
	s.mu.Unlock()
	v.metrics.session(carrier, s.version(), 1)
	s.leave()
}

// abandon forgets a session that was not wanted. If it was closed as well, that
// has been counted.
func (v *Server) abandon(s *Session) {
	s.mu.Lock()
	closed := !s.state.Close()
	carrier := s.state.Carrier()
	s.mu.Unlock()
	if closed {
		v.open.Add(1)
		v.metrics.session(carrier, s.version(), 1)
	}
	v.remove(s, false)
}

// openPacket is the first packet of the session.
func (s *Session) openPacket(upgrade bool) *Frame {
	interval := s.srv.cfg.PingInterval
	if s.beat.Asks() { // nobody else has it yet
		interval = time.Duration(s.srv.policy.Start) * time.Millisecond
	}
	h := engineio.Handshake{
		SID:          s.SID(),
		Upgrade:      upgrade,
		PingInterval: interval,
		PingTimeout:  s.srv.cfg.PingTimeout,
		MaxPayload:   s.srv.cfg.MaxPayload,
	}
	return newControl(engineio.Open, h.Append(make([]byte, 0, 160)))
}

// openPolling answers the handshake with the open packet alone, which is all that
// simple clients expect there. What has been sent since is for the first poll.
func (s *Session) openPolling(w http.ResponseWriter, r *http.Request, q *engineio.Query) {
	rules := &s.srv.rules
	s.setCookie(w)
	s.srv.respond(w, r, q, s.version(), []*Frame{s.openPacket(rules.Upgrades && rules.WebSocket)})
}

// openWebSocket takes the connection over and returns. The answer to the
// handshake, the open packet and what has been sent since leave together.
func (s *Session) openWebSocket(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w)
	l, err := takeOver(s, w, r)
	if err != nil {
		s.close(ReasonTransportError, harshly)
		s.srv.running.Done()
		return
	}
	l.push(l.encoded(s.openPacket(false)))
	s.mu.Lock()
	_ = s.moveLocked(l) // the role is ours since newLink
	closed, fading := s.state.Closed(), s.phaseLocked().fading
	s.mu.Unlock()
	if closed {
		s.srv.remove(s, false)
	}
	if closed || fading {
		l.farewell(!closed)
	}
	l.begin()
	l.start()
}
