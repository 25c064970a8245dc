package api

import (
	"errors"
	"time"

	"sluice/pkg/bus"
)

// ack settles events of a stream for good.
func (u *uplink) ack(st *upStream, numbers []uint64) {
	var done []*bus.Delivery
	u.mu.Lock()
	for _, n := range numbers {
		e := st.inflight[n]
		if e == nil {
			u.count(upUnknown, 1)
			continue
		}
		st.missed = 0
		delete(st.inflight, n)
		u.acked.put(e.mid, struct{}{})
		u.dropHeadLocked(u.lanes[e.socket])
		done = append(done, e.d)
	}
	st.signal()
	u.mu.Unlock()
	u.count(upAcked, len(done))
	for _, d := range done {
		d.Ack()
	}
}

// nack puts an event back for another attempt.
func (u *uplink) nack(st *upStream, number uint64, reason error) {
	u.mu.Lock()
	e := st.inflight[number]
	if e == nil {
		u.mu.Unlock()
		u.count(upUnknown, 1)
		return
	}
	st.missed = 0
	d := u.refuseLocked(st, e, reason)
	st.signal()
	u.mu.Unlock()
	u.count(upNacked, 1)
	u.giveUp(d, reason)
}

// refuseLocked ends an attempt. It returns the delivery when there were enough of
// them: the caller gives it up after unlocking.
func (u *uplink) refuseLocked(st *upStream, e *upEvent, reason error) *bus.Delivery {
	delete(st.inflight, e.number)
	e.nacks++
	l := u.lanes[e.socket]
	if e.nacks >= u.s.cfg.Subscribe.Attempts {
		u.givenUp.put(e.at, reason)
		u.dropHeadLocked(l)
		return e.d
	}
	l.state = lanePaused
	time.AfterFunc(u.s.cfg.Subscribe.Backoff<<(e.nacks-1), func() { u.resume(l) })
	u.changeLocked()
	return nil
}

func (u *uplink) giveUp(d *bus.Delivery, reason error) {
	if d != nil {
		u.count(upGivenUp, 1)
		d.Nack(reason)
	}
}

// resume ends the pause of a lane. The lane may be gone by now.
func (u *uplink) resume(l *lane) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lanes[l.socket] != l || l.state != lanePaused {
		return
	}
	if l.stream == nil {
		u.moveLocked(l, u.pickLocked(l.socket, false))
	}
	u.readyLocked(l)
}

// stalledAfter is how many events in a row a stream may leave unanswered before it is
// ended: one may hang in its handler while the rest goes on.
const stalledAfter = 3

var (
	errNoAck  = errors.New("not acknowledged in time")
	errNacked = errors.New("refused without a reason")
)

// expire ends the attempts that were not answered in time, and the streams that
// answer nothing at all.
func (u *uplink) expire() {
	var gone []*bus.Delivery
	u.mu.Lock()
	now, timeout := u.s.now(), u.s.cfg.Subscribe.AckTimeout
	for _, st := range u.streams {
		late := 0
		for _, e := range st.inflight {
			if now.Sub(e.sent) < timeout {
				continue
			}
			late++
			if d := u.refuseLocked(st, e, errNoAck); d != nil {
				gone = append(gone, d)
			}
		}
		if late == 0 {
			continue
		}
		u.count(upTimeout, late)
		st.missed += late
		if st.missed >= stalledAfter {
			st.fail(ErrStalled)
		}
		st.signal()
	}
	u.mu.Unlock()
	for _, d := range gone {
		u.giveUp(d, errNoAck)
	}
}
