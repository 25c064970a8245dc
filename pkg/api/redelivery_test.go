package api

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestANackedEventComesAgainBeforeLaterOnesOfItsSocket(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k)
	s := w.subscribe("docs", 10)
	k.up(clientEvent(1, socketA, "edit"))
	k.up(clientEvent(2, socketA, "edit"))
	first := s.next()
	s.nack(first, "not now")
	k.up(clientEvent(3, socketB, "edit"))
	b := s.next()
	if b.GetSocket() != socketB.String() {
		t.Fatalf("another socket waits for the pause: %v", b)
	}
	again := s.next()
	if again.GetMid() != first.GetMid() || again.GetAttempt() != 2 || again.GetDelivery() == first.GetDelivery() {
		t.Fatalf("%v came again as %v", first, again)
	}
	s.ack(again)
	if e := s.next(); e.GetMid() != id.Message(2).String() || e.GetAttempt() != 1 {
		t.Errorf("then %v", e)
	}
}

func TestPoisonIsPutAsideAndTheSocketGoesOn(t *testing.T) {
	k := newKafka(t, 1, func(c *bus.Config) { c.Consumer.MaxAttempts, c.Consumer.RetryBackoff = 2, time.Millisecond })
	w := upWorld(t, k, func(w *world) { w.cfg.Subscribe.Attempts, w.cfg.Subscribe.Backoff = 3, time.Millisecond })
	dead := k.dead()
	s := w.subscribe("docs", 10)
	for i := range 3 {
		k.up(clientEvent(id.Message(i+1), socketA, "edit"))
	}
	for attempt := range 3 {
		e := s.next()
		if e.GetMid() != id.Message(1).String() || e.GetAttempt() != uint32(attempt+1) {
			t.Fatalf("attempt %d: %v", attempt+1, e)
		}
		s.nack(e, "bad\nthing "+strings.Repeat("é", 200))
	}
	for i := range 2 {
		e := s.next()
		if e.GetMid() != id.Message(i+2).String() {
			t.Fatalf("behind the poison: %v", e)
		}
		s.ack(e)
	}
	letter := take(t, "the dead letter", dead)
	if letter["X-Mid"] != id.Message(1).String() || !strings.HasPrefix(letter["X-Dead-Reason"], "bad thing éé") {
		t.Errorf("dead letter %v", letter)
	}
	s.idle()
}

func TestAnUnreadableRecordIsPutAside(t *testing.T) {
	k := newKafka(t, 1, func(c *bus.Config) { c.Consumer.MaxAttempts, c.Consumer.RetryBackoff = 2, time.Millisecond })
	w := upWorld(t, k)
	dead := k.dead()
	s := w.subscribe("docs", 10)
	broken := clientEvent(1, socketA, "edit")
	broken.Body = []byte("nonsense")
	k.up(broken)
	k.up(clientEvent(2, socketB, "edit", func(_ *bus.Headers, up *bus.Up) { up.Args = []byte("[\"\xff\"]") }))
	k.up(clientEvent(3, socketC, "edit"))
	if e := s.next(); e.GetMid() != id.Message(3).String() {
		t.Errorf("%v", e)
	}
	mids := map[string]bool{take(t, "a dead letter", dead)["X-Mid"]: true, take(t, "a dead letter", dead)["X-Mid"]: true}
	if !mids[id.Message(1).String()] || !mids[id.Message(2).String()] {
		t.Errorf("dead letters of %v", mids)
	}
}

func TestAStreamThatEndsReturnsItsEventsInOrder(t *testing.T) {
	for name, linger := range map[string]time.Duration{"within the linger time": time.Minute, "after a new start of the consumer": 0} {
		t.Run(name, func(t *testing.T) {
			k := newKafka(t, 1)
			w := upWorld(t, k, func(w *world) { w.cfg.Subscribe.Linger = linger })
			s := w.subscribe("docs", 10)
			for i := range 4 {
				k.up(clientEvent(id.Message(i+1), socketA, "edit"))
			}
			s.ack(s.next())
			unacked := s.next()
			s.end()
			if linger == 0 {
				u := w.server.uplink("docs")
				eventually(t, "the end of the consumer", func() bool {
					u.mu.Lock()
					defer u.mu.Unlock()
					return !u.running && len(u.held) == 0
				})
			}
			s = w.subscribe("docs", 10)
			again := s.next()
			if again.GetMid() != unacked.GetMid() || again.GetAttempt() != 2 || again.GetDelivery() != 1 {
				t.Fatalf("%v came again as %v", unacked, again)
			}
			s.ack(again)
			for i := range 2 {
				e := s.next()
				if e.GetMid() != id.Message(i+3).String() || e.GetAttempt() != 1 {
					t.Fatalf("then %v", e)
				}
				s.ack(e)
			}
			eventually(t, "the acks", func() bool { return counted(w.deps.Metrics.upstream, "docs", "acked") == 4 })
			s.idle()
		})
	}
}

func TestAnotherStreamTakesOverWhatAnEndedOneHad(t *testing.T) {
	k := newKafka(t, 2)
	w := upWorld(t, k)
	streams := []*sub{w.subscribe("docs", 100), w.subscribe("docs", 100)}
	const sockets = 40
	for i := range sockets {
		k.up(clientEvent(id.Message(i+1), id.Socket(i+1), "edit"))
		k.up(clientEvent(id.Message(1000+i), id.Socket(i+1), "edit"))
	}
	eventually(t, "the first events", func() bool { return len(streams[0].events)+len(streams[1].events) == sockets })
	given := [2]int{len(streams[0].events), len(streams[1].events)}
	if given[0] < sockets/8 || given[1] < sockets/8 {
		t.Errorf("given %v", given)
	}
	streams[0].end()
	s := streams[1]
	seen := map[string]int{}
	for range 2 * sockets {
		e := s.next()
		seen[e.GetSocket()]++
		mid, _ := id.ParseMessage(e.GetMid())
		if want := map[bool]int{true: 1, false: 2}[mid < 1000]; seen[e.GetSocket()] != want {
			t.Fatalf("event %d of its socket: %v", seen[e.GetSocket()], e)
		}
		s.ack(e)
	}
	if n := counted(w.deps.Metrics.upstream, "docs", "returned"); int(n) != given[0] {
		t.Errorf("%v returned, want %d", n, given[0])
	}
}

func TestAProducersDuplicateIsDropped(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k)
	s := w.subscribe("docs", 10)
	for range 3 {
		k.up(clientEvent(1, socketA, "edit"))
	}
	k.up(clientEvent(2, socketA, "edit"))
	s.ack(s.next())
	if e := s.next(); e.GetMid() != id.Message(2).String() {
		t.Errorf("%v", e)
	}
	if n := counted(w.deps.Metrics.upstream, "docs", "duplicate"); n != 2 {
		t.Errorf("%v dropped", n)
	}
}

func TestASilentStreamIsEndedAndItsEventsGoOn(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k, func(w *world) {
		w.cfg.Subscribe.AckTimeout, w.cfg.Subscribe.Backoff = time.Second, time.Millisecond
	})
	silent := w.subscribe("docs", 10)
	for i := range 5 {
		k.up(clientEvent(id.Message(i+1), id.Socket(i+1), "edit"))
	}
	for range 5 {
		silent.next()
	}
	if err := take(t, "its end", silent.ended); status.Code(err) != codes.Aborted {
		t.Fatalf("%v", err)
	}
	s := w.subscribe("docs", 10)
	for range 5 {
		e := s.next()
		if e.GetAttempt() < 2 {
			t.Errorf("%v", e)
		}
		s.ack(e)
	}
}

func TestOneHangingHandlerDoesNotEndItsStream(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k, func(w *world) {
		w.cfg.Subscribe.AckTimeout, w.cfg.Subscribe.Backoff = time.Second, time.Millisecond
	})
	s := w.subscribe("docs", 10)
	k.up(clientEvent(1, socketA, "edit"))
	hanging := s.next()
	again := s.next()
	if again.GetMid() != hanging.GetMid() || again.GetAttempt() != 2 {
		t.Fatalf("%v", again)
	}
	s.ack(hanging) // late, and of no effect
	s.ack(again)
	eventually(t, "the late ack", func() bool { return counted(w.deps.Metrics.upstream, "docs", "unknown") == 1 })
	k.up(clientEvent(2, socketA, "edit"))
	s.ack(s.next())
}

func TestAComponentThatReadsNothingIsEnded(t *testing.T) {
	k := newKafka(t, 1)
	w := upWorld(t, k, func(w *world) {
		w.cfg.Subscribe.AckTimeout, w.cfg.Subscribe.Backoff = 2*time.Second, time.Millisecond // the second one must be able to keep it
	})
	deaf := w.open("docs")
	deaf.send(&sluicev1.SubscribeRequest{Message: &sluicev1.SubscribeRequest_Start_{Start: &sluicev1.SubscribeRequest_Start{}}})
	if _, err := deaf.grpc.Recv(); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 60_000)
	for i := range 20 {
		k.up(clientEvent(id.Message(i+1), id.Socket(i+1), "edit", func(_ *bus.Headers, up *bus.Up) { up.Args = []byte(`["` + large + `"]`) }))
	}
	eventually(t, "its end", func() bool { return counted(w.deps.Metrics.refused, "docs", "stalled") == 1 })
	s := w.subscribe("docs", 0)
	for range 20 {
		s.ack(s.next())
	}
}

// TestASlowHandlerIsNotPutAsideByTheBus: the consumer loses its patience with records
// that a component still works on, and must not take them for poison.
func TestASlowHandlerIsNotPutAsideByTheBus(t *testing.T) {
	k := newKafka(t, 1, func(c *bus.Config) {
		c.Consumer.AckTimeout, c.Consumer.MaxAttempts = 20*time.Millisecond, 2
		c.Consumer.RetryBackoff, c.Consumer.RetryFor = time.Millisecond, 50*time.Millisecond
	})
	w := upWorld(t, k)
	dead := k.dead()
	s := w.subscribe("docs", 10)
	for i := range 5 {
		k.up(clientEvent(id.Message(i+1), id.Socket(i+1), "edit"))
		k.up(clientEvent(id.Message(i+10), id.Socket(i+1), "edit"))
	}
	for range 2 {
		var working []*sluicev1.UpEvent
		for range 5 {
			working = append(working, s.next())
		}
		time.Sleep(500 * time.Millisecond) // the work
		s.idle()
		s.ack(working...)
	}
	k.up(clientEvent(99, socketA, "edit"))
	s.ack(s.next())
	eventually(t, "the acks", func() bool { return counted(w.deps.Metrics.upstream, "docs", "acked") == 11 })
	select {
	case letter := <-dead:
		t.Errorf("put aside: %v", letter)
	default:
	}
}
