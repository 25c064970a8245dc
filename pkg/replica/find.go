package replica

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/id"
)

// Bounds of looking for somebody who is not on the list: the table is read at most
// once in lookAgain, whoever asks, and nobody waits longer than findWithin. A number
// that nobody had is believed to be free for missedFor: whoever guesses gets his no at
// once, and not at the pace of the looks.
const (
	lookAgain  = 250 * time.Millisecond
	findWithin = 2 * time.Second
	missedFor  = time.Second
)

// search brings those who miss somebody together with the next look at the table.
type search struct {
	wanted chan struct{} // has one when somebody waits

	mu     sync.Mutex               // guards what follows
	next   chan struct{}            // closed by the end of the next look; nil when nobody waits
	missed map[id.Replica]time.Time // when a look did not find them; as many as there are numbers
}

// Find is Lookup for a number that may be new: another process may speak of one that
// has started since the last look at the table, which is then read once more. It
// waits for that at most two seconds, or until ctx ends; the table is read all the
// same, so that a context that has ended asks and does not wait. It needs Run.
func (r *Registry) Find(ctx context.Context, n id.Replica) (Member, bool) {
	if m, ok := r.Lookup(n); ok {
		return m, true
	}
	looked := r.search.join(n)
	if looked == nil {
		return Member{}, false
	}
	timeout := time.NewTimer(findWithin)
	defer timeout.Stop()
	select {
	case <-looked:
		m, ok := r.Lookup(n)
		if !ok {
			r.search.miss(n)
		}
		return m, ok
	case <-ctx.Done():
	case <-timeout.C:
	}
	return r.Lookup(n)
}

// join returns what the end of the next look will close; nil when n was missed lately.
func (s *search) join(n id.Replica) <-chan struct{} {
	s.mu.Lock()
	if at, missed := s.missed[n]; missed && time.Since(at) < missedFor {
		s.mu.Unlock()
		return nil
	}
	if s.next == nil {
		s.next = make(chan struct{})
	}
	next := s.next
	s.mu.Unlock()
	select {
	case s.wanted <- struct{}{}:
	default: // it is known
	}
	return next
}

func (s *search) miss(n id.Replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed[n] = time.Now()
}

// begin takes those who are to be told of the look that begins now; nil is nobody.
func (s *search) begin() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.next
	s.next = nil
	return next
}

// lookFor reads the table for those who search, until ctx ends.
func (r *Registry) lookFor(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.search.wanted:
		}
		waiting := r.search.begin()
		if waiting == nil {
			continue // they were told by the look before
		}
		_ = r.refresh(ctx) // a database that is away is told by the heartbeats, which need it too
		close(waiting)
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgain):
		}
	}
}
