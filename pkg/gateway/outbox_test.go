package gateway

import (
	"testing"
	"time"
)

// What a connection has only now and then is gone afterwards.
func TestAnEmptyOutboxIsGivenBack(t *testing.T) {
	s := newShard(1, nil)
	c := &Connection{shard: s, id: 7, member: true, main: true}
	s.conns[7] = c
	to := c.ref()
	for name, step := range map[string]struct{ begin, end func() }{
		"a namespace": {func() { c.addSpaceLocked("/a") }, func() { c.dropSpaceLocked("/a") }},
		"a call": {
			func() { s.expect(7, "/", 2); s.expect(7, "/", 2) },
			func() { s.forget(to, c.out.calls[0].ack); s.forget(to, c.out.calls[0].ack) },
		},
		"what came late": {
			func() { c.outboxLocked().late = new(lateSet) },
			func() { s.nextLate(to, time.Now()) },
		},
		"the end": {
			func() {
				c.addSpaceLocked("/a")
				c.addSpaceLocked("/b")
				s.expect(7, "/a", 2)
				c.outboxLocked().late = new(lateSet)
			},
			func() {
				c.takeCallsLocked()
				c.out.spaces, c.out.late = nil, nil
				c.tidyLocked()
			},
		},
	} {
		step.begin()
		if c.out == nil {
			t.Errorf("%s: nothing is kept", name)
		}
		step.end()
		if c.out != nil {
			t.Errorf("%s: %+v is left", name, *c.out)
		}
	}
	fresh := outboxes.Get().(*outbox)
	if len(fresh.spaces)+len(fresh.calls) > 0 || fresh.late != nil || fresh.recent != nil {
		t.Errorf("an outbox remembers %+v", *fresh)
	}
}

func TestAcknowledgementsAreNumberedOnAfterTheOutboxIsGone(t *testing.T) {
	s := newShard(1, nil)
	c := &Connection{shard: s, id: 7, member: true, main: true}
	s.conns[7] = c
	seen := map[uint32]bool{}
	for range 10 { // or a late acknowledgement would answer another call
		to, ack, _, _ := s.expect(7, "/", 1)
		if seen[ack] {
			t.Fatalf("%d is asked for twice", ack)
		}
		seen[ack] = true
		s.forget(to, ack)
	}
	if c.takeCallLocked(3) != nil || c.takeCallLocked(1<<32) != nil {
		t.Error("an acknowledgement that nobody waits for is taken")
	}
	s.expect(7, "/", 1)
	if c.takeCallLocked(10+1<<32) != nil || c.takeCallLocked(10) == nil {
		t.Error("acknowledgements are mixed up")
	}
}

func TestAnInboxHoldsOnlyWhatIsHalfDone(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial(`{"token":"ann"}`)
	s := w.gateway.shardOf(p.id)
	in := func() *inbox {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.conns[p.id].in
	}
	if in() != nil {
		t.Error("there is one after the connect")
	}
	p.send(`451-["e",{"_placeholder":true,"num":0}]`)
	if in() == nil {
		t.Error("nothing is half received")
	}
	p.send("bAAAA")
	if in() != nil {
		t.Error("it stays when the event is complete")
	}
	p.send("437[]")
	if got := in(); got == nil || got.stray != 1 {
		t.Error("a stray acknowledgement is forgotten")
	}
}
