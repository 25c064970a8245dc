package api

import (
	"slices"

	"sluice/pkg/id"
)

// lane is the queue of one socket's events: only its head is ever in flight, so
// nothing can overtake an event that has to be delivered again. A lane without
// events does not exist.
type lane struct {
	socket id.Socket
	events []*upEvent // never empty while the lane is in its uplink
	state  laneState
	stream *upStream // nil when no stream is open
}

// laneState says what the head of a lane waits for.
type laneState uint8

const (
	laneReady  laneState = iota // in its stream's ready queue, or without a stream
	laneSent                    // the head is in its stream's inflight
	lanePaused                  // the head was nacked and waits for its next attempt
)

// add puts an event in its place: behind the head when that is in flight, before
// those with a later offset, which is where a record comes again.
func (l *lane) add(e *upEvent) {
	at := len(l.events)
	first := 0
	if l.state == laneSent {
		first = 1
	}
	for at > first && l.events[at-1].at.partition == e.at.partition && l.events[at-1].at.offset > e.at.offset {
		at--
	}
	l.events = slices.Insert(l.events, at, e)
}

// upStream is one Subscribe stream. The uplink's mu guards all but the first group.
type upStream struct {
	key  uint64        // random, decides which sockets it is given
	max  int           // events in flight
	wake chan struct{} // capacity 1: there may be something to send
	end  chan error    // capacity 1: why the server ends it

	closed   bool
	ready    []*lane // lanes whose head can be sent, in turn
	inflight map[uint64]*upEvent
	last     uint64 // the latest delivery number
	held     int    // events of all its lanes, sent or not
	missed   int    // acks that did not come in time since the latest ack or nack
}

func newUpStream(key uint64, window int) *upStream {
	return &upStream{
		key: key, max: window, wake: make(chan struct{}, 1), end: make(chan error, 1),
		inflight: map[uint64]*upEvent{},
	}
}

// signal wakes the stream's sender; a signal that is already waiting is enough.
func (s *upStream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fail ends the stream with err; the first reason counts.
func (s *upStream) fail(err error) {
	select {
	case s.end <- err:
	default:
	}
}

// rank orders the streams for a socket: the same stream comes first as long as it is
// open, whatever others come and go.
func (s *upStream) rank(socket id.Socket) uint64 { return mix(uint64(socket) ^ s.key) }

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
