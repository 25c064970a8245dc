package api

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// uplink brings one component's upstream events from Kafka to its Subscribe streams.
//
//	Kafka -> handle -> lane of the socket -> ready queue of a stream -> in flight -> ack -> Kafka
//	                     ^                                                |
//	                     +---- nack, no ack in time, end of the stream ---+
//
// Each record is held until it is settled, and known by its position meanwhile: a
// record that Kafka hands over again replaces the earlier hand-over instead of being
// delivered twice.
type uplink struct {
	s    *Server
	name string // of the component

	mu       sync.Mutex // guards all that follows, and the lanes, streams and events
	running  bool       // work runs
	draining bool       // nothing is sent or taken any more
	stop     context.CancelFunc
	linger   *time.Timer
	streams  []*upStream
	lanes    map[id.Socket]*lane
	held     map[position]*upEvent
	changed  chan struct{} // closed when there may be room, or nothing in flight
	waiting  bool          // somebody waits for changed

	acked    *recent[id.Message, struct{}] // not to be delivered again
	attempts *recent[id.Message, int]      // of events that went back to Kafka
	givenUp  *recent[position, error]      // left to the dead-letter topic
}

// poisoned is how many events that were given up are remembered until the bus has
// put them aside; a forgotten one is tried some more times.
const poisoned = 1024

func newUplink(s *Server, name string) *uplink {
	return &uplink{
		s: s, name: name,
		lanes: map[id.Socket]*lane{}, held: map[position]*upEvent{}, changed: make(chan struct{}),
		acked:    newRecent[id.Message, struct{}](s.cfg.Subscribe.Remember / 2),
		attempts: newRecent[id.Message, int](min(s.cfg.Subscribe.Remember, 4*s.cfg.Subscribe.Pending)),
		givenUp:  newRecent[position, error](poisoned),
	}
}

// handle takes one record. It waits while there is no room, which slows the consumer
// down; it is not called twice at once for one socket. run is the consumer's context,
// ctx that of the record's partition.
func (u *uplink) handle(run, ctx context.Context, d *bus.Delivery) {
	c := u.s.components.Load().byName[u.name]
	if c == nil {
		return // the component was removed: the streams end, and the consumer after them
	}
	var shown *sluicev1.UpEvent
	err := u.s.safely("read an event", func() (err error) {
		shown, err = c.read(d)
		return err
	})
	if err != nil {
		u.count(upBroken, 1)
		d.Nack(err)
		return
	}
	if shown == nil {
		u.count(upSkipped, 1)
		d.Ack()
		return
	}
	at := position{d.Partition, d.Offset}
	if reason := u.poison(at); reason != nil {
		d.Nack(reason)
		return
	}
	e := &upEvent{
		at: at, mid: d.Headers.Mid, socket: d.Headers.Socket,
		shown: shown, d: d, ctx: ctx,
	}
	for again := false; ; {
		var wait <-chan struct{}
		if again {
			wait = u.settled(e)
		} else {
			wait, again = u.take(e)
		}
		if wait == nil {
			return
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return // the record comes again, here or elsewhere
		case <-run.Done():
			return
		}
	}
}

// take puts an event into its lane, or returns a channel to wait for when there is no
// room. again tells that the record was held already: the consumer lost its patience
// with it, and would put it aside if this hand-over were not waited for.
func (u *uplink) take(e *upEvent) (wait <-chan struct{}, again bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if old := u.held[e.at]; old != nil {
		old.d, old.ctx = e.d, e.ctx
		return u.awaitLocked(), true
	}
	l, ok := u.roomLocked(e.socket)
	if !ok {
		return u.awaitLocked(), false
	}
	e.attempt, _ = u.attempts.get(e.mid)
	u.attempts.forget(e.mid)
	u.held[e.at] = e
	l.add(e)
	l.stream.held++
	u.gaugeLocked()
	if len(l.events) == 1 {
		u.readyLocked(l)
	}
	return nil, false
}

// settled returns a channel to wait for while the record of e is held.
func (u *uplink) settled(e *upEvent) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.held[e.at] == nil {
		return nil
	}
	return u.awaitLocked()
}

// awaitLocked returns a channel that is closed at the next change.
func (u *uplink) awaitLocked() <-chan struct{} {
	u.waiting = true
	return u.changed
}

// poison returns why a record was given up before.
func (u *uplink) poison(at position) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	reason, _ := u.givenUp.get(at)
	return reason
}

// roomLocked returns the lane for an event of a socket, new if need be, or false when
// there is no room: in its stream, for the socket, for the component.
func (u *uplink) roomLocked(socket id.Socket) (*lane, bool) {
	cfg := &u.s.cfg.Subscribe
	if u.draining || len(u.held) >= cfg.Pending {
		return nil, false
	}
	if l := u.lanes[socket]; l != nil {
		room := l.stream != nil && l.stream.held < l.stream.max && len(l.events) < cfg.PendingSocket
		return l, room
	}
	st := u.pickLocked(socket, true)
	if st == nil {
		return nil, false
	}
	l := &lane{socket: socket, stream: st}
	u.lanes[socket] = l
	return l, true
}

// pickLocked returns the stream that a socket's events go to: the first in its rank,
// or the next one when that has no room and room is asked for.
func (u *uplink) pickLocked(socket id.Socket, room bool) *upStream {
	var best *upStream
	for _, st := range u.streams {
		if room && st.held >= st.max {
			continue
		}
		if best == nil || st.rank(socket) > best.rank(socket) {
			best = st
		}
	}
	return best
}

// readyLocked queues a lane whose head can be sent.
func (u *uplink) readyLocked(l *lane) {
	l.state = laneReady
	if l.stream == nil {
		return // until a stream opens
	}
	l.stream.ready = append(l.stream.ready, l)
	l.stream.signal()
}

// moveLocked gives a lane to another stream, or to none.
func (u *uplink) moveLocked(l *lane, to *upStream) {
	if l.stream != nil {
		l.stream.held -= len(l.events)
	}
	if to != nil {
		to.held += len(l.events)
	}
	l.stream = to
}

// next takes the next event for a stream, or returns nil when there is none or too
// many are in flight.
func (u *uplink) next(st *upStream) *sluicev1.SubscribeResponse {
	var done []*bus.Delivery
	u.mu.Lock()
	e := u.nextLocked(st, &done)
	var out *sluicev1.SubscribeResponse
	if e != nil {
		out = e.show()
	}
	u.mu.Unlock()
	for _, d := range done {
		d.Ack()
	}
	return out
}

// nextLocked adds to done what turned out to need no delivery.
func (u *uplink) nextLocked(st *upStream, done *[]*bus.Delivery) *upEvent {
	for !u.draining && !st.closed && len(st.ready) > 0 && len(st.inflight) < st.max {
		l := st.ready[0]
		st.ready[0] = nil
		st.ready = st.ready[1:]
		e := l.events[0]
		if _, twice := u.acked.get(e.mid); twice && e.mid != 0 {
			u.count(upDuplicate, 1)
			*done = append(*done, e.d)
			u.dropHeadLocked(l)
			continue
		}
		if e.ctx.Err() != nil {
			u.count(upLost, 1)
			u.attempts.put(e.mid, e.attempt)
			u.dropHeadLocked(l)
			continue
		}
		l.state = laneSent
		st.last++
		e.number, e.sent = st.last, u.s.now()
		e.attempt++
		st.inflight[e.number] = e
		u.count(upDelivered, 1)
		return e
	}
	return nil
}

// dropHeadLocked takes the first event off a lane and goes on with the next.
func (u *uplink) dropHeadLocked(l *lane) {
	e := l.events[0]
	l.events[0] = nil
	l.events = l.events[1:]
	delete(u.held, e.at)
	if l.stream != nil {
		l.stream.held--
	}
	if len(l.events) > 0 {
		u.readyLocked(l)
	} else {
		delete(u.lanes, l.socket)
	}
	u.gaugeLocked()
	u.changeLocked()
}

// changeLocked wakes those who wait for room, or for the end of a drain.
func (u *uplink) changeLocked() {
	if u.waiting {
		close(u.changed)
		u.changed = make(chan struct{})
		u.waiting = false
	}
}

func (u *uplink) count(step upstreamStep, n int) {
	if n > 0 {
		u.s.m.upstream.WithLabelValues(u.name, string(step)).Add(float64(n))
	}
}

func (u *uplink) gaugeLocked() {
	u.s.m.pending.WithLabelValues(u.name).Set(float64(len(u.held)))
}
