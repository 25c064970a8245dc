package epoll

import (
	"syscall"
	"testing"
)

// told is a set whose events are passed on.
func told(t *testing.T) (s *Set, events chan Event) {
	t.Helper()
	s, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	events = make(chan Event, 100)
	c := NewCrew(func(e Event) { events <- e })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Lend(s, c, func(e Event) (Event, bool) { return e, e.Tag >= 0 })
	}()
	t.Cleanup(func() {
		s.Stop()
		<-ended
		c.Stop()
		s.Close()
	})
	return s, events
}

func pair(t *testing.T) (near, far int) {
	t.Helper()
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(p[0]); syscall.Close(p[1]) })
	return p[0], p[1]
}

func write(t *testing.T, fd int) {
	t.Helper()
	if _, err := syscall.Write(fd, []byte("x")); err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, events <-chan Event, fd int, tag int32, bits uint32) {
	t.Helper()
	if e := take(t, events); e.FD != fd || e.Tag != tag || e.Events&bits != bits {
		t.Errorf("got %+v, want descriptor %d, tag %d, %b", e, fd, tag, bits)
	}
}

func TestEventsComeOnceForEachChange(t *testing.T) {
	s, events := told(t)
	near, far := pair(t)
	write(t, far)
	if err := s.Add(near, 7); err != nil {
		t.Fatal(err)
	}
	wants(t, events, near, 7, syscall.EPOLLIN) // it had come already
	if err := s.Watch(near, 8, Readable|Writable); err != nil {
		t.Fatal(err)
	}
	wants(t, events, near, 8, syscall.EPOLLIN|syscall.EPOLLOUT) // it has not been read
	if err := s.Again(near, 9); err != nil {
		t.Fatal(err)
	}
	wants(t, events, near, 9, syscall.EPOLLIN)
	write(t, far)
	wants(t, events, near, 9, syscall.EPOLLIN)
	if err := s.Remove(near); err != nil {
		t.Fatal(err)
	}
	other, end := pair(t)
	if err := s.Add(other, 1); err != nil {
		t.Fatal(err)
	}
	write(t, far) // nobody looks
	write(t, end)
	wants(t, events, other, 1, syscall.EPOLLIN)
	if len(events) > 0 {
		t.Errorf("and %+v", <-events)
	}
	syscall.Shutdown(end, syscall.SHUT_WR)
	wants(t, events, other, 1, syscall.EPOLLRDHUP)
	if err := s.Again(near, 0); err == nil {
		t.Error("one that is not watched is watched again")
	}
}

// More events at once than fit the buffer are all told.
func TestManyEventsAtOnce(t *testing.T) {
	s, events := told(t)
	const many = 300 // and twice as many descriptors
	seen := make(map[int]bool)
	for range many {
		near, far := pair(t)
		write(t, far)
		if err := s.Add(near, 0); err != nil {
			t.Fatal(err)
		}
		seen[near] = false
	}
	for range many {
		seen[take(t, events).FD] = true
	}
	for fd, ok := range seen {
		if !ok {
			t.Errorf("%d is not told of", fd)
		}
	}
}

func TestStopEndsLendThoughNothingHappens(t *testing.T) {
	s, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := NewCrew(func(int) {})
	defer c.Stop()
	ended := make(chan struct{})
	go func() { defer close(ended); Lend(s, c, func(Event) (int, bool) { return 0, false }) }()
	s.Stop()
	take(t, ended)
}
