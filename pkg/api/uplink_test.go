package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
)

// script is a consumer whose records a test hands over itself, to reach what a real
// one does only in bad times.
type script struct {
	t       *testing.T
	started chan *script // itself, at each start
	fail    chan error   // ends Run with an error

	mu     sync.Mutex
	ctx    context.Context
	handle func(ctx context.Context, d *bus.Delivery)
}

func newScript(t *testing.T) *script {
	return &script{t: t, started: make(chan *script, 10), fail: make(chan error, 1)}
}

func (s *script) Run(ctx context.Context, handle func(ctx context.Context, d *bus.Delivery)) error {
	s.mu.Lock()
	s.ctx, s.handle = ctx, handle
	s.mu.Unlock()
	s.started <- s
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.fail:
		return err
	}
}

// handed is one hand-over of a record.
type handed struct {
	t        *testing.T
	settled  chan error    // nil for an ack
	returned chan struct{} // the handler has returned
}

// hand hands a record over as partition 0's at offset.
func (s *script) hand(ctx context.Context, offset int64, attempt int, rec bus.Record) *handed {
	h := &handed{t: s.t, settled: make(chan error, 1), returned: make(chan struct{}, 1)}
	rec.Offset = offset
	d := bus.NewDelivery(rec, attempt, func(reason error) { h.settled <- reason })
	s.mu.Lock()
	handle := s.handle
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		handle(ctx, d)
		h.returned <- struct{}{}
	}()
	s.t.Cleanup(func() { <-done })
	return h
}

func (h *handed) back() {
	h.t.Helper()
	take(h.t, "the handler's return", h.returned)
}

// waits fails the test when the handler has returned. What it waits for is reported
// by the uplink, so this does not guess.
func (h *handed) waits(w *world) {
	h.t.Helper()
	u := w.server.uplink("docs")
	eventually(h.t, "the handler's wait", func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.waiting
	})
	select {
	case <-h.returned:
		h.t.Fatal("the handler did not wait")
	default:
	}
}

func scripted(t *testing.T, change ...func(w *world)) (*world, *script) {
	s := newScript(t)
	w := newWorld(t, append([]func(w *world){func(w *world) {
		w.deps.Consumer = func(string) Consumer { return s }
		w.cfg.Subscribe.RestartDelay = time.Millisecond
	}}, change...)...)
	return w, s
}

func TestARecordThatIsHandedOverAgainIsNotDeliveredTwice(t *testing.T) {
	w, k := scripted(t)
	s := w.subscribe("docs", 10)
	take(t, "the start", k.started)
	first := k.hand(t.Context(), 5, 1, clientEvent(1, socketA, "edit"))
	first.back()
	e := s.next()
	again := k.hand(t.Context(), 5, 2, clientEvent(1, socketA, "edit"))
	again.waits(w)
	s.ack(e)
	if err := take(t, "the ack", again.settled); err != nil {
		t.Errorf("%v", err)
	}
	again.back()
	next := k.hand(t.Context(), 6, 1, clientEvent(2, socketA, "edit"))
	next.back()
	if e := s.next(); e.GetMid() != id.Message(2).String() {
		t.Errorf("%v", e)
	}
}

func TestEventsOfALostPartitionAreNotDelivered(t *testing.T) {
	w, k := scripted(t)
	s := w.subscribe("docs", 10)
	take(t, "the start", k.started)
	mine, lose := context.WithCancel(t.Context())
	k.hand(mine, 5, 1, clientEvent(1, socketA, "edit")).back()
	k.hand(mine, 6, 1, clientEvent(2, socketA, "edit")).back()
	e := s.next()
	lose()
	s.ack(e)
	eventually(t, "the loss", func() bool { return counted(w.deps.Metrics.upstream, "docs", "lost") == 1 })
	// The partition comes back: what was acked is not delivered again, the rest is.
	one := k.hand(t.Context(), 5, 1, clientEvent(1, socketA, "edit"))
	one.back()
	two := k.hand(t.Context(), 6, 1, clientEvent(2, socketA, "edit"))
	if err := take(t, "the ack", one.settled); err != nil {
		t.Errorf("%v", err)
	}
	if e := s.next(); e.GetMid() != id.Message(2).String() || e.GetAttempt() != 1 {
		t.Errorf("%v", e)
	} else {
		s.ack(e)
	}
	if err := take(t, "the ack", two.settled); err != nil {
		t.Errorf("%v", err)
	}
	s.idle()
}

func TestAHandlerThatWaitsForRoomLeavesWithItsPartition(t *testing.T) {
	w, k := scripted(t)
	s := w.subscribe("docs", 1)
	take(t, "the start", k.started)
	k.hand(t.Context(), 1, 1, clientEvent(1, socketA, "edit")).back()
	s.next()
	mine, lose := context.WithCancel(t.Context())
	h := k.hand(mine, 2, 1, clientEvent(2, socketB, "edit"))
	h.waits(w)
	lose()
	h.back()
}

func TestTheConsumerWaitsWhenThereIsNoRoom(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world)
		window uint32
		second id.Socket
	}{
		"in the stream":     {func(*world) {}, 1, socketB},
		"for the component": {func(w *world) { w.cfg.Subscribe.Pending = 1 }, 10, socketB},
		"for the socket":    {func(w *world) { w.cfg.Subscribe.PendingSocket = 1 }, 10, socketA},
	} {
		t.Run(name, func(t *testing.T) {
			w, k := scripted(t, tc.change)
			s := w.subscribe("docs", tc.window)
			take(t, "the start", k.started)
			k.hand(t.Context(), 1, 1, clientEvent(1, socketA, "edit")).back()
			e := s.next()
			h := k.hand(t.Context(), 2, 1, clientEvent(2, tc.second, "edit"))
			h.waits(w)
			s.idle()
			s.ack(e)
			h.back()
			s.ack(s.next())
		})
	}
}

func TestAnotherStreamHelpsWhenTheFirstIsFull(t *testing.T) {
	w, k := scripted(t)
	streams := []*sub{w.subscribe("docs", 2), w.subscribe("docs", 2)}
	take(t, "the start", k.started)
	for i := range 4 {
		k.hand(t.Context(), int64(i), 1, clientEvent(id.Message(i+1), id.Socket(i+1), "edit")).back()
	}
	for range 2 {
		streams[0].next()
		streams[1].next()
	}
	h := k.hand(t.Context(), 9, 1, clientEvent(9, id.Socket(9), "edit"))
	h.waits(w)
	// A stream that opens later has room.
	late := w.subscribe("docs", 1)
	h.back()
	if e := late.next(); e.GetMid() != id.Message(9).String() {
		t.Errorf("%v", e)
	}
}

func TestWhatMovesToAnotherStreamKeepsToItsWindow(t *testing.T) {
	w, k := scripted(t)
	wide := w.subscribe("docs", 10)
	take(t, "the start", k.started)
	for i := range 10 {
		k.hand(t.Context(), int64(i), 1, clientEvent(id.Message(i+1), id.Socket(i+1), "edit")).back()
		wide.next()
	}
	narrow := w.subscribe("docs", 2)
	wide.end()
	for range 10 {
		e := narrow.next()
		u := w.server.uplink("docs")
		u.mu.Lock()
		if n := len(u.streams[0].inflight); n > 2 {
			t.Errorf("%d in flight", n)
		}
		u.mu.Unlock()
		narrow.ack(e)
	}
}

func TestAConsumerThatFailsIsStartedAgainAndNothingInFlightIsRepeated(t *testing.T) {
	w, k := scripted(t)
	s := w.subscribe("docs", 2)
	take(t, "the start", k.started)
	k.hand(t.Context(), 1, 1, clientEvent(1, socketA, "edit")).back()
	k.hand(t.Context(), 2, 1, clientEvent(2, socketA, "edit")).back()
	e := s.next()
	k.fail <- errors.New("no brokers")
	take(t, "the new start", k.started)
	again := k.hand(t.Context(), 1, 1, clientEvent(1, socketA, "edit"))
	again.waits(w)
	k.hand(t.Context(), 2, 1, clientEvent(2, socketA, "edit")).back() // there is room for it
	s.ack(e)
	if err := take(t, "the ack", again.settled); err != nil {
		t.Error(err)
	}
	if e := s.next(); e.GetMid() != id.Message(2).String() || e.GetAttempt() != 1 {
		t.Errorf("%v", e)
	}
}

func TestAGivenUpEventIsRefusedEachTimeItComes(t *testing.T) {
	w, k := scripted(t, func(w *world) { w.cfg.Subscribe.Attempts = 1 })
	s := w.subscribe("docs", 10)
	take(t, "the start", k.started)
	h := k.hand(t.Context(), 1, 1, clientEvent(1, socketA, "edit"))
	h.back()
	s.nack(s.next(), "bad")
	for attempt := 2; attempt < 5; attempt++ {
		if err := take(t, "the refusal", h.settled); err == nil || err.Error() != "bad" {
			t.Fatalf("%v", err)
		}
		h = k.hand(t.Context(), 1, attempt, clientEvent(1, socketA, "edit"))
		h.back()
	}
	s.idle()
}

func TestALaneKeepsTheOrderOfItsPartition(t *testing.T) {
	offsets := func(l *lane) string {
		var out []string
		for _, e := range l.events {
			out = append(out, string(rune('0'+e.at.partition))+"/"+string(rune('0'+e.at.offset)))
		}
		return strings.Join(out, " ")
	}
	l := &lane{}
	for _, o := range []int64{3, 5, 4, 1} {
		l.add(&upEvent{at: position{0, o}})
	}
	if got := offsets(l); got != "0/1 0/3 0/4 0/5" {
		t.Errorf("%s", got)
	}
	l.state = laneSent
	l.add(&upEvent{at: position{0, 0}})
	if got := offsets(l); got != "0/1 0/0 0/3 0/4 0/5" {
		t.Errorf("behind what is in flight: %s", got)
	}
	l.add(&upEvent{at: position{1, 2}})
	if got := offsets(l); got != "0/1 0/0 0/3 0/4 0/5 1/2" {
		t.Errorf("of another partition: %s", got)
	}
}

func TestRanksSpreadSocketsAndMoveFewOfThem(t *testing.T) {
	u := &uplink{}
	for i := range 4 {
		u.streams = append(u.streams, newUpStream(uint64(i)*0x1234567890abcdef+1, 10))
	}
	const n = 4000
	at, given := map[id.Socket]*upStream{}, map[*upStream]int{}
	for i := range n {
		s := sid(id.Replica(i%3), i+1)
		at[s] = u.pickLocked(s, false)
		given[at[s]]++
	}
	for _, c := range given {
		if c < n/4-n/20 || c > n/4+n/20 {
			t.Errorf("%d of %d sockets on one of four streams", c, n)
		}
	}
	gone := u.streams[1]
	u.streams = slices.Delete(u.streams, 1, 2)
	for s, was := range at {
		if now := u.pickLocked(s, false); was != gone && now != was {
			t.Fatalf("socket %s moved although its stream is open", s)
		}
	}
}

func TestNewSettingsKeepTheFillOfQuotas(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Components[0].Quotas.Pushes = 1 })
	was := w.server.components.Load().byName["docs"].quota
	entry := docs()
	entry.Quotas.Pushes = 1
	entry.Tokens = []string{"another token 1234"}
	if err := w.server.SetComponents([]ComponentConfig{entry}); err != nil {
		t.Fatal(err)
	}
	if w.server.components.Load().byName["docs"].quota != was {
		t.Error("a new token filled the quota up")
	}
	entry.Quotas.Pushes = 2
	if err := w.server.SetComponents([]ComponentConfig{entry}); err != nil {
		t.Fatal(err)
	}
	if w.server.components.Load().byName["docs"].quota == was {
		t.Error("a new quota was not taken")
	}
}
