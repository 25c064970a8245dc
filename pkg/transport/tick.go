package transport

import "sluice/pkg/engineio"

// noopEvery is how often a waiting GET is released while a WebSocket takes
// over, in milliseconds: the client goes on only when it has none.
const noopEvery = 100

// overdue tells whether the session is dead and the wheel has not come to it:
// a client that is late must not be luckier for the coarseness of our clock.
func (s *Session) overdue() bool {
	now := s.srv.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.state.Closed() && !s.phaseLocked().fading && s.beat.Overdue(&s.srv.policy, s.version(), now, s.seen.Load())
}

// tick is called by the wheel when one of the session's times has come, or
// earlier. It puts the session on the wheel again.
func (s *Session) tick(now int64) {
	s.mu.Lock()
	if s.state.Closed() { // it lingered long enough
		s.mu.Unlock()
		s.srv.remove(s, false)
		return
	}
	p := s.phaseLocked()
	if p.fading && now >= p.until {
		s.mu.Unlock()
		s.close(p.reason, gently)
		return
	}
	late, next := s.tickTrialLocked(now)
	was := s.beat.Interval()
	beat, due := s.beat.Tick(&s.srv.policy, s.version(), now, s.seen.Load())
	interval, tells := s.beat.Interval(), s.beat.Asks()
	next = min(next, due)
	if p.fading {
		next = min(next, p.until)
	}
	s.mu.Unlock()

	if late != nil {
		late.shut(emptyClose)
	}
	if tells && interval != was && beat != engineio.Dead {
		s.control(newControl(engineio.Noop, engineio.AppendInterval(nil, interval)))
	}
	switch beat {
	case engineio.SendPing:
		s.control(pingFrame)
	case engineio.Dead:
		s.close(ReasonPingTimeout, gently)
		return
	}
	s.srv.wake(s, next)
}
