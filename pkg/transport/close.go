package transport

// manner is how a session is closed.
type manner uint8

const (
	gently   manner = iota // the client is told
	byClient               // the client has said so: a waiting poll is released
	harshly                // at once: the client does not listen, or is to feel it
	lost                   // the connection is gone already; the reader tells the Receiver
)

// Close ends the session. It returns at once; Receiver.Closed follows from
// another goroutine (or from the one inside Receiver.Message when that
// returns). The first reason wins, be it this one, that of CloseAfterFlush, or
// what happened to the connection.
func (s *Session) Close(reason Reason) { s.close(reason, gently) }

// CloseAfterFlush ends the session once what was sent before has left, or
// Config.FlushTimeout is over. Send answers ErrClosed from now on; what the
// client says is still delivered until then.
func (s *Session) CloseAfterFlush(reason Reason) {
	s.mu.Lock()
	if s.phaseLocked().fading || s.state.Closed() {
		s.mu.Unlock()
		return
	}
	until := s.srv.now() + s.srv.cfg.FlushTimeout.Milliseconds()
	p := s.enterLocked()
	p.fading, p.reason, p.until = true, reason, until
	l := s.link.Load()
	if l == nil {
		s.wakeLocked()
	}
	s.mu.Unlock()
	s.srv.wake(s, until)
	if l != nil {
		l.farewell(true)
	}
}

// flushed is called when the last frame of a link has left.
func (s *Session) flushed(l *link) {
	s.mu.Lock()
	p := s.phaseLocked()
	s.mu.Unlock()
	if p.fading && s.link.Load() == l {
		s.close(p.reason, gently)
	}
}

// close ends the session: first the connection, then the rest.
func (s *Session) close(reason Reason, how manner) {
	s.mu.Lock()
	if !s.state.Close() {
		s.mu.Unlock()
		return
	}
	p := s.enterLocked()
	if p.fading {
		reason = p.reason
	}
	p.reason = reason
	l := s.link.Load()
	t := p.trial
	p.trial = nil
	lingers := l == nil && s.endPollLocked(how)
	last := !s.turn
	p.told = last
	carrier := s.state.Carrier()
	s.mu.Unlock()

	if l != nil {
		switch how {
		case gently, byClient:
			l.shut(emptyClose)
		case harshly:
			l.cut()
		}
	}
	if t != nil && t.link != nil {
		t.link.shut(emptyClose)
	}
	s.srv.remove(s, lingers)
	s.srv.closed(carrier, s.version(), reason)
	switch {
	case !last:
	case how == lost:
		s.tell()
	default:
		go s.tell() // the caller may hold locks that Closed takes
	}
}

// lost is called by a link whose connection has ended, or was ended for what
// came over it.
func (s *Session) lost(l *link, reason Reason) {
	if s.link.Load() != l {
		s.trialOver(l)
		return
	}
	s.close(reason, lost)
}
