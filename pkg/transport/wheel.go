package transport

const (
	wheelTick  = 50 // milliseconds
	wheelSlots = 1024
)

// timed is a place on a wheel.
type timed struct {
	next, prev *Session // in the slot's ring; nil when not on the wheel
}

// wheel wakes sessions at given times, with no timer and no goroutine for each.
// A session is on it at most once, at the earliest of its times, and is taken
// off when woken. What is due after a whole turn stays in its slot for another.
// The caller serialises the calls.
type wheel struct {
	slots [wheelSlots]*Session // rings
	done  int64                // tick up to which all slots have been emptied
}

// add puts s on the wheel for due, in milliseconds. When it is there already,
// the earlier time holds: waking a session too early does no harm.
func (w *wheel) add(s *Session, due int64) {
	tick := max((due+wheelTick-1)/wheelTick, w.done+1)
	if s.timed.next != nil {
		if int64(s.due) <= tick {
			return
		}
		w.remove(s)
	}
	s.due = uint32(tick)
	head := &w.slots[tick%wheelSlots]
	if *head == nil {
		s.timed.next, s.timed.prev = s, s
		*head = s
		return
	}
	first := *head
	s.timed.next, s.timed.prev = first, first.timed.prev
	first.timed.prev.timed.next = s
	first.timed.prev = s
}

// remove takes s off the wheel, if it is there.
func (w *wheel) remove(s *Session) {
	if s.timed.next == nil {
		return
	}
	if head := &w.slots[s.due%wheelSlots]; *head == s {
		*head = s.timed.next
		if *head == s {
			*head = nil
		}
	}
	s.timed.prev.timed.next = s.timed.next
	s.timed.next.timed.prev = s.timed.prev
	s.timed.next, s.timed.prev = nil, nil
}

// advance takes off the wheel what is due at now and appends it to woken.
func (w *wheel) advance(now int64, woken []*Session) []*Session {
	last := now / wheelTick
	if last-w.done > wheelSlots {
		w.done = last - wheelSlots // a whole turn: each slot once
	}
	for w.done < last {
		w.done++
		woken = w.empty(w.done%wheelSlots, woken)
	}
	return woken
}

// empty opens the ring of a slot and walks along it.
func (w *wheel) empty(slot int64, woken []*Session) []*Session {
	s := w.slots[slot]
	if s == nil {
		return woken
	}
	w.slots[slot] = nil
	s.timed.prev.timed.next = nil
	for s != nil {
		next := s.timed.next
		s.timed.next, s.timed.prev = nil, nil
		if int64(s.due) <= w.done {
			woken = append(woken, s)
		} else {
			w.add(s, int64(s.due)*wheelTick)
		}
		s = next
	}
	return woken
}
