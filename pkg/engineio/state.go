package engineio

// State is what carries a session and what is under way in it. There is one
// method for each transition; a transition that is not allowed changes nothing.
// The caller serialises the calls.
//
// Invariants: on a WebSocket nothing else is under way; a closed session stays
// closed.
type State struct {
	version Version
	carrier Carrier
	under   uint8 // what is under way
	closed  bool
}

const (
	polling uint8 = 1 << iota // a GET waits or is being answered
	posting                   // a POST is being read
	probing                   // a WebSocket wants to take over
)

// NewState is the state after the handshake.
func NewState(v Version, c Carrier) State { return State{version: v, carrier: c} }

// Version is the generation the session was opened with.
func (s *State) Version() Version { return s.version }

// Carrier is what carries the session now.
func (s *State) Carrier() Carrier { return s.carrier }

// Closed tells that Close has been called.
func (s *State) Closed() bool { return s.closed }

// Probing tells that a WebSocket wants to take over.
func (s *State) Probing() bool { return s.under&probing != 0 }

// Request checks a request that names this session. Another generation, a poll
// after the upgrade, and a WebSocket URL without an upgrade are bad requests.
func (s *State) Request(q *Query, upgrade bool) Code {
	switch {
	case q.Version != s.version:
		return BadRequest
	case upgrade != (q.Carrier == WebSocket):
		return BadRequest
	case !upgrade && s.carrier != Polling:
		return BadRequest
	}
	return OK
}

// BeginPoll starts a GET. False means that one is under way already: the
// session must be closed.
func (s *State) BeginPoll() bool { return s.begin(polling) }

// EndPoll ends a GET: its answer is settled.
func (s *State) EndPoll() { s.under &^= polling }

// Polled tells that a GET is under way.
func (s *State) Polled() bool { return s.under&polling != 0 }

// BeginPost starts a POST. False means that one is under way already: the
// session must be closed.
func (s *State) BeginPost() bool { return s.begin(posting) }

// EndPost ends a POST.
func (s *State) EndPost() { s.under &^= posting }

// BeginProbe admits a WebSocket that wants to take over. False means that the
// session has one already, or another is trying: the new one must be closed.
func (s *State) BeginProbe() bool {
	if s.closed || s.carrier != Polling {
		return false
	}
	return s.begin(probing)
}

// EndProbe ends an attempt that failed; the session goes on over polling.
func (s *State) EndProbe() { s.under &^= probing }

// Switch moves the session to the WebSocket that was probing. It is false when
// none was, or the session has been closed meanwhile.
func (s *State) Switch() bool {
	if s.closed || s.under&probing == 0 {
		return false
	}
	s.under &^= probing
	s.carrier = WebSocket
	return true
}

// Close ends the session. It is false when it was closed already.
func (s *State) Close() bool {
	if s.closed {
		return false
	}
	s.closed = true
	return true
}

func (s *State) begin(what uint8) bool {
	if s.under&what != 0 {
		return false
	}
	s.under |= what
	return true
}
