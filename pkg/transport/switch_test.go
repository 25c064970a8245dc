package transport

import (
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"sluice/pkg/engineio"
)

// polledSession makes a link's session one that is polled, with f waiting and the
// link wanting to take over.
func polledSession(l *link, f *Frame) *trial {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.Store(nil)
	s.state = engineio.NewState(engineio.V4, engineio.Polling)
	s.state.BeginProbe()
	t := &trial{link: l}
	p := s.enterLocked()
	p.poll, p.trial = new(poller), t
	s.pushLocked(f)
	return t
}

// Somebody may be writing on a WebSocket, as its flusher, when it takes over: what
// waited for a poll leaves nevertheless, before what is sent from then on.
func TestWhatWaitedLeavesWhoeverWasWriting(t *testing.T) {
	l, far := bareLink(t)
	go io.Copy(io.Discard, far)
	f := NewFrame([]byte("waiting"))
	for round := range 5000 {
		trial := polledSession(l, f)
		if !l.take() {
			t.Fatal("the role is taken")
		}
		l.s.mu.Lock()
		var both sync.WaitGroup
		both.Go(func() { l.s.switchTo(l, trial) })
		both.Go(func() { l.begin(); l.s.mu.Unlock() })
		both.Wait()
		l.mu.Lock()
		left := l.role == nobody && l.queue != nil
		l.mu.Unlock()
		if left {
			t.Fatalf("round %d: it waits, and nobody writes it", round)
		}
		eventually(t, "an empty queue", func() bool { return l.pending() == 0 })
	}
}

// witness tells whether the session stays locked while its connection is closed.
type witness struct {
	net.Conn
	s      *Session
	locked bool
}

func (w *witness) Close() error {
	w.locked = true
	for end := time.Now().Add(time.Second); w.locked && time.Now().Before(end); runtime.Gosched() {
		if w.s.mu.TryLock() {
			w.locked = false
			w.s.mu.Unlock()
		}
	}
	return nil
}

// A control packet that comes while a session moves to its WebSocket is written
// without the session's lock: who writes takes it when the last frame has left.
func TestAControlPacketIsWrittenWithoutALock(t *testing.T) {
	s := &Session{srv: newServer(&world{t: t}, nil)}
	for round := range 30_000 {
		w := &witness{s: s}
		l := &link{s: s, conn: w, kind: overTCP, fd: noDescriptor} // the first write fails, and closes
		s.link.Store(nil)
		s.mu.Lock()
		var both sync.WaitGroup
		both.Go(func() { s.control(pingFrame) })
		both.Go(func() { s.link.Store(l); s.mu.Unlock() })
		both.Wait()
		if w.locked {
			t.Fatalf("round %d: it is locked", round)
		}
	}
}
