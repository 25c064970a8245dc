package transport

// poller is what a session has while it is polled, or waits for its WebSocket
// to open. Guarded by the session's mu.
type poller struct {
	queue []*Frame
	bytes int
	wake  chan struct{} // of the GET that waits, nil when none does
	last  *Frame        // what ends the answer to the next GET: close or noop
}

// sendPoll queues f for the next GET. It is not done when the session turns out
// to be on a WebSocket.
func (s *Session) sendPoll(f *Frame, volatile bool) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Closed() || s.phaseLocked().fading {
		return true, ErrClosed
	}
	if s.link.Load() != nil {
		return false, nil
	}
	phase := s.enterLocked()
	if phase.poll == nil {
		phase.poll = new(poller)
	}
	p := phase.poll
	switch {
	case volatile && p.wake == nil: // none waits, or something woke it
		return true, ErrBehind
	case s.srv.behind(p.behind()):
		return true, ErrSlow
	}
	s.pushLocked(f)
	s.hot().out.Add(int64(f.packets))
	return true, nil
}

func (s *Session) pushLocked(f *Frame) {
	p := s.phase.poll
	p.queue = append(p.queue, f)
	p.bytes += f.size
	s.hot().backlog.Add(int64(f.size))
	s.wakeLocked()
}

// wakeLocked lets the GET that waits take what there is.
func (s *Session) wakeLocked() {
	if p := s.phaseLocked().poll; p != nil && p.wake != nil {
		close(p.wake)
		p.wake = nil
	}
}

// takeLocked takes everything for the answer to a GET; there is always
// something to answer.
func (s *Session) takeLocked(p *poller) []*Frame {
	frames := p.queue
	s.hot().backlog.Add(int64(-p.bytes))
	p.queue, p.bytes = nil, 0
	switch {
	case p.last != nil:
		frames, p.last = append(frames, p.last), nil
	case s.phaseLocked().fading && !s.state.Closed() && len(frames) == 0:
		// In an answer of its own: clients act on a close packet before they act
		// on the messages in front of it, and would not learn why they are closed.
		frames = append(frames, closePoll)
	case len(frames) == 0:
		frames = append(frames, noopFrame)
	}
	return frames
}

// endPollLocked ends polling of a session that has just been closed. True means
// that the client has not been told: the next GET may still come for it. Who did
// not speak the protocol, or nothing at all, is not waited for.
func (s *Session) endPollLocked(how manner) (lingers bool) {
	phase := s.phaseLocked()
	p := phase.poll
	if p == nil {
		return false
	}
	p.last = closePoll
	if how == byClient {
		p.last = noopFrame
	}
	if s.state.Polled() {
		s.wakeLocked()
		return false
	}
	if how == gently && phase.reason != ReasonParse && phase.reason != ReasonPingTimeout {
		s.phase.until = s.srv.now() + s.srv.cfg.CloseTimeout.Milliseconds()
		return true
	}
	return false
}

// dropPoll drops what nobody will come for any more.
func (s *Session) dropPoll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.phaseLocked().poll; p != nil && !s.state.Polled() {
		s.takeLocked(p)
	}
}

// behind is how many bytes wait besides the first frame, as queue.behind.
func (p *poller) behind() int {
	if len(p.queue) == 0 {
		return 0
	}
	return p.bytes - p.queue[0].size
}
