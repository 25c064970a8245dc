package bus

// Delivery is one record handed to a handler, which must settle it: Ack when its work
// is done, Nack when it cannot be done. The first of the two counts; later ones, and
// those after the partition was lost, change nothing. Both may be called from any
// goroutine and never block.
type Delivery struct {
	Record
	Attempt int // 1 for the first, then 2, 3 ...
}

// Ack says that the record has been dealt with.
func (d *Delivery) Ack() {}

// Nack says that the record could not be dealt with. It is handed over again after a
// pause, a bounded number of times, with the same message id; records of the same key
// wait for it. Then it goes to the dead-letter topic with reason. Nack is for a record
// that cannot be handled: when nothing can be, let the handler block instead, or end
// Run.
func (d *Delivery) Nack(reason error) {}
