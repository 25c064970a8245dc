package bus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/gotomicro/ego/core/elog"
	"github.com/segmentio/kafka-go"
)

// A lane keeps the records of its keys in order. It has one write under way, which has
// one Kafka batch per partition. Records of one key therefore stand or fall together,
// and what failed stays at the head of the queue and is in the next write, before
// anything newer.
//
//	Enqueue -> [ failed again | new ......... ] -> one write -> settled
//	             queue, oldest first
type lane struct {
	p     *Producer
	topic *topic
	index int

	mu       sync.Mutex
	queue    []*unsettled // guarded by mu, as is all that follows; settled ones go when they reach the head
	head     int          // queue[:head] is nil
	pending  int          // records of the queue that are not settled
	flying   bool         // a write is under way, and has the pointers that it took
	settling int          // callers of Producer.settle that have not returned
	closed   bool         // nothing is added any more
	limit    int          // records per write
	failures int          // writes that failed in a row
	again    time.Time    // no write before that
	told     time.Time
}

// unsettled is a record on its way, or a mark.
type unsettled struct {
	rec     []byte // the record as appendRecord writes it
	hash    uint32 // of its key
	size    int
	at      time.Time
	done    func(error)
	counts  *outcomes
	reached func() // of a mark: called when everything before it is settled

	part    int  // among those of its flight, which owns this
	settled bool // guarded by the lane's mu; whoever sets it calls Producer.settle
}

// records keeps what a record takes here for the next one: two allocations of half a
// kilobyte for each message of a client.
var records = sync.Pool{New: func() any { return new(unsettled) }}

// maxKeptRecord bounds the buffers that are kept.
const maxKeptRecord = 2048

func recycle(u *unsettled) {
	rec := u.rec[:0]
	if cap(rec) > maxKeptRecord {
		rec = nil
	}
	*u = unsettled{rec: rec}
	records.Put(u)
}

func newLane(p *Producer, t *topic, index int) *lane {
	return &lane{p: p, topic: t, index: index, limit: p.cfg.BatchRecords}
}

// hashOf is how kafka.Hash hashes a key; without one, any will do.
func hashOf(key []byte) uint32 {
	if len(key) == 0 {
		return rand.Uint32()
	}
	h := uint32(2166136261)
	for _, c := range key {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// placeOf is how kafka.Hash picks a partition of n. It picks the lanes, too: with as
// many lanes as partitions, or a divisor of that, a partition belongs to one lane.
func placeOf(hash uint32, n int) int {
	return int(max(int32(hash)%int32(n), -(int32(hash) % int32(n))))
}

// add appends u, or reports that the lane is closed. full tells that there is enough
// for a write.
func (l *lane) add(u *unsettled) (full, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, false
	}
	l.queue = append(l.queue, u)
	l.pending++
	return l.pending == l.limit, true
}

// mark calls reached when everything in the queue has been settled.
func (l *lane) mark(reached func()) {
	l.mu.Lock()
	idle := l.pending == 0 && l.settling == 0
	if !idle {
		l.queue = append(l.queue, &unsettled{reached: reached})
	}
	l.mu.Unlock()
	if idle {
		reached()
	}
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
}

// wish is what a lane has to write.
type wish struct {
	some   bool      // there is something, and no write under way
	flying bool      // a write is under way
	full   bool      // there is enough for a write
	failed bool      // the last write failed
	again  time.Time // not before that
	oldest time.Time // record that waits
	newest time.Time // record
	open   bool      // something is, or may come
}

func (l *lane) wish() wish {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := wish{
		some:   l.pending > 0 && !l.flying,
		flying: l.flying,
		full:   l.pending >= l.limit || l.closed,
		failed: l.failures > 0,
		again:  l.again,
		open:   !l.closed || l.pending > 0 || l.flying,
	}
	if w.some {
		w.oldest, w.newest = l.agesLocked()
	}
	return w
}

// agesLocked are the times of the oldest and the newest record of a lane that has some.
func (l *lane) agesLocked() (oldest, newest time.Time) {
	waits := func(i int) bool { return !l.queue[i].settled && l.queue[i].reached == nil }
	first, last := l.head, len(l.queue)-1
	for !waits(first) {
		first++
	}
	for !waits(last) {
		last--
	}
	return l.queue[first].at, l.queue[last].at
}

// writer is the one that a flight uses whose first lane is this: nobody else does then.
func (l *lane) writer() *ekafka.Producer { return l.p.writers[l.index] }

// retryPause is 10 ms, doubled up to 320 ms, and up to half of that at random.
func retryPause(failures int) time.Duration {
	d := 10 * time.Millisecond << min(failures-1, 5)
	return d + rand.N(d/2)
}

// take begins a write: it appends the oldest records that fit into one.
func (l *lane) take(batch []*unsettled) []*unsettled {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, n := 0, 0
	for _, u := range l.queue[l.head:] {
		if u.settled || u.reached != nil {
			continue
		}
		if n == l.limit || (n > 0 && size+u.size > l.p.cfg.MaxRecordBytes) {
			break
		}
		batch = append(batch, u)
		size += u.size
		n++
	}
	l.flying = true // also with nothing, if that was settled meanwhile: land follows
	return batch
}

// land ends a write. verdict tells what became of a record.
func (l *lane) land(batch []*unsettled, verdict func(*unsettled) fate, now time.Time) {
	var written, failed, large int
	var last error
	for _, u := range batch {
		switch f := verdict(u); {
		case f.err == nil:
			written++
		case f.large:
			large++
		case !f.final:
			failed++
			last = f.err
		}
	}
	l.mu.Lock()
	mine := batch[:0] // of those that nobody has ended meanwhile, those that end now
	for _, u := range batch {
		if f := verdict(u); f.final && !u.settled {
			u.settled = true
			mine = append(mine, u)
		}
	}
	l.pending -= len(mine)
	l.settling++
	l.after(len(batch), written, failed, large, now)
	tell := failed > 0 && now.Sub(l.told) >= time.Second
	if tell {
		l.told = now // it speaks once in a second
	}
	l.mu.Unlock()

	l.p.settle(mine, func(u *unsettled) error { return verdict(u).err }, now)
	if failed > 0 {
		l.p.m.retries.Inc()
	}
	if tell {
		l.p.log.Warn("write to kafka failed, trying again", elog.FieldErr(last), elog.Int("records", failed))
	}
	l.settled(true)
}

// after decides when, and how much, the lane may write next. l.mu is held.
func (l *lane) after(all, written, failed, large int, now time.Time) {
	switch {
	case large > 0: // the broker takes less than we were told: it may be the batch only
		l.limit = max(all/2, 1)
	case failed == 0:
		l.limit = l.p.cfg.BatchRecords
	}
	if written > 0 || failed == 0 {
		// Other partitions are well: do not let them wait longer and longer.
		l.failures = 0
	}
	if failed > 0 {
		l.failures++
		l.again = now.Add(retryPause(l.failures))
	}
}

// settled is called after Producer.settle has returned. It takes settled records and
// marks from the head.
func (l *lane) settled(landed bool) {
	var marks []func()
	l.mu.Lock()
	if landed {
		l.flying = false
	}
	if l.settling--; l.settling == 0 {
		marks = l.trimLocked()
	}
	l.mu.Unlock()
	for _, reached := range marks {
		reached()
	}
}

func (l *lane) trimLocked() (marks []func()) {
	for l.head < len(l.queue) {
		u := l.queue[l.head]
		if u.reached != nil {
			marks = append(marks, u.reached)
		} else if !u.settled {
			break
		}
		l.queue[l.head] = nil
		l.head++
		if !l.flying { // or a write that began with it would find another record in it
			recycle(u)
		}
	}
	switch {
	case l.head == len(l.queue):
		l.queue, l.head = l.queue[:0], 0
	case l.head > 1024 && l.head > len(l.queue)/2:
		n := copy(l.queue, l.queue[l.head:])
		clear(l.queue[n:])
		l.queue, l.head = l.queue[:n], 0
	}
	return marks
}

// expire ends the records that are too old at now. It returns their number and the age
// of the oldest that is left. Ages rise towards the head, so it looks at few.
func (l *lane) expire(now time.Time) (oldest time.Duration, ended int) {
	var old []*unsettled
	l.mu.Lock()
	for _, u := range l.queue[l.head:] {
		if u.settled || u.reached != nil {
			continue
		}
		if age := now.Sub(u.at); age < l.p.cfg.MaxAge {
			oldest = age
			break
		}
		u.settled = true
		old = append(old, u)
	}
	if len(old) == 0 {
		l.mu.Unlock()
		return oldest, 0
	}
	l.pending -= len(old)
	l.settling++
	l.mu.Unlock()
	l.p.settle(old, func(*unsettled) error { return ErrTimeout }, now)
	l.settled(false)
	return oldest, len(old)
}

// fate is what became of a record in a write.
type fate struct {
	err   error
	final bool // it is not written again
	large bool // its batch was too large, and it was not alone in it
}

// fateOf judges an error of Kafka about a batch of records.
func fateOf(topic string, err error, records int) fate {
	switch {
	case err == nil:
		return fate{final: true}
	case errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge):
		if records > 1 {
			return fate{err: err, large: true}
		}
		return fate{err: fmt.Errorf("%w: %w", ErrTooLarge, err), final: true}
	case permanent(err):
		return fate{err: fmt.Errorf("write to %s: %w", topic, err), final: true}
	}
	return fate{err: err}
}

// permanent tells errors that trying again does not help.
func permanent(err error) bool {
	for _, e := range []kafka.Error{
		kafka.InvalidTopic, kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.InvalidRequiredAcks, kafka.UnsupportedForMessageFormat, kafka.PolicyViolation,
		kafka.InvalidTimestamp, kafka.InvalidRecord, kafka.UnsupportedSASLMechanism, kafka.SASLAuthenticationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
