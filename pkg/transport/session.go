package transport

import (
	"errors"
	"net/netip"
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
	srv    *Server
	rcv    Receiver // nil until Hooks.Open has returned, with mu held
	id     uint64
	remote [16]byte // zero when it is no IP address
	secret secret

	// Guarded by the shard's lock.
	due   uint32 // tick of the wheel: one of 50 ms, for seven years
	timed timed

	seen atomic.Int64         // when the client was last heard, in Server.now
	link atomic.Pointer[link] // the carrier; nil while polling. Stored with mu held.

	mu     sync.Mutex // guards what follows
	phase  *phase     // nil in most sessions most of the time
	beat   engineio.Heartbeat
	state  engineio.State
	form   form // of frames on a WebSocket; static
	turn   bool // somebody is in Receiver.Message
	proven bool // by Proven
}

// phase is what a session has only for a time: while it is polled, while it
// changes to a WebSocket, when it ends. An open session on a WebSocket has none.
type phase struct {
	poll   *poller       // nil once on a WebSocket
	trial  *trial        // a WebSocket wants to take over
	waiter chan struct{} // closed when the turn is free
	fading bool          // CloseAfterFlush: nothing more is sent
	told   bool          // Receiver.Closed has been or is being called
	reason Reason
	until  int64 // CloseAfterFlush, or a closed session's wait for a poll, ends
}

// phaseLocked is the session's phase, to be read.
func (s *Session) phaseLocked() phase {
	if s.phase == nil {
		return phase{}
	}
	return *s.phase
}

// enterLocked is the session's phase, to be changed.
func (s *Session) enterLocked() *phase {
	if s.phase == nil {
		s.phase = new(phase)
	}
	return s.phase
}

// settleLocked lets go of a phase that is over.
func (s *Session) settleLocked() {
	if p := s.phase; p != nil && *p == (phase{}) && !s.state.Closed() {
		s.phase = nil
	}
}

// version is the Engine.IO generation.
func (s *Session) version() engineio.Version { return s.form.version() }

// hot is where the session's packets and bytes are counted.
func (s *Session) hot() *stripe { return &s.srv.metrics.hot[s.srv.indexOf(s.id)%stripes] }

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
func (s *Session) Protocol() int { return int(s.version()) }

// Transport is "polling" or "websocket", as of now.
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Carrier().String()
}

// RemoteAddr is the address, without its port, of the request that opened the
// session. It is not valid when that had none, as over a Unix socket.
func (s *Session) RemoteAddr() netip.Addr {
	if s.remote == ([16]byte{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom16(s.remote).Unmap()
}

// setRemote takes the address of a request. Without port and zone it is half as
// long as the shortest string, and part of the session.
func (s *Session) setRemote(hostPort string) {
	if at, err := netip.ParseAddrPort(hostPort); err == nil {
		s.remote = at.Addr().As16()
	}
}

// LastSeen is when the client was last heard of: any packet counts.
func (s *Session) LastSeen() time.Time {
	return s.srv.start.Add(time.Duration(s.seen.Load()) * time.Millisecond)
}

// heard notes that something came from the client.
func (s *Session) heard() { s.seen.Store(s.srv.now()) }

// Send passes f to the client. It never blocks: what the connection does not
// take at once is queued. When Config.BacklogBytes wait already, or a share of
// them while Config.BacklogTotal waits in all, the session is closed with
// ReasonSlow and ErrSlow returned. ErrClosed after Close.
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
		s.hot().out.Add(int64(f.packets))
	}
	return err
}

// control sends a packet of the transport's own. It is taken even for who is
// behind: there are few of them, they are small, and no client asks for them.
func (s *Session) control(f *Frame) {
	l := s.link.Load()
	if l == nil {
		l = s.controlPoll(f)
	}
	if l != nil {
		l.put(l.encoded(f), false) // without the lock, which who writes may need
	}
}

// controlPoll queues f for the next GET, or tells on which WebSocket the session
// is meanwhile.
func (s *Session) controlPoll(f *Frame) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.link.Load()
	if l == nil && s.phaseLocked().poll != nil && !s.state.Closed() {
		s.pushLocked(f)
	}
	return l
}

// Pending is how many bytes wait to leave.
func (s *Session) Pending() int {
	if l := s.link.Load(); l != nil {
		return l.pending()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.phaseLocked().poll; p != nil {
		return p.bytes
	}
	return 0
}

// isOpen tells that the session has been opened and not been closed.
func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rcv != nil && !s.state.Closed()
}
