package edge

import (
	"errors"
	"sync/atomic"
	"time"
)

// slots bound the TLS handshakes that compute at the same time. The others wait
// without a thread, so that what they take from the connections that are there
// already is bounded, however many come at once.
type slots struct {
	free chan struct{}
	wait time.Duration
}

var errBusy = errors.New("edge: too many handshakes")

func newSlots(n int, wait time.Duration) *slots {
	return &slots{free: make(chan struct{}, n), wait: wait}
}

// enter waits for a slot, though not for longer than the client may take for
// its handshake.
func (s *slots) enter() error {
	select {
	case s.free <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		return nil
	case <-timer.C:
		return errBusy
	}
}

func (s *slots) leave() { <-s.free }

// slot is one that a connection has while its handshake computes. What that
// computes has been computed when something of it is written.
type slot struct {
	port   *Port
	inside atomic.Bool
}

func (s *slot) itself() *slot { return s }

// enter takes a slot, unless there is one.
func (s *slot) enter() error {
	if s.inside.Load() {
		return nil
	}
	if err := s.port.slots.enter(); err != nil {
		s.port.m.refused.WithLabelValues(string(HandshakeBusy)).Inc()
		return err
	}
	s.inside.Store(true)
	return nil
}

func (s *slot) leave() {
	if s.inside.Swap(false) {
		s.port.slots.leave()
	}
}
