package transport

import (
	"bytes"
	"runtime/debug"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/engineio"
)

// The turn is the right to call the Receiver. It is not a lock around the call:
// it passes with enter and leave, and whoever closes the session meanwhile
// leaves the last call to the one who has it.

// enter takes the turn. False: the session is closed, nothing may be delivered.
// It waits only while a POST is being delivered on a session that has just been
// upgraded.
func (s *Session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.turn && !s.state.Closed() {
		p := s.enterLocked()
		if p.waiter == nil {
			p.waiter = make(chan struct{})
		}
		free := p.waiter
		s.mu.Unlock()
		<-free
		s.mu.Lock()
	}
	if s.state.Closed() {
		return false
	}
	s.turn = true
	return true
}

// leave gives the turn back, and makes the last call if it is time for it.
func (s *Session) leave() {
	s.mu.Lock()
	s.turn = false
	last := s.phase != nil && s.leavePhaseLocked()
	s.mu.Unlock()
	if last {
		s.tell()
	}
}

// leavePhaseLocked wakes who waits for the turn. True means that the last call is
// still to be made.
func (s *Session) leavePhaseLocked() (last bool) {
	p := s.phase
	if p.waiter != nil {
		close(p.waiter)
		p.waiter = nil
	}
	last = s.state.Closed() && !p.told
	p.told = p.told || last
	s.settleLocked()
	return last
}

// tell makes the last call. Exactly one caller has set told.
func (s *Session) tell() {
	defer s.srv.running.Done()
	defer s.survive()
	s.rcv.Closed(s.phase.reason)
}

// hand gives a message to the Receiver.
func (s *Session) hand(pkt engineio.Packet) {
	if !s.enter() {
		return
	}
	defer s.leave()
	defer s.survive()
	s.rcv.Message(pkt.Data, pkt.Binary)
}

// survive ends the session whose Receiver panics, and no other: one client's message
// must not cost everybody else the connection. To be deferred.
func (s *Session) survive() {
	if p := recover(); p != nil {
		s.srv.log.Error("a receiver panicked", elog.Any("panic", p), elog.FieldStack(debug.Stack()))
		s.close(ReasonInternal, gently)
	}
}

// receive acts on a packet that came over the session's carrier.
func (s *Session) receive(pkt engineio.Packet) {
	switch engineio.React(s.version(), pkt.Type) {
	case engineio.Deliver:
		s.hand(pkt)
	case engineio.Answer:
		_ = s.Send(pong(pkt.Data)) // as large as the client wants it, and so within its bound; slow is closed
	case engineio.Heard:
	case engineio.Leave:
		s.close(ReasonClientClose, byClient)
	default:
		s.close(ReasonParse, gently)
	}
}

// Packets that every session shares.
var (
	pingFrame  = newControl(engineio.Ping, nil)
	pongFrame  = newControl(engineio.Pong, nil)
	noopFrame  = newControl(engineio.Noop, nil)
	closePoll  = newControl(engineio.Close, nil)
	probeFrame = newControl(engineio.Pong, []byte("probe"))
)

func pong(data []byte) *Frame {
	if len(data) == 0 {
		return pongFrame
	}
	return newControl(engineio.Pong, bytes.Clone(data))
}
