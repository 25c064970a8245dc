package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gotomicro/ego-component/ekafka"
	"github.com/gotomicro/ego/core/elog"
	"github.com/segmentio/kafka-go"
)

// A lane writes the records of its keys in order. It has a writer of its own and one
// write under way, and a write fits into one Kafka batch per partition. Records of one
// key therefore stand or fall together, and what failed stays at the head of the queue
// and is in the next write, before anything newer.
//
//	Enqueue -> [ failed again | new ......... ] -> one write -> settled
//	             queue, oldest first
type lane struct {
	p      *Producer
	writer *ekafka.Producer
	wake   chan struct{} // of capacity 1: something has changed

	// owned by run
	limit    int // records per write
	failures int // writes that failed in a row
	told     time.Time

	mu     sync.Mutex
	queue  []*unsettled // guarded by mu; settled ones go when they reach the head
	head   int          // guarded by mu; queue[:head] is nil
	closed bool         // guarded by mu; nothing is added any more
}

// unsettled is a record on its way, or a mark. All fields but settled are fixed.
type unsettled struct {
	topic   string
	key     []byte
	body    []byte
	headers []kafka.Header
	size    int
	at      time.Time
	done    func(error)
	counts  *outcomes
	reached func() // of a mark: called when everything before it is settled

	settled bool // guarded by the lane's mu; whoever sets it calls Producer.settle
}

func newLane(p *Producer, writer *ekafka.Producer) *lane {
	return &lane{p: p, writer: writer, wake: make(chan struct{}, 1), limit: p.cfg.BatchRecords}
}

// laneOf is how kafka.Hash picks a partition. With as many lanes as partitions, or a
// divisor of that, a partition therefore belongs to one lane.
func laneOf(key []byte, lanes int) int {
	if key == nil {
		return rand.IntN(lanes)
	}
	h := uint32(2166136261)
	for _, c := range key {
		h = (h ^ uint32(c)) * 16777619
	}
	n := int32(h) % int32(lanes)
	if n < 0 {
		n = -n
	}
	return int(n)
}

// sizeOf is what a record takes in a batch, at most.
func sizeOf(key, body []byte, headers []kafka.Header) int {
	n := 48 + len(key) + len(body)
	for _, h := range headers {
		n += 8 + len(h.Key) + len(h.Value)
	}
	return n
}

// add appends u, or reports that the lane is closed.
func (l *lane) add(u *unsettled) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.queue = append(l.queue, u)
	l.mu.Unlock()
	l.poke()
	return true
}

// mark calls reached when everything in the queue has been settled. A closed lane takes
// marks too, as long as it has records.
func (l *lane) mark(reached func()) {
	l.mu.Lock()
	idle := l.closed && l.head == len(l.queue)
	if !idle {
		l.queue = append(l.queue, &unsettled{reached: reached})
	}
	l.mu.Unlock()
	if idle {
		reached()
		return
	}
	l.poke()
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.poke()
}

func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes until the lane is closed and empty.
func (l *lane) run() {
	var batch []*unsettled
	for {
		var ended bool
		batch, ended = l.next(batch[:0])
		if ended {
			break
		}
		if len(batch) == 0 {
			<-l.wake
			continue
		}
		if l.write(batch) {
			l.failures = 0
			continue
		}
		l.failures++
		l.p.m.retries.Inc()
		time.Sleep(retryPause(l.failures))
	}
	if err := l.writer.Close(); err != nil {
		l.p.log.Warn("close a writer", elog.FieldErr(err))
	}
}

// retryPause is 10 ms, doubled up to 320 ms, and up to half of that at random.
func retryPause(failures int) time.Duration {
	d := 10 * time.Millisecond << min(failures-1, 5)
	return d + rand.N(d/2)
}

// next drops what is settled from the head and returns the oldest records that fit into
// one write. ended means that nothing will ever come again.
func (l *lane) next(batch []*unsettled) (_ []*unsettled, ended bool) {
	marks := l.trim()
	for _, reached := range marks {
		reached()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for _, u := range l.queue[l.head:] {
		if u.settled || u.reached != nil {
			continue
		}
		if len(batch) == l.limit || (len(batch) > 0 && size+u.size > l.p.cfg.MaxRecordBytes) {
			break
		}
		batch = append(batch, u)
		size += u.size
	}
	return batch, l.closed && l.head == len(l.queue)
}

// trim takes settled records and marks from the head and returns the marks.
func (l *lane) trim() (marks []func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.head < len(l.queue) {
		u := l.queue[l.head]
		if u.reached != nil {
			marks = append(marks, u.reached)
		} else if !u.settled {
			break
		}
		l.queue[l.head] = nil
		l.head++
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

// write tries batch once, settles what is decided, and reports whether it may go on at
// once.
func (l *lane) write(batch []*unsettled) bool {
	// The messages are made anew each time: the interceptors of ekafka write into them,
	// and so may the writer, even after it has returned.
	messages := make([]*kafka.Message, len(batch))
	values := make([]kafka.Message, len(batch))
	for i, u := range batch {
		values[i] = kafka.Message{Topic: u.topic, Key: u.key, Value: u.body, Headers: u.headers[:len(u.headers):len(u.headers)]}
		messages[i] = &values[i]
	}
	// Longer than all that the writer does, for it cannot be called off: a write that
	// was given up would stay in its queue.
	ctx, cancel := context.WithTimeout(context.Background(), 2*l.p.cfg.WriteTimeout+time.Second)
	start := time.Now()
	err := l.writer.WriteMessages(ctx, messages...)
	cancel()
	now := time.Now()
	l.p.m.write.Observe(now.Sub(start).Seconds())

	if err == nil {
		l.settle(batch, nil, now)
		l.limit = l.p.cfg.BatchRecords
		return true
	}
	var each kafka.WriteErrors
	if !errors.As(err, &each) || len(each) != len(batch) {
		l.logFailure(err, len(batch), now)
		return false
	}
	return l.settleEach(batch, each, now)
}

// settleEach settles those records of batch that were written or will never be.
func (l *lane) settleEach(batch []*unsettled, errs kafka.WriteErrors, now time.Time) (goOn bool) {
	goOn = true
	for i, u := range batch {
		switch err := errs[i]; {
		case err == nil:
			l.settle(batch[i:i+1], nil, now)
			// Other partitions are well: do not let them wait longer and longer.
			l.failures = 0
		case errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge):
			if len(batch) > 1 {
				// The broker takes less than we were told: it may be the batch only.
				l.limit = max(len(batch)/2, 1)
				continue
			}
			l.settle(batch, fmt.Errorf("%w: %w", ErrTooLarge, err), now)
		case permanent(err):
			l.settle(batch[i:i+1], fmt.Errorf("write to %s: %w", u.topic, err), now)
		default:
			l.logFailure(err, len(batch), now)
			goOn = false
		}
	}
	return goOn
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

// logFailure speaks once in a second.
func (l *lane) logFailure(err error, records int, now time.Time) {
	if now.Sub(l.told) < time.Second {
		return
	}
	l.told = now
	l.p.log.Warn("write to kafka failed, trying again", elog.FieldErr(err), elog.Int("records", records))
}

// settle ends the records that nobody else has ended meanwhile.
func (l *lane) settle(batch []*unsettled, err error, now time.Time) {
	l.mu.Lock()
	mine := make([]*unsettled, 0, len(batch))
	for _, u := range batch {
		if !u.settled {
			u.settled = true
			mine = append(mine, u)
		}
	}
	l.mu.Unlock()
	for _, u := range mine {
		l.p.settle(u, err, now)
	}
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
	l.mu.Unlock()
	for _, u := range old {
		l.p.settle(u, ErrTimeout, now)
	}
	if len(old) > 0 {
		l.poke()
	}
	return oldest, len(old)
}
