package transport

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"sluice/pkg/engineio"
)

// Session is one client's Engine.IO session, over whatever carries it at the
// moment. All methods may be called from any goroutine and never block.
//
// Locks: mu before link.mu; neither is held over a callback or over I/O.
type Session struct {
	// Static.
	srv     *Server
	rcv     Receiver
	remote  string
	id      uint64
	secret  secret
	version engineio.Version
	form    form  // of frames on a WebSocket
	stripe  uint8 // of the metrics
	proven  atomic.Bool

	timed timed // guarded by the shard's lock

	seen atomic.Int64         // when the client was last heard, in Server.now
	link atomic.Pointer[link] // the carrier; nil while polling. Stored with mu held.

	mu     sync.Mutex // guards what follows
	state  engineio.State
	opened bool // Hooks.Open has returned
	turn   bool // somebody is in Receiver.Message
	told   bool // Receiver.Closed has been or is being called
	fading bool // CloseAfterFlush: nothing more is sent
	reason Reason
	until  int64 // CloseAfterFlush, or a closed session's wait for a poll, ends
	beat   engineio.Heartbeat
	waiter chan struct{} // closed when the turn is free
	poll   *poller       // nil once on a WebSocket
	trial  *trial        // a WebSocket wants to take over
}

// ID is the number that Hooks.NewID gave the session.
func (s *Session) ID() uint64 { return s.id }

// Receiver is what Hooks.Open returned for the session; nil while it has not yet.
func (s *Session) Receiver() Receiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rcv
}

// SID is the secret name of the session. Whoever has it can speak for the
// client: do not log or store it.
func (s *Session) SID() string { return formatSID(s.id, &s.secret) }

// Protocol is the Engine.IO generation, 3 or 4.
func (s *Session) Protocol() int { return int(s.version) }

// Transport is "polling" or "websocket", as of now.
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Carrier().String()
}

// RemoteAddr is the address of the request that opened the session.
func (s *Session) RemoteAddr() string { return s.remote }

// LastSeen is when the client was last heard of: any packet counts.
func (s *Session) LastSeen() time.Time {
	return s.srv.start.Add(time.Duration(s.seen.Load()) * time.Millisecond)
}

// heard notes that something came from the client.
func (s *Session) heard() { s.seen.Store(s.srv.now()) }

// Send passes f to the client. It never blocks: what the connection does not
// take at once is queued. When Config.BacklogBytes wait already, or a share of them while
// Config.BacklogTotal waits in all, the session is closed with ReasonSlow and ErrSlow returned. ErrClosed after Close.
func (s *Session) Send(f *Frame) error {
	return s.refused(s.send(f, false))
}

// refused closes the session that a frame was too much for.
func (s *Session) refused(err error) error {
	if errors.Is(err, ErrSlow) {
		s.close(ReasonSlow, harshly)
	}
	return err
}

// SendVolatile is Send for what is worthless when late: f is dropped with
// ErrBehind when anything older is still queued or no poll waits for it.
func (s *Session) SendVolatile(f *Frame) error { return s.send(f, true) }

func (s *Session) send(f *Frame, volatile bool) error {
	l := s.link.Load()
	if l == nil {
		if done, err := s.sendPoll(f, volatile); done {
			return err
		}
		l = s.link.Load() // it has just been upgraded
	}
	err := l.send(l.encoded(f), volatile)
	if err == nil {
		s.srv.metrics.hot[s.stripe].out.Add(int64(f.packets))
	}
	return err
}

// control sends a packet of the transport's own. It is taken even from who is
// behind: there are few of them, and they are small.
func (s *Session) control(f *Frame) {
	if l := s.link.Load(); l != nil {
		l.put(l.encoded(f), false)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.link.Load(); l != nil {
		l.put(l.encoded(f), false)
	} else if s.poll != nil && !s.state.Closed() {
		s.pushLocked(f)
	}
}

// Pending is how many bytes wait to leave.
func (s *Session) Pending() int {
	if l := s.link.Load(); l != nil {
		return l.pending()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll == nil {
		return 0
	}
	return s.poll.bytes
}

// isOpen tells that the session has been opened and not been closed.
func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened && !s.state.Closed()
}
