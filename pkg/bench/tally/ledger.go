package tally

import "slices"

// Ledger is what was sent on one stream: message n, from 1 on, was begun at
// times[n-1]. Times only grow.
type Ledger struct {
	times  []int64
	failed []uint32 // nobody has to get these
}

// Sent notes that the next message is being sent, and returns its number.
func (l *Ledger) Sent(at int64) uint32 {
	l.times = append(l.times, at)
	return uint32(len(l.times))
}

// Failed notes that the sender was refused, or does not know: a message that
// may come and need not.
func (l *Ledger) Failed(n uint32) {
	if i, found := slices.BinarySearch(l.failed, n); !found {
		l.failed = slices.Insert(l.failed, i, n)
	}
}

// Len is the number of messages sent.
func (l *Ledger) Len() uint32 { return uint32(len(l.times)) }

// Session is the time that one receiver was there.
type Session struct {
	// From is when it was connected for sure, Until when it left or was cut.
	From, Until int64
	// Settle is how long before Until messages need not have arrived any more:
	// those were still on their way when the receiver left of its own accord.
	Settle int64
	Seen   Sequence
}

// Balance is what became of the messages that were sent to sessions.
type Balance struct {
	Expected uint64 `json:"expected"` // had to arrive
	Lost     uint64 `json:"lost"`     // of those, did not
	Open     uint64 `json:"open"`     // were on their way when their receiver left
}

// Add sums up.
func (b *Balance) Add(other Balance) {
	b.Expected += other.Expected
	b.Lost += other.Lost
	b.Open += other.Open
}

// Settle compares what a session saw with what was sent while it was there. A
// message counts whose sending began after From and before Until: an earlier
// one may have been fanned out before the session was there.
func (l *Ledger) Settle(s *Session) Balance {
	first := l.before(s.From) + 1
	last := l.before(s.Until + 1)
	certain := l.before(s.Until - s.Settle + 1)
	if last < first {
		return Balance{}
	}
	certain = max(certain, first-1)
	failed, unseen := l.failures(&s.Seen, first, certain)
	_, open := l.failures(&s.Seen, certain+1, last)
	return Balance{
		Expected: uint64(certain-first+1) - failed,
		Lost:     uint64(s.Seen.Missing(first, certain)) - unseen,
		Open:     uint64(s.Seen.Missing(certain+1, last)) - open,
	}
}

// Missed lists messages that Settle counts as lost, the first so many.
func (l *Ledger) Missed(s *Session, most int) (numbers []uint32) {
	last := l.before(s.Until - s.Settle + 1)
	for n := l.before(s.From) + 1; n <= last && len(numbers) < most; n++ {
		if _, failed := slices.BinarySearch(l.failed, n); !failed && !s.Seen.Saw(n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// before is the number of the last message sent before a time, 0 for none.
func (l *Ledger) before(at int64) uint32 {
	i, _ := slices.BinarySearch(l.times, at)
	return uint32(i)
}

// failures counts the failed messages of a range, and those of them that were
// not seen.
func (l *Ledger) failures(seen *Sequence, first, last uint32) (failed, unseen uint64) {
	for _, n := range l.failed {
		if n < first || n > last {
			continue
		}
		failed++
		if !seen.Saw(n) {
			unseen++
		}
	}
	return failed, unseen
}
