package bus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// A flight is one write of several lanes of a topic: they share a request, so that what
// a request costs is paid once and not for each partition. It ends when all of it is
// decided; lanes that failed fly alone until they are well, so that a partition in
// trouble holds up others once.
//
//	lane 3 [ . . . ] -\                          /- partition 3  [batch]
//	lane 7 [ . ] ------ flight -> one request ---+- partition 7  [batch]
//	lane 9 [ . . ] ---/                          \- partition 9  [batch]
type flight struct {
	topic  *topic
	leader int
	size   int
	legs   []leg
	parts  []part  // sorted by nothing; part of a record is its index here
	slots  []int32 // by partition: 1 + index of its part
	ships  []*shipment
	broken bool // a request may still be on its way: nothing of it is used again
}

// leg is what a lane contributes to a flight.
type leg struct {
	lane  *lane
	batch []*unsettled
	size  int // of the records
}

// part is what a partition gets in a flight.
type part struct {
	recordBatch
	partition int
	err       error // what the write gave, guarded by underWay.mu while that lasts
	fate      fate  // the judgement of it
}

var flights = sync.Pool{New: func() any { return new(flight) }}

// maxFlight bounds a request: what a broker takes at once, and how long the others on
// board wait for a large one.
const maxFlight = 4 << 20

// board takes a lane along.
func (f *flight) board(l *lane) {
	n := len(f.legs)
	if n < cap(f.legs) {
		f.legs = f.legs[:n+1] // with the array of an earlier batch
	} else {
		f.legs = append(f.legs, leg{})
	}
	at := &f.legs[n]
	at.lane, at.batch, at.size = l, l.take(at.batch[:0]), 0
	for _, u := range at.batch {
		at.size += u.size
	}
	f.size += at.size
}

// fly writes, tells everybody, and lets go of the lanes.
func (f *flight) fly() {
	t := f.topic
	start := time.Now()
	lay, err := t.layout()
	switch {
	case err != nil:
		f.fail(err)
		f.land(f.legs, start)
	case lay.divides(len(t.lanes)):
		f.write(f.legs, lay)
		f.land(f.legs, start)
	default: // a partition must not be twice in a request
		for i := range f.legs {
			f.write(f.legs[i:i+1], lay)
			f.land(f.legs[i:i+1], start)
		}
	}
	if !f.broken {
		f.reset()
		flights.Put(f)
	}
	t.p.poke()
}

// fail has everything tried again: what Kafka says before it was asked to write is
// never the last word.
func (f *flight) fail(err error) {
	f.parts = append(f.parts[:0], part{fate: fate{err: err}})
	for _, leg := range f.legs {
		for _, u := range leg.batch {
			u.part = 0
		}
	}
}

// write encodes what the legs have, sends it, and notes each part's fate.
func (f *flight) write(legs []leg, lay *layout) {
	f.load(legs, lay)
	f.ship(lay)
	// Longer than all that the writer does, for it cannot be called off: a write that
	// was given up would stay in its queue.
	ctx, cancel := context.WithTimeout(context.Background(), 2*f.topic.p.cfg.WriteTimeout+time.Second)
	defer cancel()
	messages := make([]*kafka.Message, len(f.ships))
	for i, s := range f.ships {
		messages[i] = s.message()
	}
	err := legs[0].lane.writer().WriteMessages(ctx, messages...)
	var each kafka.WriteErrors
	if !errors.As(err, &each) || len(each) != len(messages) {
		each = nil
	}
	for i, s := range f.ships {
		switch answered := s.done(); {
		case answered:
			continue
		case each != nil && each[i] != nil:
			s.fail(each[i])
		case err != nil:
			s.fail(err)
		default:
			s.fail(errNotSent)
		}
		f.broken = true
	}
	f.judge()
}

// judge decides what the errors mean.
func (f *flight) judge() {
	for i := range f.parts {
		p := &f.parts[i]
		p.fate = fateOf(f.topic.name, p.err, p.records)
		if p.err != nil {
			f.topic.doubt()
		}
	}
}

var errNotSent = errors.New("the write did not pass the transport")

// load sorts the records by partition and encodes them.
func (f *flight) load(legs []leg, lay *layout) {
	partitions := len(lay.leaders)
	if f.broken {
		f.parts = nil // the one before may still be read
	}
	f.parts = f.parts[:0]
	f.slots = append(f.slots[:0], make([]int32, partitions)...)
	for _, leg := range legs {
		for _, u := range leg.batch {
			partition := placeOf(u.hash, partitions)
			if f.slots[partition] == 0 {
				f.open(partition, leg.size/max(partitions/len(f.topic.lanes), 1))
			}
			u.part = int(f.slots[partition]) - 1
			f.parts[u.part].add(u.rec)
		}
	}
}

// open adds a part of about size bytes, with the buffer of an earlier one.
func (f *flight) open(partition, size int) {
	n := len(f.parts)
	if n < cap(f.parts) {
		f.parts = f.parts[:n+1]
	} else {
		f.parts = append(f.parts, part{})
	}
	p := &f.parts[n]
	p.b = slices.Grow(p.b[:0], size)
	p.partition, p.err, p.fate, p.records = partition, nil, fate{}, 0
	f.slots[partition] = int32(n + 1)
}

// ship makes a shipment for each leader.
func (f *flight) ship(lay *layout) {
	f.ships = f.ships[:0]
	now := time.Now()
	for i := range f.parts {
		p := &f.parts[i]
		p.seal(now)
		leader := lay.leaders[p.partition]
		var to *shipment
		for _, s := range f.ships {
			if s.leader == leader {
				to = s
			}
		}
		if to == nil {
			to = &shipment{leader: leader, topic: f.topic.name}
			f.ships = append(f.ships, to)
		}
		to.parts = append(to.parts, p)
	}
}

// land tells the lanes what became of their records.
func (f *flight) land(legs []leg, start time.Time) {
	now := time.Now()
	f.topic.p.m.write.Observe(now.Sub(start).Seconds())
	for _, leg := range legs {
		leg.lane.land(leg.batch, func(u *unsettled) fate { return f.parts[u.part].fate }, now)
	}
}

// reset keeps the buffers, and no record.
func (f *flight) reset() {
	for i := range f.legs {
		clear(f.legs[i].batch[:cap(f.legs[i].batch)])
		f.legs[i].lane = nil
	}
	for i := range f.parts {
		f.parts[i].reset()
	}
	clear(f.ships)
	f.topic, f.leader, f.size = nil, 0, 0
	f.legs, f.parts, f.ships = f.legs[:0], f.parts[:0], f.ships[:0]
}
