package bus

import (
	"errors"
	"sync/atomic"
)

// Delivery is one record handed to a handler, which must settle it: Ack when its work
// is done, Nack when it cannot be done. The first of the two counts; later ones, and
// those after the partition was lost, change nothing. Both may be called from any
// goroutine and never block.
type Delivery struct {
	Record
	Attempt int // 1 for the first, then 2, 3 ...

	settle  func(reason error)
	settled atomic.Bool
}

// NewDelivery returns a delivery that calls settle once, with nil for an Ack and the
// reason of a Nack otherwise. Consumers make their own; use it to feed a handler from
// somewhere else, as its tests do.
func NewDelivery(rec Record, attempt int, settle func(reason error)) *Delivery {
	return &Delivery{Record: rec, Attempt: attempt, settle: settle}
}

var errNoReason = errors.New("no reason given")

// Ack says that the record has been dealt with.
func (d *Delivery) Ack() {
	if !d.settled.Swap(true) {
		d.settle(nil)
	}
}

// Nack says that the record could not be dealt with. It is handed over again after a
// pause, a bounded number of times, with the same message id; records of the same key
// wait for it. Then it goes to the dead-letter topic with reason, which anybody who
// reads that topic can see. Nack is for a record that cannot be handled: when nothing
// can be, let the handler block instead, or end Run.
func (d *Delivery) Nack(reason error) {
	if reason == nil {
		reason = errNoReason
	}
	if !d.settled.Swap(true) {
		d.settle(reason)
	}
}
